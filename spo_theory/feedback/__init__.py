"""First errors of written responses: text cut into steps, and a language model asked for the first wrong one."""
