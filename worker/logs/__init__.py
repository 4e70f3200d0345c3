"""The logs of projects, read from the engine, and the agent's own."""
