"""Hoster: the business. Templates, deployments, nodes, monitoring, billing events."""
