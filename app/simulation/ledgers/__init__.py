"""The books of each business, kept from the log alone."""
