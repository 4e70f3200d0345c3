"""The keys that seal secrets at rest: their file, and exchanging them."""
