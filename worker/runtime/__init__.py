"""Docker, and only here."""
