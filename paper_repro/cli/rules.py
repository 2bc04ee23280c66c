"""Update rules on the command line: which are chosen, and which options of theirs are offered and given."""

from collections.abc import Container, Sequence
from itertools import takewhile

from paper_repro.cli.command import Values
from spo_theory.methods.registry import Option, rule
from spo_theory.validation import check, refuse

COMMON_HELP = "--help together with it explains the options of that rule"


def chosen_rules(arguments: Sequence[str], option: str, default: Sequence[str]) -> list[str]:
    """The update rules that a line names, before it is parsed: their options decide how it is parsed.

    ``option``: "rule" for one, "rules" for several; anywhere on the line, also as ``--rule=NAME``; the last one counts.
    Raises `InputError` for an unknown rule.

    Example:
        >>> chosen_rules(["--eta", "0.5", "--rule", "rebel"], "rule", ["spo"])
        ['rebel']
    """
    # The words behind the flag are names up to the next flag; a later flag replaces an earlier one
    names: list[str] = []
    for place, argument in enumerate(arguments):
        flag, _, value = argument.partition("=")
        if flag == f"--{option}":
            following = list(takewhile(lambda text: not text.startswith("-"), arguments[place + 1 :]))
            names = [value] if value else following

    # A flag without a value is left to the parser, which says so
    names = names or list(default)
    if option == "rule":
        names = names[:1]

    # Looking a rule up refuses an unknown name
    for name in names:
        rule.entry(name)
    check(len(set(names)) == len(names), option, names, "different from one another")
    return names


def refuse_foreign_options(arguments: Sequence[str], chosen: Sequence[str], own: Container[str]) -> None:
    """Refuse options that other update rules have, but no chosen one, naming those that have them.

    arguments: the words of the line. chosen: names of the rules. own: names of the command's own options.
    Raises `InputError`, one line for each option.

    >>> refuse_foreign_options(["--gamma", "0.5"], chosen=["grpo"], own=["steps"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    spo_theory.validation.InputError: option gamma is not allowed for rule 'grpo': rules with it are ...
    """
    lines = []
    flags = [argument for argument in arguments if argument.startswith("--")]
    for name in (flag.removeprefix("--").partition("=")[0].replace("-", "_") for flag in flags):
        having = [other for other in rule.names() if name in option_names(other)]
        if having and name not in own and not set(having) & set(chosen):
            these = " or ".join(map(repr, chosen))
            lines.append(f"option {name} is not allowed for rule {these}: rules with it are {', '.join(having)}")
    refuse(lines)


def option_names(name: str) -> list[str]:
    """Names of the options of an update rule, in the order of its help. Raises `InputError` for an unknown rule.

    >>> "gamma" in option_names("spo"), "gamma" in option_names("grpo")
    (True, False)
    """
    return [option.name for option in rule.options(name)]


def rule_option_names() -> set[str]:
    """Names of the options of all update rules, each once.

    >>> {"group_size", "gamma"} <= rule_option_names()
    True
    """
    return {option for name in rule.names() for option in option_names(name)}


def choice_of_rule(chooses: str, default: Sequence[str]) -> Option:
    """The option that chooses the update rule, or several of them.

    chooses: its name, "rule" for one and "rules" for several. default: the rules chosen without it.

    >>> choice_of_rule("rules", ["grpo", "spo"]).default
    ('grpo', 'spo')
    """
    known = ", ".join(rule.names())
    if chooses == "rule":
        return Option("rule", str, default[0], f"Update rule: {known}; {COMMON_HELP}.")
    return Option(chooses, tuple[str, ...], tuple(default), f"Update rules: {known}; {COMMON_HELP}.")


def offered_options(chosen: Sequence[str], own: Container[str]) -> list[Option]:
    """The options of the chosen rules, without those whose names are in ``own``.

    For several rules: the union, each with None as default, which stands for every rule's own default.

    >>> both = offered_options(["grpo", "spo"], own=["group_size"])
    >>> {option.default for option in both}
    {None}
    """
    if len(chosen) == 1:
        return [option for option in rule.options(chosen[0]) if option.name not in own]

    # The help of a shared option says which of the rules have it
    union: dict[str, Option] = {}
    for name in chosen:
        for option in rule.options(name):
            if option.name not in own:
                having = ", ".join(other for other in chosen if option.name in option_names(other))
                text = f"{option.help.removesuffix('.')} ({having}; by default the rule's own)."
                union.setdefault(option.name, Option(option.name, option.kind | None, None, text))
    return list(union.values())


def given_options(chosen: Sequence[str], offered: Sequence[Option], values: Values) -> dict[str, Values]:
    """For each chosen rule the options of it whose value is not the default.

    offered: the options that could be given (`offered_options`). values: those of the line, by name.

    >>> offered = offered_options(["grpo", "spo"], own=["group_size"])
    >>> values = {option.name: option.default for option in offered} | {"gamma": 0.2}
    >>> given_options(["grpo", "spo"], offered, values)
    {'grpo': {}, 'spo': {'gamma': 0.2}}
    """
    changed = {option.name: values[option.name] for option in offered if values[option.name] != option.default}
    return {
        name: {option: value for option, value in changed.items() if option in option_names(name)} for name in chosen
    }
