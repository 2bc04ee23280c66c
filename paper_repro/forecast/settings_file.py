"""Own configurations from a file of settings, so that they are forecast and trained without a change of the package."""

import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from paper_repro.forecast.configuration import Configuration, Level
from paper_repro.forecast.forecast import check_configuration
from spo_theory.validation import InputError, check
from toy_llm.config import TrainConfig

OWN = {field.name for field in fields(Configuration)} - {"base", "family"}
"""Settings of `Configuration`; all others are of the training run."""
DECIDED = {"rule", "rule_options", "seed", "start_seed", "noise_every", "kl_every", "checkpoint", "resume"}
"""Settings of the trainer that a configuration decides itself."""


def read_settings(file: Path, levels: Sequence[Level] | None = None) -> tuple[Configuration, ...]:
    """The configurations of a TOML file: a table ``[[cell]]`` each, with a ``name`` and what differs from the defaults.

    Keys of a table are settings of the trainer (as for ``spo train``) and of `Configuration`; ``rule_options`` is a
    table of rules, each with its options. ``levels``: those that will be forecast; None: those of each cell. Raises
    `InputError` for a file that cannot be read, is no TOML, or holds what cannot be trained or forecast; the message
    names the cell. Source: docs/metrics.md#own-configurations.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"settings {str(file)!r} cannot be read: {error}") from None

    cells = content.pop("cell", [])
    check(not content, "settings", sorted(content), "tables [[cell]] only")
    check(isinstance(cells, list) and len(cells) > 0, "settings", str(file), "a file with at least one table [[cell]]")
    found = []
    for place, cell in enumerate(cells, start=1):
        try:
            found.append(_configuration(cell))
            check_configuration(found[-1], found[-1].levels if levels is None else levels)
        except (InputError, TypeError) as error:
            raise InputError(f"settings {str(file)!r}, cell {place}: {error}") from None

    # Tables of results are told apart by the name
    names = [one.name for one in found]
    check(len(set(names)) == len(names), "name", names, "another one in every cell")
    return tuple(found)


def _configuration(cell: dict[str, Any]) -> Configuration:
    """The configuration of one table; raises as `read_settings`."""
    trainer = {field.name for field in fields(TrainConfig)} - DECIDED
    for key in cell:
        check(key in OWN | trainer, "key", key, "a setting of the trainer or of a configuration")
    name = cell.get("name")
    is_name = isinstance(name, str) and name.replace("-", "").replace("_", "").isalnum()
    check(is_name, "name", name, "letters, digits, - and _")

    # Lists of a file are tuples here; options stand below the name of their rule
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in cell.items()}
    options = plain.pop("rule_options", {})
    tables = isinstance(options, dict) and all(isinstance(given, dict) for given in options.values())
    check(tables, "rule_options", options, "a table of rules, each with a table of options")
    plain["rule_options"] = tuple((rule, *pair) for rule, given in options.items() for pair in given.items())
    base = TrainConfig(**{key: value for key, value in plain.items() if key in trainer and key not in OWN})
    configuration = Configuration(base=base, **{key: value for key, value in plain.items() if key in OWN})

    # The trainer checks its own settings; these are of the configuration
    for key in ("runs", "draws", "held_out", "points"):
        value = getattr(configuration, key)
        check(type(value) is int and value >= 1, key, value, "a whole number, at least 1")
    for key in ("starts", "levels", "rules"):
        value = getattr(configuration, key)
        check(isinstance(value, tuple) and len(value) > 0, key, value, "a list with at least one value")
    for level in configuration.levels:
        check(level in get_args(Level), "level", level, " or ".join(get_args(Level)))
    return configuration
