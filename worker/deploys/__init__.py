"""From a request to run an image to a release that serves, and back to it after any crash."""
