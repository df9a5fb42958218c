"""Payments: what was asked for, what the provider says of it, and what goes back."""
