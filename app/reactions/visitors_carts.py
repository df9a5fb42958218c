"""A visitor's carts become a customer's once it is known who the visitor is.

The state is `VISITOR`, a stream for each identity id. Whichever is heard of first, the cart or who
the visitor is, the cart is the customer's in the end. What was given once is not taken back.
"""

from collections.abc import Iterable

from app.kernel.policy import Effect, Happened, Policy, Send
from app.modules.carts.decider import (
    CART,
    VISITOR,
    AssignCart,
    ForgetVisitor,
    NoteCart,
    RecogniseVisitor,
)
from app.modules.carts.events import CartNoted, CartOpened, VisitorRecognised
from app.modules.customers.events import IdentityLinked, IdentityUnlinked


def _note(happened: Happened[CartOpened]) -> Iterable[Effect]:
    identity_id = happened.event.identity_id
    if identity_id is not None:
        yield Send(VISITOR, str(identity_id), NoteCart(happened.thing_id))


def _recognise(happened: Happened[IdentityLinked]) -> Iterable[Effect]:
    linked = happened.event
    if linked.kind == "anonymous":
        yield Send(VISITOR, str(linked.identity_id), RecogniseVisitor(happened.thing_id))


def _forget(happened: Happened[IdentityUnlinked]) -> Iterable[Effect]:
    unlinked = happened.event
    if unlinked.kind == "anonymous":
        yield Send(VISITOR, str(unlinked.identity_id), ForgetVisitor(happened.thing_id))


def _assign_noted(happened: Happened[CartNoted]) -> Iterable[Effect]:
    noted = happened.event
    if noted.customer_id is not None:
        yield _assign(noted.cart_id, noted.customer_id)


def _assign_waiting(happened: Happened[VisitorRecognised]) -> Iterable[Effect]:
    recognised = happened.event
    return [_assign(cart_id, recognised.customer_id) for cart_id in recognised.cart_ids]


def _assign(cart_id: str, customer_id: str) -> Effect:
    return Send(CART, cart_id, AssignCart(customer_id), customer_id)


VISITORS_CARTS = Policy(
    name="visitors-carts",
    reactions={
        CartOpened: _note,
        IdentityLinked: _recognise,
        IdentityUnlinked: _forget,
        CartNoted: _assign_noted,
        VisitorRecognised: _assign_waiting,
    },
)
