"""The exercises of the lessons: their questions, and a check that computes the right answer instead of knowing it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from lab import ADAM_RATE, BATCH, adam_halves, chain, halves, map_of_gains, record

from spo_theory import expected_update, rule
from spo_theory.parts.baselines import GroupAdvantage


@dataclass(frozen=True)
class Exercise:
    """A question. answer: computes the right one. tolerance: of a number, relative. hint: where to look again."""

    question: str
    answer: Callable[[], float | str]
    hint: str
    tolerance: float = 0.0


def smallest_group() -> float:
    """Smallest power of two G of which less than half of the groups are all wrong, at 6 steps of accuracy 0.3."""
    size = 2
    while chain(6).all_negative(size) >= 0.5:
        size *= 2
    return size


def useful_groups() -> float:
    """Groups of a batch that hold both kinds of responses, on average."""
    success = float(chain(6).success)
    return BATCH * (1 - (1 - success) ** 8 - success**8)


def first_smaller_step() -> float:
    """First step, counted from 1, whose coloured update is smaller than GRPO's."""
    grpo, spo = (np.asarray(expected_update(chain(6), rule(name, group_size=8))) for name in ("grpo", "spo"))
    return int(np.argmax(spo < grpo)) + 1


def step_ratio() -> float:
    """GRPO's update of step 1 over that of step 6."""
    update = np.asarray(expected_update(chain(6), rule("grpo", group_size=8)))
    return float(update[0] / update[5])


def growth(name: str) -> float:
    """Factor by which one more step multiplies the updates to half success, from 6 to 8 steps."""
    six, eight = halves(name, 6), halves(name, 8)
    return (eight / six) ** 0.5


def boundary() -> float:
    """Accuracy of step 1 from which colouring is behind at first, if step 2 has accuracy 1/2 and G = 2."""
    early = np.linspace(0.5, 0.99, 491)
    gains = map_of_gains("spo", 2, early, np.array([0.5]))[0]
    return float(early[np.argmax(gains < 0)])


def helped() -> str:
    """Whether colouring is ahead at first from step accuracies (0.8, 0.5) with G = 2."""
    [[gain]] = map_of_gains("spo", 2, np.array([0.8]), np.array([0.5]))
    return "yes" if gain > 0 else "no"


def starts_that_lose() -> float:
    """Starts of a 19 x 19 map from which prefix credit is behind at first, with G = 2."""
    grid = np.linspace(0.05, 0.95, 19)
    return int((map_of_gains("spo_prefix", 2, grid, grid) < -1e-12).sum())


def better_of_two() -> float:
    """Advantage of the better response of a pair with rewards 0 and 1/2."""
    return float(GroupAdvantage()(np.array([0.0, 0.5])).max())


def silent_share() -> float:
    """Share of groups of 64 without a correct response, if success is Beta distributed: mean 0.1, sd 0.24."""
    mean, deviation = 0.1, 0.24
    total = mean * (1 - mean) / deviation**2 - 1
    b = total * (1 - mean)
    # E[(1 - p)^64] of a Beta(a, b) is the product of (b + i) / (a + b + i)
    i = np.arange(64)
    return float(np.prod((b + i) / (total + i)))


def useless_judge() -> float:
    """False-alarm rate at which a judge that misses 0.3 of the wrong steps teaches nothing."""
    from scipy.optimize import brentq

    from spo_theory.outcomes.judged import colouring_gain_function

    gain = colouring_gain_function(chain(2), rule("spo", group_size=8))
    return float(brentq(lambda alarm: gain(0.3, alarm), 0.35, 0.95))


def faster_with_adam() -> str:
    """The rule that reaches half success first with Adam."""
    found = adam_halves()
    return min(found, key=lambda name: found[name])


def largest_residual() -> float:
    """Update at which the network with colouring is furthest from its forecast, in the mean over seeds, with SGD."""
    run = record("H4-sgd")["curves"]["spo"]
    residual = np.mean(np.array(run["network"]) - np.array(run["theory"]), axis=0)
    return int(np.argmax(abs(residual)))


def adam_ratio() -> float:
    """Updates of GRPO over updates of colouring until half success, measured in the recorded network with Adam."""
    measured = {row["rule"]: row["measured_half"] for row in record("H4-adam")["halves"]}
    return measured["grpo"] / measured["spo"]


def phantom() -> float:
    """Largest advantage that version c gives to six equal rewards of 0.3 in float32."""
    from lab import VERSIONS

    return float(abs(VERSIONS["c"](np.full((1, 6), 0.3, dtype=np.float32))).max())


def planted_bug() -> str:
    """The version whose advantages depend on the other groups of the batch."""
    from lab import VERSIONS, batch_of_rewards

    rewards = batch_of_rewards()
    wrong = []
    for name, advantages in VERSIONS.items():
        alone = np.concatenate([advantages(group[None]) for group in rewards])
        if abs(advantages(rewards) - alone).max() > 1e-6:
            wrong.append(name)
    return ", ".join(wrong)


