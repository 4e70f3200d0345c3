"""From a git repository or an archive to an image: fetched into a folder, packed, built by the engine."""
