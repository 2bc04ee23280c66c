"""Rollout logs of TRL, verl and NeMo-RL, and plain tables, as `Rollouts`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from hashlib import blake2b
from itertools import groupby
from math import gcd, isfinite, isnan
from pathlib import Path
from typing import Any

from spo_theory.diagnosis.files import Record, log_files, number_in, records
from spo_theory.diagnosis.rollouts import Columns, Rollouts
from spo_theory.validation import check, is_whole

READERS = ("trl", "verl", "nemo", "table")
GROUP_NAMES = ("group", "uid", "question", "prompt", "prompt_id", "qid", "problem_id", "id")
"""Names of the column of a plain table that tells groups apart, the first one that is there."""


@dataclass(frozen=True)
class Meaning:
    """How to read what a log does not say.

    rewards: names of the columns that are added up to the reward; () for those that the format has. weights: of each
    of them. correct: name of the column for correctness; "" for a reward of at least ``correct_at``. group: name of the
    column that tells groups apart in a plain table. group_size: responses of a group, where groups have no names.
    """

    rewards: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    correct: str = ""
    correct_at: float = 1.0
    group: str = ""
    group_size: int | None = None


def read_rollouts(
    logs: str | Path,
    reader: str | None = None,
    *,
    rewards: Sequence[str] = (),
    weights: Sequence[float] = (),
    correct: str = "",
    correct_at: float = 1.0,
    group: str = "",
    group_size: int | None = None,
) -> Rollouts:
    """Read the rollouts of a run.

    logs: a file, or a folder of files, ending in .jsonl, .json, .csv or .parquet. reader: ``trl``, ``verl``, ``nemo``
    or ``table``; None: recognized by the columns. The other arguments: see `Meaning`. Texts are not kept; rows that
    cannot be used are counted and named in ``bad``. Raises `InputError` for files that are no log.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        ...     _ = file.write("group,reward\\na,1\\na,0\\nb,0\\nb,oops\\n")
        ...     file.flush()
        ...     rollouts = read_rollouts(file.name)
        >>> rollouts.group.tolist(), rollouts.correct.tolist(), list(rollouts.bad)
        ([0, 0, 1], [True, False, False], ['a reward that is no number'])
    """
    check(reader is None or reader in READERS, "reader", reader, f"one of {', '.join(READERS)}")
    check(group_size is None or is_whole(group_size, 2), "group_size", group_size, "a whole number, at least 2")
    check(not weights or len(weights) == len(rewards), "weights", list(weights), f"one for each of {list(rewards)}")
    files = log_files(Path(logs))
    meaning = Meaning(tuple(rewards), tuple(weights), correct, correct_at, group, group_size)
    first = next((record for file in files for _, record in records(file) if isinstance(record, dict)), None)
    check(first is not None, "logs", str(logs), "files with at least one record")
    assert first is not None
    kind = reader or recognize(first, files[0])
    columns = Columns(kind)
    {"trl": _trl, "verl": _verl, "nemo": _nemo, "table": _table}[kind](files, meaning, columns)
    return columns.finish()


def recognize(record: Record, file: Path) -> str:
    """Which format a record has, by its columns.

    Example:
        >>> recognize({"input": "", "output": "", "score": 1.0, "step": 1}, Path("1.jsonl"))
        'verl'
        >>> recognize({"group": 1, "reward": 0.0}, Path("mine.csv"))
        'table'
    """
    names = set(record)
    if {"prompt", "completion"} <= names:
        return "trl"
    if {"input", "output"} <= names:
        return "verl"
    if {"content", "rewards"} <= names:
        return "nemo"
    return "table"


def number(value: Any) -> float:
    """A value as a number; NaN for None, an empty text and a text that is no number."""
    if value is None:
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def digest(*texts: Any) -> bytes:
    """Texts as a few bytes that are the same for the same texts."""
    return blake2b("\0".join(map(str, texts)).encode(), digest_size=12).digest()


def _reward(record: Record, names: Sequence[str], meaning: Meaning) -> float:
    """The weighted sum of the rewards that are there; NaN if none is."""
    if len(names) == 1 and not meaning.weights:
        return number(record.get(names[0]))
    found = [number(record.get(name)) for name in names]
    weights = meaning.weights or (1.0,) * len(names)
    there = [value * weight for value, weight in zip(found, weights, strict=True) if not isnan(value)]
    return sum(there) if there else float("nan")


def _correct(record: Record, reward: float, meaning: Meaning) -> bool:
    """Whether the response is correct, as ``meaning`` says."""
    if meaning.correct:
        value = record.get(meaning.correct)
        return str(value).lower() in ("true", "1", "1.0") if not isinstance(value, int | float) else value >= 1
    return reward >= meaning.correct_at


def _usable(
    record: Record | str, where: str, reward_names: Sequence[str], meaning: Meaning, into: Columns
) -> float | None:
    """The reward of a row that can be used; None, and counted, for any other."""
    if isinstance(record, str):
        into.refuse(record, where)
        return None
    missing = [name for name in reward_names if name not in record]
    if missing:
        into.refuse(f"no column {missing[0]}", where)
        return None
    reward = _reward(record, reward_names, meaning)
    if isnan(reward):
        unscored = all(record[name] is None or record[name] != record[name] for name in reward_names)
        into.refuse("a response without a reward" if unscored else "a reward that is no number", where)
        return None
    if not isfinite(reward):
        into.refuse("an infinite reward", where)
        return None
    return reward


def _trl(files: list[Path], meaning: Meaning, into: Columns) -> None:
    """TRL's completions: rows of num_generations in order; a batch that was logged again is left out."""
    size = meaning.group_size or _run_length(files)
    into.notes.append(f"groups of {size} rows one after the other" + ("" if meaning.group_size else " (recognized)"))
    seen: set[bytes] = set()
    copies = 0
    for file in files:
        rows = [(where, row) for where, row in records(file)]
        whole = digest(
            *(sorted((k, v) for k, v in row.items() if k != "step") for _, row in rows if isinstance(row, dict))
        )
        if whole in seen:
            copies += 1
            continue
        seen.add(whole)
        _trl_file(file, rows, size, meaning, into)
    if copies:
        into.notes.append(f"{copies} of {len(files)} files left out: the same batch was logged again")


