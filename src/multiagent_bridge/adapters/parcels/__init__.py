"""Credentials of workers on their way: age files in a git repository, and what a worker keeps of them."""
