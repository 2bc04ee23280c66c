"""The step judge of a run."""

import numpy as np

from toy_llm.config import TrainConfig
from toy_llm.judging import learned
from toy_llm.judging.noisy import MajorityVote, NoisyJudge
from toy_llm.judging.step_judge import JudgeSource, StepJudge
from toy_llm.problems.task import Task


def make_judge(config: TrainConfig, task: Task) -> JudgeSource | None:
    """The step judge of a run, None for the exact one; a learned one is trained once and cached.

    Raises `InputError` for bad settings of a judge, an unwritable cache folder or a corrupt cached file.

    >>> config = TrainConfig(judge="noisy", miss=0.2)
    >>> make_judge(config, config.task()).name
    'NoisyJudge(miss=0.2, false_alarm=0.0, seed=0)'
    """
    if config.judge == "noisy":
        # Its name holds rates and seeds: stored rollouts of other judges must not be taken for its own.
        noisy = _noisy_judge(config)
        return JudgeSource(repr(noisy), lambda stream, index: noisy)
    if config.judge == "learned":
        spec = _judge_spec(config)
        judge = learned.learned_judge(spec, task, config.cache_dir, config.progress)
        return JudgeSource(repr(spec), lambda stream, index: judge)
    return None


def _noisy_judge(config: TrainConfig) -> StepJudge:
    """One judge with the seed of the run, or the majority of several, each with a seed of its own."""
    # The first vote is that of the judge without votes, so that one vote changes nothing.
    more = np.random.SeedSequence(config.seed).generate_state(config.votes - 1, np.uint64)
    seeds = [config.seed, *map(int, more)]
    judges = tuple(NoisyJudge(config.miss, config.false_alarm, seed) for seed in seeds)
    return judges[0] if len(judges) == 1 else MajorityVote(judges)


def _judge_spec(config: TrainConfig) -> learned.JudgeSpec:
    given = {"accuracy": config.judge_accuracy, "updates": config.judge_updates}
    return learned.JudgeSpec(
        seed=config.start_seed,
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
    )
