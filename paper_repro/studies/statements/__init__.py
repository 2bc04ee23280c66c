"""The figures of the statements of `spo_theory.theorems`, one topic a module as there."""
