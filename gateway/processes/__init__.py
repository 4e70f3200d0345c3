"""One control process and N relay processes: how they are started, what they say to each other, how they end."""
