"""How long the pages of queries are."""

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
