"""Users, their sessions and credentials."""
