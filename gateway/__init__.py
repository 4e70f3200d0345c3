"""APIGate: the only public door. Who you are, what you may spend, where a request goes."""
