"""What happened to a project, for people."""
