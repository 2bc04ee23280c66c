"""Forecasts by level of the ladder, and the training that they forecast; nothing is fitted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, get_args

import pandas as pd
import torch

from paper_repro.forecast.configuration import Configuration, Level
from paper_repro.forecast.curves import follow
from paper_repro.forecast.expected_updates import follows_from_classes
from paper_repro.forecast.mean_field import expected_updates, mean_field
from paper_repro.forecast.noisy import TrueStates
from spo_theory.exact.update import prepare_squares, prepare_update
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.parts.samplers import HistoryResampling
from spo_theory.validation import check
from toy_llm.cache import cache_path, check_entry
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.linearization import Start, gradient_variance, measure_start
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.training.loop import TrainConfig, make_judge, make_policy, updates
from toy_llm.training.steps import passes

DRAWN = 1_000_000
"""Seeds of the draws of level "noisy" begin here, so that they share nothing with training."""


def forecast(configuration: Configuration, start: int, level: Level) -> pd.DataFrame:
    """Forecast the training of the network of one warm start under every rule of ``configuration``.

    ``level``: of the ladder. Uses the warm-started network and questions that training never sees, nothing else.
    Returns rows of the table of curves with source "theory" and the column ``level``; ``draw`` tells the curves of
    level "noisy" apart. Raises `InputError` where the level does not serve the run.
    """
    torch.set_num_threads(1)
    frames = []
    for rule in configuration.rules:
        config = configuration.from_start(rule, start)
        check_level(config, level)
        labels = configuration.labels("theory", rule, start) | {"level": level}
        if level == "noisy":
            draws = [_noisy(configuration, config, draw).assign(draw=draw) for draw in range(configuration.draws)]
        elif level == "mean_field":
            draws = [_mean_field(configuration, config).assign(draw=0)]
        else:
            draws = [_linearized(config, level).assign(draw=0)]
        frames += [curve.assign(**labels) for curve in draws]
    return pd.concat(frames, ignore_index=True)


def check_configuration(configuration: Configuration, levels: Sequence[Level]) -> None:
    """Raise `InputError` for what cannot be trained with every rule of a configuration, or not forecast at ``levels``.

    Also for a cached warm start that is damaged, or a missing one that could not be kept.

    >>> check_configuration(Configuration("tiny"), ["mean_field"])
    """
    for name in configuration.rules:
        config = configuration.config(name, 0)
        config.validate()
        for level in levels:
            check_level(config, level)
    for start in configuration.starts:
        config = configuration.from_start(configuration.rules[0], start)
        check_entry(cache_path(config.warm_start().key, config.cache_dir))


def check_level(config: TrainConfig, level: Level) -> None:
    """Raise `InputError` where a level of the ladder does not serve a run; its message says which would.

    >>> check_level(TrainConfig(optimizer="adamw"), "kernel")
    Traceback (most recent call last):
    spo_theory.validation.InputError: optimizer = 'adamw' is not allowed: optimizer must be sgd or adam at level kernel
    """
    check(level in get_args(Level), "level", level, " or ".join(get_args(Level)))
    check(config.mode == "online", "mode", config.mode, "online: a forecast follows the current policy")

    # The linearized levels know plain chains alone; the others use the trainer's own code.
    if level in ("chain", "kernel"):
        simple: dict[str, tuple[Any, ...]] = {
            "optimizer": ("sgd", "adam"),
            "suites": ((),),
            "judge": ("exact",),
            "schedule": ("constant",),
        }
        simple |= {"policy": ("transformer",), "warmup": (0,), "minibatches": (1,), "kl_coef": (0.0,)}
        simple |= {"coloured_updates": (None,)}
        for name, allowed in simple.items():
            value = getattr(config, name)
            check(value in allowed, name, value, f"{' or '.join(map(str, allowed))} at level {level}")
    if level == "mean_field":
        check(
            config.judge != "learned", "judge", config.judge, "exact or noisy at level mean_field; or use level noisy"
        )
        expected_updates(config)  # refuses methods that look beyond a group

    # Nothing is evaluated: the engine only prepares what the forecast will ask for, or refuses
    inner = config.make_rule().sampler.inner_updates
    if level != "noisy":
        chain = ReasoningChain(step_success=[0.5] * config.task().horizon)
        prepare_update(chain, config.make_rule(), padded=True, off_policy=inner > 1)
    if level in ("chain", "kernel") and config.optimizer == "adam":
        check(inner == 1, "inner_updates", inner, f"1 with Adam at level {level}")
        prepare_squares(chain, config.make_rule(), padded=True)
    if level == "noisy":
        check(config.policy == "transformer", "policy", config.policy, "transformer at level noisy")


def approximations(config: TrainConfig) -> dict[str, str]:
    """What makes the mean field of a run approximate, by the setting that does it; empty where its gradient is exact.

    Level "noisy" is free of all but the first three. Source: docs/theory/network.md#mean-field.

    >>> approximations(TrainConfig(rule="spo"))
    {}
    >>> list(approximations(TrainConfig(rule="spo", suites=("add",), optimizer="adam")))
    ['rts_length', 'optimizer']
    """
    rule = config.make_rule()
    written = rule.colouring is not None and rule.colouring.length == "written"
    steps = passes(config) * config.minibatches
    said = {
        "rts_length": (bool(config.suites) and written, "RTS depends on the length that is written after an error"),
        "aggregation": (
            bool(config.suites) and config.aggregation in ("response", "token"),
            "the loss is divided by written lengths, for which true ones stand",
        ),
        "rule": (not follows_from_classes(rule), "the weights depend on more than the classes of a group"),
        "sampler": (isinstance(rule.sampler, HistoryResampling), "the pool of questions is not remembered"),
        "inner_epochs": (steps > 1, "all wrong values of a step have one importance ratio"),
        "kl_coef": (config.kl_coef > 0, "the pull of the penalty is left out"),
        "max_grad_norm": (config.max_grad_norm is not None, "the clip sees the length of the mean gradient"),
        "optimizer": (config.optimizer != "sgd", "Adam divides by the size of a gradient without noise"),
    }
    return {name: text for name, (holds, text) in said.items() if holds}


def _mean_field(configuration: Configuration, config: TrainConfig) -> pd.DataFrame:
    """The curve of level 2."""
    policy = make_policy(config)
    return follow(policy, mean_field(config, policy), config, configuration.held_out, configuration.points)


def _noisy(configuration: Configuration, config: TrainConfig, draw: int) -> pd.DataFrame:
    """One curve of level 3: the trainer's own loop on a policy that draws on the true prefix."""
    policy = make_policy(config)
    assert isinstance(policy, TransformerPolicy)
    rows = updates(replace(config, seed=DRAWN + draw), TrueStates(policy), judge=_judge(config, policy))

    # Of what the trainer measures on its batch the length of the gradient is kept; the others are followed
    kept = ({name: row[name] for name in ("step", "grad_norm")} for row in rows)
    return follow(policy, kept, config, configuration.held_out, configuration.points)


