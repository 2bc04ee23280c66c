"""The figures of the ten suites, one a file."""
