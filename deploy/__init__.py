"""How the platform is brought up: on a bare machine, or as containers."""
