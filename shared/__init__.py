"""What at least two services need, knowing none of them."""
