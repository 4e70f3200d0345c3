"""Looking at the files of a running release, and never beyond them."""
