"""The route file: read with every fault at once, compiled, replaced whole."""
