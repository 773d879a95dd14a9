"""MCP clients of a person's machine: where each keeps its configuration, and how our one entry gets in and out again.

`machine` says where we are, `programs` knows the clients, `jsonc` and `toml` edit text without disturbing the rest of
it, `files` reads and replaces, `records` remembers for `--undo`, `changes` plans and carries out, `difference` shows.
"""
