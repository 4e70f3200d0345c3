"""What the customer sees of a running deployment: real answers of its node, never constants."""
