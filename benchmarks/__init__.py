"""What the specification promises in figures, each measured as a ratio within one run."""
