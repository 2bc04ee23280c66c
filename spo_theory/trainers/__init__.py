"""Colouring inside other people's trainers: TRL and verl."""
