"""GRPO and its variants: advantages relative to the group."""
