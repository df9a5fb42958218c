"""What holds a rule's messages back, and in which order it is asked.

When a rule has matched: whether it runs already, re-entry, the holdout (after re-entry, so that
those who are held out enter as often as others and can be compared with them). Of each message:
consent, suppression and caps, channel by channel; the mass limit; quiet hours.

A window is open at its begin: what lies back by just its length is outside.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from app.engagement.events import Held
from app.engagement.local_time import quiet_until, zone_of
from app.engagement.rule import (
    Cap,
    IssueOffer,
    Limits,
    MassLimit,
    Priority,
    QuietHours,
    ReEntry,
    Rule,
    SendMessage,
    Settings,
)
from app.engagement.spans import earlier, length
from app.engagement.state import CustomerState, Profile, Sent, Tally, Totals

REASONS = {
    "running": "It has begun for this customer and key, and still runs.",
    "re_entry": "It began for this customer and key as often as its re-entry policy allows.",
    "no_consent": "The customer has not consented to the channel and the kind of message.",
    "consent_withdrawn": "The customer has withdrawn the consent to them.",
    "suppressed": "Nothing is sent by the channel, such as after an address bounced.",
    "cap": "The customer got as many messages as a cap allows.",
    "offer_limit": "The customer was issued as many of the offer as the rule allows.",
    "offer_total": "As many of the offer were issued as the rule allows in total.",
    "mass": "More customers would get it within a time than the rule allows.",
    "quiet_hours": "It is quiet where the customer is: the message is deferred or dropped.",
    "not_sent": "An offer was not issued, for the message that was to tell of it was held back.",
    "not_come": "The event that was waited for has not come in time.",
    "end": "It came to its end without anything to do.",
    "goal": "Its goal was reached.",
    "overdue": "It fell due while the rule was paused, and was dropped.",
    "changed": "Another version went live, which ended it or has no such place.",
    "retired": "The rule was retired.",
    "too_many": "More than can be kept ran at once for the customer; the oldest was ended.",
    "failed": "An expression could not be evaluated.",
}
"""What `Held.by` says, and what it means."""

MAX_BEGUN_KEYS = 1_000
"""Of a customer: rules and keys of which it is kept when they began; the oldest goes."""
MASS_PARTS = 60
"""A mass limit's time is counted in so many parts; one that has begun to leave counts in full."""

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def held_by_re_entry(
    policy: ReEntry, state: CustomerState, rule: str, key: str, at: datetime
) -> Held | None:
    """Whether it began too often; if not, it begins now."""
    if policy.at_most is None:
        return None
    name = f"{rule}/{key}"
    begun = state.begun.pop(name, [])
    if policy.each is not None:
        since = earlier(at, policy.each)
        begun = [each for each in begun if each > since]
    is_held = len(begun) >= policy.at_most
    if not is_held:
        begun.append(at)
    state.begun[name] = begun[-policy.at_most :]
    while len(state.begun) > MAX_BEGUN_KEYS:
        del state.begun[next(iter(state.begun))]
    return Held("re_entry", _so_many(policy.at_most, policy.each)) if is_held else None


def held_by_offer(
    step: IssueOffer, state: CustomerState, totals: Totals, at: datetime, aside: int
) -> Held | None:
    """Whether no more of the offer may be issued, to the customer or at all.

    So many of it are set aside already.
    """
    if step.per_customer is not None:
        issued = state.offers.get(step.offer, [])
        since = None if step.each is None else earlier(at, step.each)
        count = sum(since is None or each > since for each in issued)
        if count + aside >= step.per_customer:
            return Held("offer_limit", _so_many(step.per_customer, step.each))
    if step.in_total is not None and totals.offers.get(step.offer, 0) + aside >= step.in_total:
        return Held("offer_total", str(step.in_total))
    return None


def note_offer(step: IssueOffer, state: CustomerState, totals: Totals, at: datetime) -> None:
    """An offer is issued."""
    totals.offers[step.offer] = totals.offers.get(step.offer, 0) + 1
    if step.per_customer is not None:
        issued = [*state.offers.get(step.offer, ()), at]
        state.offers[step.offer] = issued[-step.per_customer :]


