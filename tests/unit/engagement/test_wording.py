"""A decision's title tells somebody who knows no rules what came of it, and why."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from app.catalogue import CATALOGUE
from app.engagement.events import DecisionMade, Outcome
from app.engagement.limits import REASONS
from projections.timeline.titles import render_title


def title(outcome: str, *held: tuple[str, str], did: tuple[str, ...] = ()) -> str:
    data: dict[str, Any] = {"rule": "win-back", "outcome": outcome}
    data["held"] = [{"by": by, "detail": detail} for by, detail in held]
    data["did"] = [{"what": what, "stream": "message-1", "not_before": None} for what in did]
    return title_of(data)


def title_of(data: dict[str, Any]) -> str:
    return render_title(
        DecisionMade.title,
        Raw(msgspec.json.encode(data)),
        lambda values: CATALOGUE.title_values(DecisionMade.tag, values),
    )


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (
            title("held_back", ("no_consent", "email, offers"), ("no_consent", "email, news")),
            "Rule win-back: held back (no consent for email)",
        ),
        (
            title("held_back", ("suppressed", "email"), ("cap", "all: 3 in 1d")),
            "Rule win-back: held back (email suppressed, cap reached, all: 3 in 1d)",
        ),
        (
            title("acted", ("quiet_hours", "defer"), did=("send", "offer")),
            "Rule win-back: acted (requested a message, issued an offer, deferred in quiet hours)",
        ),
        (
            title("held_back", ("quiet_hours", "drop")),
            "Rule win-back: held back (dropped in quiet hours)",
        ),
        (title("held_out"), "Rule win-back: held out, to compare with"),
        (title("ended", ("end", "over 95 %")), "Rule win-back: ended (over 95 %)"),
        (title("ended", ("goal", "late")), "Rule win-back: ended (goal reached too late)"),
        (title("failed", ("failed", "no such key")), "Rule win-back: failed (no such key)"),
        (title("held_back", ("new_{reason}", "{x}")), "Rule win-back: held back (new {reason})"),
    ],
)
def test_a_title_says_the_outcome_and_its_reasons(shown: str, expected: str) -> None:
    assert shown == expected


def test_every_outcome_and_every_reason_has_words() -> None:
    by_reason = {by: title("ended", (by, "")) for by in REASONS if by != "failed"}
    shown = [*by_reason.values(), *(title(outcome.value) for outcome in Outcome)]
    assert [one for one in shown if "_" in one] == []
    assert len(set(by_reason.values())) == len(by_reason)


def test_what_is_not_there_is_not_told() -> None:
    assert title_of({"rule": "win-back", "outcome": "waiting"}) == "Rule win-back: waits"
