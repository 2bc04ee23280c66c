"""How rules and optimizers are written in sentences."""

from figures.style import label


def rule_name(name: str) -> str:
    """A rule in a sentence, like ``SPO with prefix credit``: its label without what a legend adds in brackets.

    >>> rule_name("spo_prefix"), rule_name("spo")
    ('SPO with prefix credit', 'SPO')
    """
    return label(name).split(" (")[0]


def optimizer_name(name: str) -> str:
    """An optimizer in a sentence, like ``AdamW``; an unknown one keeps its name.

    >>> optimizer_name("sgd")
    'SGD'
    """
    return {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}.get(name, name)
