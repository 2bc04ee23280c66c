"""Every figure, drawn from data frames."""