def _trl_file(file: Path, rows: list[tuple[str, Record | str]], size: int, meaning: Meaning, into: Columns) -> None:
    """One batch of TRL's."""
    names = meaning.rewards or _trl_rewards(rows)
    if not meaning.rewards and f"reward: {' + '.join(names)}" not in into.notes:
        into.notes.append(f"reward: {' + '.join(names)}")
    for place, (where, row) in enumerate(rows):
        reward = _usable(row, where, names, meaning, into)
        if reward is None:
            continue
        assert isinstance(row, dict)
        into.add(
            digest(row.get("prompt")),
            int(row.get("step") or number_in(file)),
            _correct(row, reward, meaning),
            reward,
            group=(file.name, place // size),
            advantage=number(row.get("advantage")),
            length=float(len(str(row.get("completion")))),
        )


def _trl_rewards(rows: list[tuple[str, Record | str]]) -> tuple[str, ...]:
    """The columns of reward functions: ``reward`` of old files, else all that hold numbers and are no others."""
    first = next((row for _, row in rows if isinstance(row, dict)), {})
    if "reward" in first:
        return ("reward",)
    others = ("step", "advantage", "prompt", "completion")
    dictionaries = [row for _, row in rows if isinstance(row, dict)]
    return tuple(
        name
        for name in first
        if name not in others
        and all(isinstance(row.get(name), int | float | None) for row in dictionaries)
        and any(row.get(name) is not None for row in dictionaries)
    )


def _run_length(files: list[Path]) -> int:
    """The number of rows of a group: the greatest common divisor of the runs of equal prompts."""
    runs: list[int] = []
    for file in files[:20]:
        prompts = [digest(row.get("prompt")) for _, row in records(file) if isinstance(row, dict)]
        runs += [len(list(run)) for _, run in groupby(prompts)]
    size = reduce(gcd, runs, 0)
    check(size >= 2, "group_size", size, "given: rows of one prompt do not stand together (--group-size)")
    return size


def _verl(files: list[Path], meaning: Meaning, into: Columns) -> None:
    """verl's rollout dumps: with ids of groups, or, in old ones, shuffled and grouped by the question's text."""
    names = meaning.rewards or ("score",)
    by_text = False
    for file in files:
        for where, row in records(file):
            reward = _usable(row, where, names, meaning, into)
            if reward is None:
                continue
            assert isinstance(row, dict)
            uid = row.get("uid")
            by_text = by_text or uid is None
            into.add(
                digest(row.get("input")),
                int(number(row.get("step", number_in(file)))),
                _correct(row, reward, meaning),
                reward,
                group=None if uid is None else str(uid).rsplit("_", 2)[0],
                length=float(len(str(row.get("output")))),
            )
    if by_text:
        into.notes.append("no ids of groups: responses to one text in one step are taken as one group")


def _nemo(files: list[Path], meaning: Meaning, into: Columns) -> None:
    """NeMo-RL's training data: groups stand together in the order of ``idx``; their size must be given."""
    check(meaning.group_size is not None, "group_size", meaning.group_size, "given for NeMo-RL's logs (--group-size)")
    assert meaning.group_size is not None
    names = meaning.rewards or ("rewards",)
    for file in files:
        for place, (where, row) in enumerate(records(file)):
            reward = _usable(row, where, names, meaning, into)
            if reward is None:
                continue
            assert isinstance(row, dict)
            content = row.get("content")
            asked = content[0] if isinstance(content, list) and content else (file.name, place // meaning.group_size)
            advantages = row.get("advantages")
            into.add(
                digest(asked),
                number_in(file),
                _correct(row, reward, meaning),
                reward,
                group=(file.name, int(row.get("idx", place)) // meaning.group_size),
                advantage=_of_tokens(advantages, row.get("token_loss_mask")),
                length=float(sum(row.get("token_loss_mask") or ()) or "nan"),
            )


def _of_tokens(values: Any, mask: Any) -> float:
    """The number that all tokens of a response share: the first one that counts."""
    if not isinstance(values, list):
        return number(values)
    counted = mask if isinstance(mask, list) and len(mask) == len(values) else [1] * len(values)
    return next((number(value) for value, counts in zip(values, counted, strict=True) if counts), float("nan"))


def _table(files: list[Path], meaning: Meaning, into: Columns) -> None:
    """A plain table: a group, and a reward or a correctness; the other columns of `Columns.add` if they are there."""
    known: dict[tuple[str, ...], tuple[str, tuple[str, ...], Meaning]] = {}
    for file in files:
        of_file = float(number_in(file))
        for where, row in records(file):
            if isinstance(row, str):
                into.refuse(row, where)
                continue

            # What the columns mean is asked once, not for every one of a million rows
            columns = tuple(row)
            if columns not in known:
                known[columns] = _table_columns(columns, meaning)
            name, rewards, outcome = known[columns]
            if name not in row:
                into.refuse(f"no column {meaning.group or 'group'}", where)
            elif rewards == ("",):
                into.refuse("no column reward or correct", where)
            else:
                _table_row(of_file, where, row, name, rewards, outcome, into)


def _table_columns(columns: Sequence[str], meaning: Meaning) -> tuple[str, tuple[str, ...], Meaning]:
    """Of a plain table: the column of groups, those of rewards ("" for none), and how correctness is told."""
    name = meaning.group or next((one for one in GROUP_NAMES if one in columns), "")
    outcome = meaning.correct or ("correct" if "correct" in columns else "")
    found = "reward" if "reward" in columns else "score" if "score" in columns else outcome
    return name, meaning.rewards or (found,), replace(meaning, correct=outcome)


def _table_row(
    step_of_file: float, where: str, row: Record, name: str, rewards: tuple[str, ...], outcome: Meaning, into: Columns
) -> None:
    """One row of a plain table."""
    if rewards == (outcome.correct,):
        said = row[outcome.correct]
        row = {**row, outcome.correct: {"true": 1.0, "false": 0.0}.get(str(said).lower(), said)}
    reward = _usable(row, where, rewards, outcome, into)
    if reward is None:
        return
    step = number(row.get("step", step_of_file))
    first_error, steps = number(row.get("first_error", -1)), number(row.get("steps", -1))
    if steps >= 0 and not 0 <= first_error <= steps:
        into.refuse("a first error outside the response", where)
        return
    into.add(
        str(row[name]),
        0 if isnan(step) else int(step),
        _correct(row, reward, outcome),
        reward,
        advantage=number(row.get("advantage")),
        length=number(row.get("length")),
        log_prob=number(row.get("log_prob")),
        first_error=-1 if isnan(first_error) or steps < 0 else int(first_error),
        steps=-1 if isnan(steps) else int(steps),
    )
