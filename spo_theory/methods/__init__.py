"""The registered update rules, one published method a file."""
