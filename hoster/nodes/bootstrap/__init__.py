"""Installing a worker on a machine over SSH, so that its owner need not log in."""
