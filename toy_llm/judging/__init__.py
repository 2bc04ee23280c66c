"""Step judges: where a response goes wrong."""
