"""What modules are specified and tried with, in memory: no database, no clock, no waiting."""
