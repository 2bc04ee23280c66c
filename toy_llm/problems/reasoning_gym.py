"""Problems that nobody here wrote: chained sums of the package reasoning-gym as a suite.

Needs the extra ``gym``. The package's data set ``chain_sum`` gives expressions such as ``12 - 40 + 7``; the running
values are the steps (``-28;-21`` and the end), so the last step is the package's own answer. They use the
vocabulary of `toy_llm.problems.tokens` and fit its lengths by default, so a network that reads the suites reads them
too.
"""

import importlib
import importlib.util
from typing import Any

from spo_theory.allowed import Allowed
from spo_theory.validation import InputError, check, problem, refuse
from toy_llm.problems.suite import PROMPT_LENGTH, RESPONSE_LENGTH, Question, Suite
from toy_llm.problems.task import draws
from toy_llm.problems.tokens import encode


def available() -> bool:
    """Whether reasoning-gym is installed."""
    return importlib.util.find_spec("reasoning_gym") is not None


def _data_set(seed: int, settings: dict[str, int]) -> Any:
    """The package's data set; imported here, since importing it takes a second and most runs do without."""
    try:
        chains = importlib.import_module("reasoning_gym.arithmetic.chain_sum")
    except ImportError as error:
        raise InputError(
            "problems of reasoning-gym need the extra 'gym': pip install 'spectral-policy-lab[gym]'"
        ) from error
    return chains.ChainSumDataset(chains.ChainSumConfig(**settings, seed=seed, size=2**31))


def question(entry: dict[str, Any]) -> Question:
    """An entry of ``chain_sum`` as a question whose steps are the running values, from left to right.

    Raises `InputError` if the entry is not a chain of + and -, or if its own answer is not the last running value.
    """
    # Numbers and signs take turns; anything else is not ours.
    expression = entry["metadata"]["expression"]
    parts = expression.split(" ")
    try:
        numbers = [int(part) for part in parts[::2]]
        signs = [{"+": 1, "-": -1}[part] for part in parts[1::2]]
    except (ValueError, KeyError) as error:
        raise InputError(f"expression {expression!r} of reasoning-gym is no chain of + and -") from error

    def follow(written: list[int]) -> int:
        # From the value written before, right or wrong.
        step = len(written)
        return (written[-1] if written else numbers[0]) + signs[step] * numbers[step + 1]

    # The package says what the last value should be.
    made = Question(encode(f"{expression}="), len(signs), follow)
    answer = made.values()[-1] if signs else numbers[0]
    check(str(answer) == entry["answer"], "answer", entry["answer"], f"{answer}, the value of {expression!r}")
    return made


def chain_sum(min_terms: int = 3, max_terms: int = 4, max_digits: int = 2) -> Suite:
    """Chained sums of ``min_terms`` to ``max_terms`` numbers with up to ``max_digits`` digits, held out from training.

    Question i of a stream is entry i of the package's data set under a seed made of (stream, seed). Raises
    `InputError` for bad sizes, all at once, and if reasoning-gym is missing.
    """
    # Sizes from 2, or 1 digit, to 9, and no range turned around.
    from_2 = Allowed("a whole number, 2 to 9", lambda value: isinstance(value, int) and 2 <= value <= 9)
    from_1 = Allowed("a whole number, 1 to 9", lambda value: isinstance(value, int) and 1 <= value <= 9)
    lines = from_2.problems("min_terms", min_terms) + from_2.problems("max_terms", max_terms)
    lines += from_1.problems("max_digits", max_digits)
    if not lines:
        lines = problem(min_terms <= max_terms, "min_terms", min_terms, f"at most max_terms ({max_terms})")
    refuse(lines)

    # A missing package is noticed before work starts.
    settings = {"min_terms": min_terms, "max_terms": max_terms, "min_digits": 1, "max_digits": max_digits}
    _data_set(0, settings)

    def ask(stream: str, seed: int, start: int, count: int) -> list[Question]:
        key = int(draws([seed, len(stream), *stream.encode(), *b"reasoning-gym"], 0, 1, 1)[0, 0])
        entries = _data_set(key, settings)
        return [question(entries[i]) for i in range(start, start + count)]

    # A running value has at most one digit more than the numbers, a minus sign, and the token that closes it
    widest = max_digits + 3
    return Suite(
        f"chain_sum {min_terms} to {max_terms} terms of up to {max_digits} digits",
        "reasoning-gym's chained sums of + and -",
        max_terms - 1,
        ask,
        held_out=True,
        prompt_length=max(PROMPT_LENGTH, max_terms * (max_digits + 1)),
        response_length=max(RESPONSE_LENGTH, (max_terms - 1) * widest),
    )
