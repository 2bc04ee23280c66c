"""Learning dynamics of the stylized worlds."""
