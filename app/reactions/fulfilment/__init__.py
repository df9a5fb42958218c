"""Fulfilment: from an order placed, by payment and stock, to one shipped or undone."""
