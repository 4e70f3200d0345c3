"""Work that is recorded before it is begun, and resumed after a crash."""
