"""The vocabulary that every part shares: events, commands, deciders, ids, errors. Pure."""
