"""Engagement: rules that teams write as data, and what is decided by them."""
