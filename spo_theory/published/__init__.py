"""Results of other authors in closed form."""
