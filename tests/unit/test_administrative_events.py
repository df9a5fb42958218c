"""Which events the audit shows."""

from app.catalogue import CATALOGUE
from app.engagement.events import DecisionMade
from app.reactions.events import ReactionRefused
from app.reactions.registry import DECIDERS

OF_THE_BUSINESS = {event.tag for decider in DECIDERS for event in decider.events}
OF_THE_MACHINE = {ReactionRefused.tag, DecisionMade.tag}
"""What nobody does."""


def test_whatever_is_no_business_is_an_act_of_those_who_run_the_store() -> None:
    others = set(CATALOGUE.types) - OF_THE_BUSINESS - OF_THE_MACHINE
    acts = {tag for tag in others if not tag.startswith("identity.")}
    assert {"api_key.created", "projection.rebuild_requested", "reaction.retry_requested"} <= acts
    assert acts <= set(CATALOGUE.administrative)


def test_what_happens_to_a_customer_is_none_unless_it_is_declared_one() -> None:
    assert "customer.registered" not in CATALOGUE.administrative
