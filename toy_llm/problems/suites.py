"""Ten suites of multi-step problems with exactly checkable steps, by name.

Those with ``held_out`` are for evaluation only. `mixture` joins several. See `toy_llm.problems.suite` for the format.
"""

from spo_theory.validation import problem, refuse
from toy_llm.problems.generators import Draw, carry, chains, nested, questions_of, recurrence
from toy_llm.problems.suite import Question, Suite
from toy_llm.problems.task import draws

MODULI = (5, 6, 7, 8, 9, 10, 12)


def _suite(name: str, description: str, horizon: int, draw: Draw, held_out: bool = False) -> Suite:
    return Suite(name, description, horizon, questions_of(name, draw), held_out)


_TEN = (
    _suite("add", "chains of + modulo 10, 2 to 4 steps", 4, chains("+", (10,), 2, 4)),
    _suite("subtract", "chains of - modulo 10, 2 to 4 steps", 4, chains("-", (10,), 2, 4)),
    _suite("multiply", "chains of x modulo 7, factors 1 to 6, 2 to 4 steps", 4, chains("x", (7,), 2, 4, lowest=1)),
    _suite("mixed", "chains of +, - and x modulo 7 from left to right, 2 to 4 steps", 4, chains("+-x", (7,), 2, 4)),
    _suite("moduli", "chains of + modulo 5 to 10 or 12, 2 to 4 steps", 4, chains("+", MODULI, 2, 4)),
    _suite("carry", "addition of 2 or 3 digits: column sums with carries, then the sum", 4, carry),
    _suite("recurrence", "x becomes a x + b modulo 5 or 7, 2 to 4 times", 4, recurrence),
    _suite("nested", "bracketed expressions of + and - modulo 10, 2 or 3 brackets", 3, nested),
    _suite("longer", "chains of + modulo 10, 6 or 7 steps: longer than any trained", 7, chains("+", (10,), 6, 7), True),
    _suite("unseen", "chains of + modulo 11, 2 to 4 steps: a modulus never trained", 4, chains("+", (11,), 2, 4), True),
)

SUITES: dict[str, Suite] = {suite.name: suite for suite in _TEN}
"""The ten suites by name."""

TRAINED = tuple(name for name, suite in SUITES.items() if not suite.held_out)
"""Names of the suites to train on."""


GYM = "chain_sum"
"""Problems of the package reasoning-gym; see `toy_llm.problems.reasoning_gym`."""


def names_problems(names: tuple[str, ...], training: bool = False) -> list[str]:
    """What is wrong with names of suites, one line each; those held out are wrong for ``training``.

    >>> names_problems(("add", "nested"))
    []
    """
    # Problems of the other package may be trained on where somebody asks for it.
    known = [name for name in (*SUITES, GYM) if not (training and name in SUITES and SUITES[name].held_out)]
    what = "names of suites to train on" if training else "names of suites"
    distinct = len(names) > 0 and len(set(map(str, names))) == len(names)
    lines = problem(distinct, "suites", names, f"different {what}, at least one")
    return lines + [
        line
        for name in names
        for line in problem(isinstance(name, str) and name in known, "suites", name, " or ".join(known))
    ]


def suite(name: str) -> Suite:
    """The suite of that name; raises `InputError` that lists the names, or if its package is missing.

    >>> from toy_llm.problems.tokens import decode
    >>> prompts, answers = suite("multiply").questions("train", seed=0, start=0, count=1)
    >>> decode(prompts[0].tolist()), decode(answers[0].tolist())
    ('mod07,6x1x4x2x2=', '6;3;6;5end')
    """
    # The other package is imported only by those who ask for its problems.
    refuse(
        problem(isinstance(name, str) and (name in SUITES or name == GYM), "suite", name, " or ".join((*SUITES, GYM)))
    )
    if name == GYM:
        from toy_llm.problems.reasoning_gym import chain_sum

        return chain_sum()
    return SUITES[name]


def mixture(names: tuple[str, ...] = TRAINED) -> Suite:
    """Questions of several suites, each drawn with the same probability, as one task; that suite itself if it is one.

    Raises `InputError` for unknown names, or none, all at once.
    """
    refuse(names_problems(names))
    parts = [suite(name) for name in names]
    if len(parts) == 1:
        return parts[0]

    # Question i of the mixture is question i of the suite that is drawn for it.

    def ask(stream: str, seed: int, start: int, count: int) -> list[Question]:
        # Which suite it is depends on the place of the question alone, as the question itself does.
        entropy = [seed, len(stream), *stream.encode(), *b"mixture of suites"]
        chosen = draws(entropy, start, count, 1)[:, 0] % len(parts)
        return [parts[part].ask(stream, seed, start + i, 1)[0] for i, part in enumerate(chosen.tolist())]

    return Suite(
        "+".join(names),
        f"{len(names)} suites, mixed",
        max(part.horizon for part in parts),
        ask,
        any(part.held_out for part in parts),
    )
