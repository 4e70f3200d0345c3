"""Customers' SSH keys: for cloning private repositories, and for installing a worker on a machine."""
