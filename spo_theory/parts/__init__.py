"""The parts of which update rules are composed."""
