"""Placeholder docstring: the owner of this package replaces it."""
