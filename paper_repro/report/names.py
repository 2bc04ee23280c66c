"""How rules and optimizers are written in sentences."""


def rule_name(name: str) -> str:
    """A rule in a sentence, like ``SPO with prefix credit``."""
    return name.upper().replace("_PREFIX", " with prefix credit")


def optimizer_name(name: str) -> str:
    """An optimizer in a sentence, like ``AdamW``."""
    return {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}.get(name, name)
