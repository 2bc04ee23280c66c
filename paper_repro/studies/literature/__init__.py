"""Published results of other authors, each beside what the project computes for it."""
