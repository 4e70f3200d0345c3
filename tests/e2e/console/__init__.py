"""A package, so that its fixtures end with it: while the browser runs, no other test can have an event loop."""
