"""Asking twice under one key is asking once."""
