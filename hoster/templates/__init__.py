"""What can be deployed: the template catalogue, its revisions, and their rendering into a deploy."""
