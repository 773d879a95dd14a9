"""Snapshots of workspaces in shadow git repositories, which git never sees the workspace through."""
