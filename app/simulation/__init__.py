"""A seeded, believable crowd of customers, played against the public API."""
