"""What changed of a customer between two positions of the log: two pasts side by side."""
