"""What the gateway says of itself: plain numbers, kept where things happen."""
