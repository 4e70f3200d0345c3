"""Customers' own host names: claimed, proved by DNS, and told to the node."""
