"""Sinks of notices: where a watchdog and a watch say what they found. A notice is ids and numbers, never a message."""