EXERCISES: dict[str, Exercise] = {
    "group_size": Exercise(
        "6 steps of accuracy 0.3: the smallest power of two G of which fewer than half of the groups are all wrong?",
        smallest_group,
        "A group is all wrong with probability (1 - 0.3^6)^G.",
    ),
    "useful_groups": Exercise(
        f"How many groups of a batch of {BATCH} does GRPO learn from on average (G = 8)? Two digits.",
        useful_groups,
        "It learns from groups that are neither all wrong nor all right: multiply their share by the batch.",
        tolerance=0.03,
    ),
    "first_step": Exercise(
        "Which is the first step whose coloured update is smaller than GRPO's? (1 to 6)",
        first_smaller_step,
        "Compare the two rows of the table, step by step.",
    ),
    "step_ratio": Exercise(
        "GRPO's update of step 1, divided by that of step 6?",
        step_ratio,
        "All steps have the same accuracy, and GRPO rewards all steps of a correct response alike.",
        tolerance=1e-6,
    ),
    "growth_grpo": Exercise(
        "From 6 to 8 steps: by which factor does one more step multiply GRPO's updates to half success? Two digits.",
        lambda: growth("grpo"),
        "Two steps were added, so take the square root of the ratio.",
        tolerance=0.02,
    ),
    "growth_spo": Exercise(
        "And colouring's? Two digits.",
        lambda: growth("spo"),
        "Two steps were added, so take the square root of the ratio.",
        tolerance=0.02,
    ),
    "boundary": Exercise(
        "G = 2, step 2 has accuracy 0.5: from which accuracy of step 1 on is colouring behind at first?",
        boundary,
        "On the boundary 1 - p = q (1 - q).",
        tolerance=0.01,
    ),
    "helped": Exercise(
        "G = 2, accuracies 0.8 and 0.5: is colouring ahead at first? (yes or no)",
        helped,
        "Compare 1 - p with q (1 - q).",
    ),
    "prefix": Exercise(
        "Prefix credit, G = 2: from how many starts of the 19 x 19 map is it behind at first?",
        starts_that_lose,
        "Choose the rule spo_prefix above, and count the orange cells.",
    ),
    "better_of_two": Exercise(
        "An all-wrong pair has rewards 0 and 0.5. Which advantage has the better one?",
        better_of_two,
        "Subtract the mean, divide by the standard deviation; both are 0.25.",
    ),
    "silent_share": Exercise(
        "Success is 0.1 on average with standard deviation 0.24 over questions: which share of groups of 64 is all "
        "wrong? Two digits.",
        silent_share,
        "Most questions are hopeless, a few are easy: (1 - 0.1)^64 would be true if all were alike.",
        tolerance=0.03,
    ),
    "useless_judge": Exercise(
        "A judge misses 0.3 of the wrong steps. At which rate of false alarms does it teach nothing?",
        useless_judge,
        "It must call right and wrong steps wrong equally often.",
        tolerance=0.01,
    ),
    "adam": Exercise(
        f"Adam, learning rate {ADAM_RATE:g}: which rule reaches half success first? (grpo or spo)",
        faster_with_adam,
        "Switch the optimizer above to Adam.",
    ),
    "residual": Exercise(
        "SGD, colouring: at about which update is the network furthest from its forecast? (within 5)",
        largest_residual,
        "Look at the lower picture, in the mean over seeds.",
    ),
    "adam_ratio": Exercise(
        "Adam: how many times as many updates does GRPO need as colouring, measured? Two digits.",
        adam_ratio,
        "Divide the measured updates to half success in the table.",
        tolerance=0.02,
    ),
    "bug": Exercise(
        "Which version lets groups influence each other? (a, b or c)",
        planted_bug,
        "Give it one group at a time, and compare with the whole batch.",
    ),
    "phantom": Exercise(
        "Six equal rewards of 0.3 in float32: the largest advantage that version c gives? Two digits.",
        phantom,
        "The mean of six equal float32 numbers is not always that number: print it.",
        tolerance=0.05,
    ),
}
"""All exercises by name."""

SPAN = {"residual": 5.0}
"""Exercises whose answer may be off by an absolute number."""


@cache
def right_answer(name: str) -> float | str:
    """The right answer of an exercise, computed once."""
    return EXERCISES[name].answer()


def check(name: str, given: str) -> str:
    """What to say to the answer ``given`` to exercise ``name``, one sentence.

    It starts with "Right" for a right answer, with "Not yet" for a wrong one, with "Your turn" for none.

    >>> check("better_of_two", "")
    'Your turn.'
    >>> check("better_of_two", "0.5")
    'Not yet. Subtract the mean, divide by the standard deviation; both are 0.25.'
    """
    exercise = EXERCISES[name]
    text = given.strip().lower()
    if not text:
        return "Your turn."

    right = right_answer(name)
    if isinstance(right, str):
        return "Right." if text == right else f"Not yet. {exercise.hint}"
    try:
        value = float(text)
    except ValueError:
        return f"Not yet: {given.strip()!r} is not a number."
    margin = max(SPAN.get(name, 0.0), exercise.tolerance * abs(right), 1e-9)
    return "Right." if abs(value - right) <= margin else f"Not yet. {exercise.hint}"
