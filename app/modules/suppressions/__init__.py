"""Suppressions: channels by which a customer gets nothing."""
