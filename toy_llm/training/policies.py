"""The policy that a run starts from, and the one that a checkpoint holds."""

from pathlib import Path

from spo_theory.validation import check
from toy_llm.config import TrainConfig
from toy_llm.network.policy import Policy
from toy_llm.network.tabular import TabularPolicy
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.task import Task
from toy_llm.training import checkpoint


def make_policy(config: TrainConfig) -> Policy:
    """The policy a run starts from; warm starts are made once and cached.

    Raises `InputError` for bad settings of the warm start, an unwritable cache folder or a corrupt cached file.

    >>> policy = make_policy(TrainConfig(policy="tabular", horizon=3, start_accuracy=0.25))
    >>> policy.logits.sigmoid().tolist()
    [0.25, 0.25, 0.25]
    """
    if config.policy == "tabular":
        return _untrained_table(config)

    # Made on the CPU, so that the file does not depend on the device.
    model = config.warm_start().make(config.cache_dir, config.progress)
    return TransformerPolicy(model.to(config.device), config.task())


def load_policy(path: str | Path, task: Task | None = None) -> Policy:
    """The trained policy of a checkpoint, for the problems of its run or for ``task``; the warm start is not needed.

    Raises `InputError` if the file is not a checkpoint, or if the network cannot read that task.
    """
    # The settings in the checkpoint say which network its parameters belong to.
    state = checkpoint.read(path)
    config = TrainConfig(**state.config)
    own = config.task()
    task = own if task is None else task

    # A table knows the steps of its own chain; a network reads every task with its vocabulary that is short enough.
    policy: Policy
    if config.policy == "tabular":
        check(task == own, "suite", task.name, "left out: a tabular policy knows the chain of its run alone")
        policy = _untrained_table(config)
    else:
        model = config.warm_start().build()
        longest = task.prompt_length + task.response_length
        readable = task.vocabulary == own.vocabulary and longest <= model.position.num_embeddings
        check(readable, "suite", task.name, f"a task with the vocabulary and the lengths of the run's ({own.name})")
        policy = TransformerPolicy(model, task)
    checkpoint.fit_parameters(path, policy.module, state.module)
    return policy


def _untrained_table(config: TrainConfig) -> TabularPolicy:
    return TabularPolicy(ChainTask(config.horizon, config.modulus), [config.start_accuracy] * config.horizon)
