"""A rule's steps, laid out flat: each knows where it goes on, so that a place is found at once."""

from collections.abc import Sequence

from msgspec import Struct

from app.engagement.rule import Branch, Step, Wait

END = -1
"""Where nothing follows."""


class Node(Struct, frozen=True):
    """A step."""

    path: str
    """As decisions and instances name it: ``2.then.0``."""
    place: str
    """As expressions are named by: ``steps[2].then[0]``."""
    step: Step
    after: int
    """What follows; of a branch, when its condition holds."""
    otherwise: int = END
    """Of a branch, when its condition does not hold."""


class Program(Struct, frozen=True):
    """All steps of a rule, and where it begins."""

    nodes: Sequence[Node]
    begin: int

    def waits_at(self, path: str) -> Node | None:
        """The wait that has this path, if there is one."""
        for node in self.nodes:
            if node.path == path:
                return node if isinstance(node.step, Wait) else None
        return None


def lay_out(steps: Sequence[Step]) -> Program:
    """The steps, flat. They number at most `MAX_STEPS`, and lead forwards only."""
    nodes: list[Node] = []
    begin = _lay(nodes, steps, "", "steps", END)
    return Program(nodes, begin)


def _lay(nodes: list[Node], steps: Sequence[Step], path: str, place: str, after: int) -> int:
    """Where the steps begin, having appended them from the last to the first."""
    for number, step in reversed(list(enumerate(steps))):
        own, own_place = f"{path}{number}", f"{place}[{number}]"
        then, otherwise = after, END
        if isinstance(step, Branch):
            then = _lay(nodes, step.then, f"{own}.then.", f"{own_place}.then", after)
            otherwise = _lay(
                nodes, step.otherwise, f"{own}.otherwise.", f"{own_place}.otherwise", after
            )
        nodes.append(Node(own, own_place, step, then, otherwise))
        after = len(nodes) - 1
    return after
