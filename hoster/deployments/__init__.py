"""What customers run: deployments, their states, limits and placement."""
