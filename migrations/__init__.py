"""The store's own tables, version by version. Read models' tables belong to the projections."""
