"""Sandboxes: the ways in which an approved plan can be run without reaching anything but its workspace."""
