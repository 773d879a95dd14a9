"""Backups: a consistent copy of the whole store as one SQLite file, encrypted as an age file."""
