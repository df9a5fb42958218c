"""Decisions in the words of somebody who has never seen a rule: for titles on timelines.

From a decision's data alone, so that those of long ago read the same.
"""

from collections.abc import Mapping
from typing import Any

_OUTCOMES = {
    "acted": "acted",
    "waiting": "waits",
    "held_back": "held back",
    "held_out": "held out, to compare with",
    "ended": "ended",
    "failed": "failed",
}
_DONE = {
    "send": "requested a message",
    "offer": "issued an offer",
    "record": "recorded an event",
    "command": "called a command",
}
_HELD = {
    "running": "it still runs",
    "re_entry": "began already, {detail}",
    "no_consent": "no consent for {channel}",
    "consent_withdrawn": "consent for {channel} withdrawn",
    "suppressed": "{channel} suppressed",
    "cap": "cap reached, {detail}",
    "offer_limit": "offer limit reached, {detail}",
    "offer_total": "offer total reached, {detail}",
    "mass": "mass limit, {detail}",
    "not_sent": "offer not issued",
    "not_come": "what it waited for has not come",
    "overdue": "fell due while paused, and was dropped",
    "changed": "another version went live",
    "retired": "the rule was retired",
    "too_many": "too many ran at once",
    "failed": "{detail}",
}
_QUIET = {"defer": "deferred in quiet hours", "drop": "dropped in quiet hours"}


def in_words(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data of a decision, with an outcome that says why."""
    outcome = str(data.get("outcome"))
    told = [_DONE.get(did["what"], did["what"]) for did in data.get("did", ())]
    told += [_reason(held["by"], held.get("detail", "")) for held in data.get("held", ())]
    words = ", ".join(dict.fromkeys(filter(None, told)))
    said = _OUTCOMES.get(outcome, outcome)
    return {**data, "outcome": f"{said} ({words})" if words else said}


def _reason(by: str, detail: str) -> str:
    """`by` and `detail` of `Held`; one that has no words is shown as it is."""
    match by:
        case "quiet_hours":
            return _QUIET.get(detail, "quiet hours")
        case "goal":
            return "goal reached too late" if detail == "late" else "goal reached"
        case "end":
            return detail or "there was nothing to do"
        case _ if by in _HELD:
            return _HELD[by].format(detail=detail, channel=detail.partition(",")[0])
        case _:
            return by.replace("_", " ")
