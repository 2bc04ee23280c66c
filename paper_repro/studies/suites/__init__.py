"""The study of the ten suites: its training runs, its claims, and its figures."""
