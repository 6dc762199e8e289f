"""Apps that come with the package, as they come with the `dirty` program."""
