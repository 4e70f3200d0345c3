"""Add-ons: databases and caches out of a catalogue, one container with one volume each, in an organisation's network."""
