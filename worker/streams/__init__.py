"""Live streams: one source each, any number of readers, none of whom can slow the source or another."""
