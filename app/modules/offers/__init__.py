"""Offers: codes that customers redeem, and that expire."""
