"""Templates: what messages say, in Liquid, by language."""
