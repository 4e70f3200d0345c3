"""The users that APIGate has vouched for."""
