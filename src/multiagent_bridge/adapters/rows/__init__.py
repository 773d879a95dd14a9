"""Rows of the SQL stores as nouns of the model, and back: one file a noun, the same for every dialect."""
