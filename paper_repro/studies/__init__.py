"""The studies: one question a file, with its jobs, its figures and the claims that it judges."""
