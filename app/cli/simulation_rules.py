"""The rules that simulations set live: the ready-made ones."""

from app.engagement import ready_made
from app.simulation.rules import RuleSet


def ready_made_rules() -> RuleSet:
    """All that there are."""
    return RuleSet(
        {name: ready_made.rule(name) for name in ready_made.names()},
        {name: ready_made.template(name) for name in ready_made.template_names()},
    )
