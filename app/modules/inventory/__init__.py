"""Inventory: the units of each stock-keeping unit, and for which orders they are kept."""
