"""`make up` and `make down`: the platform as containers."""
