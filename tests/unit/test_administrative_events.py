"""Which events the audit shows."""

from app.catalogue import CATALOGUE

ABOUT_CUSTOMERS = (
    "customer.",
    "identity.",
    "message.",
    "ride.",
    "reaction.",
    "support.",
    "cart.",
    "cart_visitor.",
    "message.",
    "playback.",
    "subscription.",
)


def test_whatever_is_about_no_customer_is_an_act_of_those_who_run_the_store() -> None:
    acts = {tag for tag in CATALOGUE.types if not tag.startswith(ABOUT_CUSTOMERS)}
    assert {"api_key.created", "projection.rebuild_requested"} <= acts
    assert acts <= set(CATALOGUE.administrative)


def test_what_happens_to_a_customer_is_none_unless_it_is_declared_one() -> None:
    assert "customer.registered" not in CATALOGUE.administrative
