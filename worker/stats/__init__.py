"""Numbers of projects and of the machine, measured once for all who ask."""
