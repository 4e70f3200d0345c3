"""What APIGate's cost depends on, one thing varied at a time."""
