"""Everything that is held about a customer, to be handed over."""
