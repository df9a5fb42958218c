"""The store's own tables, version by version. Read models' tables belong to the projections."""

HEAD = "0005"
"""The newest revision: what this code needs."""
