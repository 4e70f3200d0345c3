"""Pushes to a git repository, told by its host, become deploys."""
