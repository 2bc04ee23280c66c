"""Functions of what a judge said: rewards, colours, and weights of steps."""
