"""The store's own tables, version by version. Read models' tables belong to the projections."""

HEAD = "0006"
"""The newest revision: what this code needs."""
