"""Quota and rate, checked and taken in one step."""
