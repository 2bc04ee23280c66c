"""Settings of a training run that clash, that this machine cannot hold, or that cannot learn."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spo_theory.group import Group
from spo_theory.limits import memory_problems
from spo_theory.method import Method
from spo_theory.validation import problem
from toy_llm.settings import refusals

if TYPE_CHECKING:
    from toy_llm.config import TrainConfig

ROW_BYTES = 1500
"""Memory that the metrics of one update take."""


def clashes(config: "TrainConfig") -> list[str]:
    """Lines for settings that are fine alone but not beside the others.

    >>> from toy_llm.config import TrainConfig
    >>> clashes(TrainConfig(questions=6, minibatches=4))
    ['minibatches = 4 is not allowed: minibatches must be a divisor of questions (6)']
    """
    divides = config.questions % config.minibatches == 0
    lines = problem(divides, "minibatches", config.minibatches, f"a divisor of questions ({config.questions})")

    # Stored rollouts were rewarded once, and without colours there is nothing to stop
    if config.coloured_updates is not None and not refusals(config.make_rule):
        colours = config.mode == "online" and config.make_rule().colouring is not None
        allowed = "None unless the rule colours and training is online"
        lines += problem(colours, "coloured_updates", config.coloured_updates, allowed)

    # Tokens of one place belong to different steps where steps have several tokens
    if config.suites and not refusals(config.make_rule):
        by_place = getattr(config.make_rule().objective, "by_position", False)
        lines += problem(not by_place, "rule", config.rule, "one that compares whole responses, with suites")

    # A step multiplies weights by 1 - learning_rate * weight_decay; beyond 0 it would throw them to the other side
    most = max(1.0, 1 / config.learning_rate)
    bounded = config.optimizer == "adam" or config.weight_decay <= most
    return lines + problem(bounded, "weight_decay", config.weight_decay, f"at most {most:g} with this learning rate")


def too_large(config: "TrainConfig") -> list[str]:
    """A line for each size that alone needs more memory than this machine has; estimates are rather too small.

    ``config``: its other settings are fine.

    >>> from toy_llm.config import TrainConfig
    >>> too_large(TrainConfig())
    []
    """
    # Tokens of a batch: what is sampled, its log-probability, the verdict and the advantages
    task = config.task()
    tokens = config.questions * config.group_size * task.response_length
    batch = 48 * tokens
    lines = memory_problems("updates", config.updates, ROW_BYTES * config.updates)

    # Weights, their gradient and the start's; and of every token keys and values in every layer
    if config.policy == "transformer":
        sizes = network_sizes(config)
        embedded = 2 * task.vocabulary + task.prompt_length + task.response_length
        weights = sizes["layers"] * 12 * sizes["width"] ** 2 + embedded * sizes["width"]
        lines += memory_problems("width", sizes["width"], 12 * weights)
        batch += 8 * tokens * sizes["layers"] * sizes["width"]

    # The larger of the two factors is the one to make smaller
    name = "questions" if config.questions >= config.group_size else "group_size"
    lines += memory_problems(name, getattr(config, name), batch)
    if config.mode == "offline":
        lines += memory_problems("stored_batches", config.stored_batches, 48 * tokens * config.stored_batches)
    return lines


def network_sizes(config: "TrainConfig") -> dict[str, int]:
    """Layers and width of the network of a run.

    >>> from toy_llm.config import TrainConfig
    >>> network_sizes(TrainConfig())
    {'layers': 2, 'width': 64}
    """
    if config.suites:
        from toy_llm.starts.suites import SIZES

        return SIZES[config.size]
    return {"layers": config.layers, "width": config.width}


def doubts(config: "TrainConfig") -> list[str]:
    """What is allowed in a run but surely not meant, one line each: a user should hear of it before it starts.

    >>> from toy_llm.config import TrainConfig
    >>> doubts(TrainConfig(rule="grpo", train_on="all_negative"))
    ["rule 'grpo' with these options has weight 0 in every group it learns from: the run cannot learn"]
    >>> doubts(TrainConfig(updates=10, warmup=100))
    ['warmup = 100 is longer than updates = 10: the learning rate never reaches its value']
    """
    lines = []
    if not can_learn(config.make_rule()):
        lines.append(
            f"rule {config.rule!r} with these options has weight 0 in every group it learns from: the run cannot learn"
        )
    if config.warmup > config.updates > 0:
        lines.append(
            f"warmup = {config.warmup} is longer than updates = {config.updates}: "
            "the learning rate never reaches its value"
        )
    return lines


def can_learn(method: Method) -> bool:
    """Whether some group has a step of weight other than 0 under an update rule, on the policy that sampled it.

    >>> from spo_theory import rule
    >>> can_learn(rule("spo", train_on="all_negative")), can_learn(rule("grpo", train_on="all_negative"))
    (True, False)
    """
    small = replace(method, group_size=min(method.group_size, 8))  # kinds of groups do not depend on their size
    return any(bool((small.weights(group) != 0).any()) for group in _groups_of_every_kind(small.group_size))


def _groups_of_every_kind(group_size: int) -> Iterator[Group]:
    """All-negative, mixed and all-correct groups of responses to a chain of two steps."""
    # No more responses are looked at than the group has, and a few kinds tell all
    horizon = 2
    for correct in {0, 1, group_size - 1, group_size}:
        first_error = np.arange(group_size) % horizon
        first_error[:correct] = horizon
        yield Group(
            first_error == horizon,
            first_error,
            np.ones((group_size, horizon)),
            log_prob=np.full((group_size, horizon), np.log(0.5)),
        )
