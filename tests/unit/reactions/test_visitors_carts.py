"""Visitors' carts against a simple model, with reactions late, twice, and in another order.

A stream's events are reacted to in order, those of several in any: as by reactors that share the
work. The model knows what must hold then: a cart is its visitor's or the customer's that the
visitor is, it is never taken back, and it is the customer's once all is quiet and both are linked.
"""

from uuid import UUID

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from app.kernel.event import Event
from app.kernel.policy import Send
from app.modules.carts.decider import CART, AddItem, CheckOut, ClosedCart, NoCart, OpenCart
from app.modules.carts.events import CartAssigned
from app.modules.customers.decider import CUSTOMER, LinkIdentity, UnlinkIdentity
from app.reactions.visitors_carts import VISITORS_CARTS
from app.testing.world import World

WHO = {"~phone": "anna", "~laptop": "anna", "~tablet": "boris"}
"""The visitors, and which customers they are."""
CARTS = {f"{visitor[1:]}-{n}": visitor for visitor in WHO for n in range(3)}
"""By their ids; two people never open one cart here."""

visitors = st.sampled_from(sorted(WHO))
carts = st.sampled_from(sorted(CARTS))


def identity_of(visitor: str) -> UUID:
    return UUID(int=sorted(WHO).index(visitor) + 1)


class VisitorsCarts(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World([])
        self.reacted: dict[str, int] = {}
        """How many events of each stream."""
        self.opened: set[str] = set()
        self.linked: set[str] = set()
        self.ever_linked: set[str] = set()
        self.taken_over: set[str] = set()
        """Carts that are a customer's."""

    @rule(cart=carts)
    def open_cart(self, cart: str) -> None:
        visitor = CARTS[cart]
        self.world.send(CART, cart, OpenCart(visitor, identity_of(visitor)), visitor)
        self.opened.add(cart)

    @rule(cart=carts)
    def check_out(self, cart: str) -> None:
        if cart in self.opened and not self.is_closed(cart):
            self.world.send(CART, cart, AddItem("shoes", 1, 100, "EUR"))
            self.world.send(CART, cart, CheckOut())

    @rule(visitor=visitors)
    def link(self, visitor: str) -> None:
        command = LinkIdentity(identity_of(visitor), "anonymous")
        self.world.send(CUSTOMER, WHO[visitor], command, WHO[visitor])
        self.linked.add(visitor)
        self.ever_linked.add(visitor)

    @rule(visitor=visitors)
    def unlink(self, visitor: str) -> None:
        command = UnlinkIdentity(identity_of(visitor))
        self.world.send(CUSTOMER, WHO[visitor], command, WHO[visitor])
        self.linked.discard(visitor)

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), times=st.integers(1, 2))
    def react_to_a_streams_next_event(self, data: st.DataObject, times: int) -> None:
        stream = data.draw(st.sampled_from(sorted(self.waiting())))
        self.react_to(stream, times)

    def waiting(self) -> set[str]:
        """The streams with events that were not reacted to."""
        streams = {entry.stream for entry in self.world.log}
        return {s for s in streams if len(self.world.happened(s)) > self.reacted.get(s, 0)}

    def react_to(self, stream: str, times: int = 1) -> None:
        entries = [entry for entry in self.world.log if entry.stream == stream]
        happened = entries[self.reacted.get(stream, 0)].happened
        self.reacted[stream] = self.reacted.get(stream, 0) + 1
        for _ in range(times):
            for effect in VISITORS_CARTS.effects_of(happened):
                assert isinstance(effect, Send)
                command = (effect.decider, effect.thing_id, effect.command, effect.customer_id)
                self.world.send(*command)

    def is_closed(self, cart: str) -> bool:
        return isinstance(self.world.state(CART, cart), ClosedCart)

    @invariant()
    def a_cart_is_its_visitors_or_for_ever_the_customers(self) -> None:
        for cart in self.opened:
            visitor, owner = CARTS[cart], CART.customer_of(self.world.state(CART, cart))
            if cart in self.taken_over or owner != visitor:
                assert owner == WHO[visitor]
                assert visitor in self.ever_linked
                assert len(self.assignments(cart)) == 1
                self.taken_over.add(cart)

    def assignments(self, cart: str) -> list[Event]:
        return [e for e in self.world.happened(f"cart-{cart}") if isinstance(e, CartAssigned)]

    def teardown(self) -> None:
        """All is quiet at last."""
        while streams := self.waiting():
            self.react_to(min(streams))
        self.a_cart_is_its_visitors_or_for_ever_the_customers()
        for cart in self.opened - self.taken_over:
            assert CARTS[cart] not in self.linked or self.is_closed(cart)
        for cart in CARTS.keys() - self.opened:
            assert isinstance(self.world.state(CART, cart), NoCart)


TestVisitorsCarts = VisitorsCarts.TestCase
TestVisitorsCarts.settings = hypothesis.settings(
    deadline=None,
    max_examples=40,
    stateful_step_count=40,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
