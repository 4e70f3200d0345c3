"""The record of billable operations."""