@cache
def measured(config: TrainConfig) -> tuple[TransformerPolicy, Start]:
    """The warm-started policy of a run and what is measured of it at its start.

    The result is kept for as long as the process lives, because one warm start serves all rules and takes long.
    """
    policy = make_policy(config)
    assert isinstance(policy, TransformerPolicy)
    return policy, measure_start(policy, seed=config.start_seed)


def _linearized(config: TrainConfig, level: Level) -> pd.DataFrame:
    """The curve of level 0, the chain with its own logits, or 1, the chain with the network's kernel at the start."""
    from spo_theory import solve

    # One warm start serves all rules, so what is measured of it does not depend on the rule
    policy, at_start = measured(replace(config, rule="grpo", rule_options=()))
    rule = config.make_rule()
    options: dict[str, Any] = {"optimizer": config.optimizer}

    # Adam divides by the size of the noisy gradient, so its forecast needs the noise; that of SGD does not
    if level == "chain":
        options |= {"questions": config.questions} if config.optimizer == "adam" else {}
    elif config.optimizer == "adam":
        noise = gradient_variance(policy, rule, config.questions, seed=config.start_seed)
        options |= {"features": at_start.features, "gradient_variance": noise}
    else:
        options |= {"kernel": at_start.kernel}
    chain = ReasoningChain(logits=at_start.log_odds)
    return solve(chain, rule, config.updates, config.learning_rate, **options)


def _judge(config: TrainConfig, policy: TransformerPolicy) -> JudgeSource | None:
    """The step judge of a run; one that errs by chance has another seed than in training."""
    return make_judge(replace(config, seed=DRAWN), policy.task)


def train_network(configuration: Configuration, rule: str, seed: int) -> pd.DataFrame:
    """Train the network with one rule and seed; rows of the table of curves with source "network".

    ``success`` is the mean probability of the whole true response on held-out questions, which sampling does not blur
    (`paper_repro.forecast.curves.follow`); ``success_sampled`` the share of sampled responses that were correct.
    """
    torch.set_num_threads(1)
    config = configuration.config(rule, seed)
    policy = make_policy(config)

    # What is measured on the batch is kept under its own name; shares of groups are those that were sampled
    def rows() -> Iterator[dict[str, float]]:
        for row in updates(config, policy, judge=make_judge(config, policy.task)):
            del row["success_exact"]  # of the batch: what is followed on held-out questions stands for it
            yield row | {"success_sampled": row["success"], "sampled_all_negative": row["all_negative"]}

    frame = follow(policy, rows(), config, configuration.held_out, configuration.points)
    frame["all_negative"] = frame.pop("sampled_all_negative")
    start = configuration.start_of(seed)
    return frame.assign(seed=seed, level="sampled", **configuration.labels("network", rule, start))
