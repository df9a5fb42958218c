"""Shares of customers, such as a holdout: chosen by a hash that is the same everywhere, forever."""

import hashlib

HOLDOUT, CANARY = "holdout", "canary"
"""What a share is for: those of the one are not those of the other."""


def is_in_share(purpose: str, rule: str, customer_id: str, percent: int) -> bool:
    """Whether a customer is of a rule's share. Those of a share are also of every larger one."""
    if not 0 < percent < 100:
        return percent > 0
    name = "\x1f".join((purpose, rule, customer_id)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(name).digest()[:8]) % 10_000 < percent * 100
