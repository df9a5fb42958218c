"""Delivery: messages are sent by channels, once each, and what comes of it is recorded."""