def open_channels(
    rule: Rule,
    message: SendMessage,
    state: CustomerState,
    settings: Settings,
    profile: Profile,
    *,
    at: datetime,
) -> tuple[tuple[str, ...], list[Held]]:
    """The message's channels by which it may go, and why it may not by the others."""
    caps = settings.caps if rule.limits.caps and rule.priority is not Priority.CRITICAL else ()
    is_open, held = [], []
    for channel in message.channels:
        reason = (
            _by_consent(rule.limits, profile, channel, message.kind)
            or _by_suppression(profile, channel)
            or _by_cap(caps, state.sent, channel, at)
        )
        if reason is None:
            is_open.append(channel)
        else:
            held.append(reason)
    return tuple(is_open), held


def held_by_mass(limit: MassLimit | None, totals: Totals, name: str, at: datetime) -> Held | None:
    """Whether more than so many would get it; this one counted, held back or not.

    So it is held back from all as long as it goes on, and not just from some each time.
    """
    if limit is None:
        return None
    within = length(limit.within)
    part = within / MASS_PARTS
    tallies = [each for each in totals.recent.get(name, ()) if at - each.at < within + part]
    begin = _BEGIN + (at - _BEGIN) // part * part
    if tallies and tallies[-1].at >= begin:
        tallies[-1].count += 1
    else:
        tallies.append(Tally(begin, 1))
    totals.recent[name] = tallies
    if sum(each.count for each in tallies) > limit.more_than:
        return Held("mass", f"more than {_so_many(limit.more_than, limit.within)}")
    return None


def quiet_end(rule: Rule, settings: Settings, profile: Profile, at: datetime) -> datetime | None:
    """Until when it is quiet for the rule's messages to the customer; None: it is not."""
    quiet: QuietHours | None = settings.quiet_hours
    if quiet is None or rule.priority is Priority.CRITICAL or rule.limits.quiet_hours == "ignore":
        return None
    return quiet_until(at, quiet, customers_zone(settings, profile))


def customers_zone(settings: Settings, profile: Profile) -> tzinfo:
    """By which clock a customer lives."""
    return zone_of(profile.traits.get("time_zone"), settings.time_zone)


def note_sent(state: CustomerState, settings: Settings, channel: str, at: datetime) -> None:
    """A message goes out by a channel: what caps ask of, and no more, is kept."""
    if not settings.caps:
        state.sent.clear()
        return
    state.sent.append(Sent(at, channel))
    since = earlier(at, max((cap.within for cap in settings.caps), key=length))
    most = max(cap.at_most for cap in settings.caps)
    kept = [each for each in state.sent if each.at > since]
    if len(kept) > most:
        kept = _newest_by_channel(kept, most)
    state.sent = kept


def _newest_by_channel(sent: Sequence[Sent], most: int) -> list[Sent]:
    """No cap counts further than that; the newest of all are among the newest of each."""
    left: dict[str, int] = {}
    kept = []
    for each in reversed(sent):
        left[each.channel] = left.get(each.channel, most) - 1
        if left[each.channel] >= 0:
            kept.append(each)
    return kept[::-1]


def _by_consent(limits: Limits, profile: Profile, channel: str, kind: str) -> Held | None:
    given = profile.consents.get((channel, kind))
    if given is False:
        return Held("consent_withdrawn", f"{channel}, {kind}")
    if given is None and limits.consent:
        return Held("no_consent", f"{channel}, {kind}")
    return None


def _by_suppression(profile: Profile, channel: str) -> Held | None:
    return Held("suppressed", channel) if channel in profile.suppressed else None


def _by_cap(caps: Sequence[Cap], sent: Sequence[Sent], channel: str, at: datetime) -> Held | None:
    for cap in caps:
        if cap.channel not in {None, channel}:
            continue
        since = earlier(at, cap.within)
        count = sum(each.at > since and cap.channel in {None, each.channel} for each in sent)
        if count >= cap.at_most:
            return Held("cap", f"{cap.channel or 'all'}: {_so_many(cap.at_most, cap.within)}")
    return None


def _so_many(number: int, within: str | None) -> str:
    return f"{number} in {within}" if within else f"{number}"
