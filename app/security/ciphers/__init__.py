"""How sensitive fields are sealed and opened: data keys, one a customer, under a master key."""
