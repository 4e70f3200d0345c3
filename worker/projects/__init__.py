"""What runs here: projects, their names, their environment and their domains."""
