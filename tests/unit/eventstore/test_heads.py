"""What a writer knows of streams' versions, and how far it may be believed."""

from app.eventstore import heads as module
from app.eventstore.heads import Heads


def test_nothing_is_known_of_a_stream_never_written_to() -> None:
    assert Heads().hint("order-1") == b""


def test_the_last_version_of_several_is_exact_while_nobody_else_writes() -> None:
    heads = Heads()
    heads.note(["order-1", "order-2", "order-1"], 1, [4, 1, 5])
    heads.note(["order-2"], 4, [2])

    assert heads.hint("order-1") == b'"head":5,'
    assert heads.hint("order-2") == b'"head":2,'
    assert heads.position == 4


def test_once_somebody_else_has_written_it_is_the_least() -> None:
    heads = Heads()
    heads.note(["order-1"], 1, [4])
    heads.note(["order-2"], 3, [1])

    assert heads.hint("order-1") == b'"known":4,'
    assert heads.hint("order-2") == b'"head":1,'


def test_what_is_remembered_is_bounded() -> None:
    heads = Heads()
    streams = [f"order-{number}" for number in range(module.MAX_STREAMS + 1)]
    heads.note(streams, 1, [1] * len(streams))
    heads.note(["order-0"], len(streams) + 1, [2])

    assert heads.hint("order-0") == b'"head":2,'
    assert heads.hint("order-1") == b""
