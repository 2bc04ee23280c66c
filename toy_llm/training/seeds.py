"""Several seeds of one configuration at once: worker processes, rows as they come."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from toy_llm.config import TrainConfig
from toy_llm.threads import threads
from toy_llm.training import checkpoint
from toy_llm.training.checkpoint import Row
from toy_llm.training.divergence import TrainingDiverged
from toy_llm.training.judges import make_judge
from toy_llm.training.loop import updates
from toy_llm.training.policies import make_policy


class WorkerLost(RuntimeError):
    """A worker process ended without a word, for instance killed for want of memory."""


def for_seed(config: TrainConfig, seed: int, several: bool) -> TrainConfig:
    """The run of one seed; if there are several, each has a checkpoint file of its own.

    >>> for_seed(TrainConfig(checkpoint="run.pt"), seed=7, several=True).checkpoint
    'run-seed7.pt'
    """
    # Runs side by side must not write into one file.
    if several and config.checkpoint is not None:
        path = Path(config.checkpoint)
        config = replace(config, checkpoint=str(path.with_name(f"{path.stem}-seed{seed}{path.suffix}")))
    return replace(config, seed=seed, progress=False)


def restored(configs: Sequence[TrainConfig]) -> list[Row]:
    """Rows that the checkpoints of runs to be resumed hold, with their seed; raises as `checkpoint.read_for`.

    ``configs``: one run per seed; those that are not to be resumed, or have no checkpoint yet, give no rows.
    """
    states = [(config.seed, checkpoint.read_for(config)) for config in configs]
    return [{"seed": seed, **row} for seed, state in states if state is not None for row in state.rows]


def train_seeds(configs: Sequence[TrainConfig], workers: int = 2) -> Iterator[Row]:
    """Train all runs, ``workers`` at a time; yields each new row with its seed as soon as it is made.

    With one worker or one run everything happens in this process. Every run has its own ``threads``, so that its
    curve does not depend on what runs beside it. A run that diverges does not stop the others: `TrainingDiverged` is
    raised at the end. Anything else stops all and is raised at once; `WorkerLost` if a worker is killed. No worker
    outlives the iterator.
    """
    # The warm start and a learned judge are made once here, not by every worker.
    policy = make_policy(configs[0])
    make_judge(configs[0], policy.task)

    # A process for one run alone would cost its start and gain nothing.
    workers = min(workers, len(configs))
    rows = train_in_turn(configs) if workers == 1 else train_in_processes(configs, workers)
    diverged: list[str] = []
    for row in rows:
        if isinstance(row, TrainingDiverged):
            diverged.append(str(row))
        else:
            yield row
    if diverged:
        raise TrainingDiverged("; ".join(diverged))


def train_in_turn(configs: Sequence[TrainConfig]) -> Iterator[Row | TrainingDiverged]:
    """Train runs one after another in this process; yields their rows, and the error of a run that diverged.

    Other runs go on after one that diverged. Anything else that goes wrong is raised at once.
    """
    for config in configs:
        with threads(config.threads):
            try:
                state = checkpoint.read_for(config)
                policy = make_policy(config)
                for row in updates(config, policy, state, make_judge(config, policy.task)):
                    yield {"seed": config.seed, **row}
            except TrainingDiverged as error:
                yield TrainingDiverged(f"seed {config.seed}: {error}" if len(configs) > 1 else str(error))


def train_in_processes(configs: Sequence[TrainConfig], workers: int) -> Iterator[Row | TrainingDiverged]:
    """Train runs in worker processes, each its share of them in turn; yields as `train_in_turn`, as rows come.

    Raises whatever stops a worker, and `WorkerLost` if one dies without a word. No worker outlives the iterator.
    """
    context = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = []
    pipes: list[Connection] = []
    try:
        for index in range(workers):
            pipe, end = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(configs[index::workers], end), daemon=True)
            process.start()
            end.close()  # so that a worker's death is seen as the end of its pipe
            processes.append(process)
            pipes.append(pipe)

        # Whoever has something to say is heard, in turn, until all have said None.
        while pipes:
            ready = wait(pipes)
            for pipe in [pipe for pipe in pipes if pipe in ready]:
                message = _received(pipe)
                if message is None:
                    pipes.remove(pipe)
                elif isinstance(message, Exception) and not isinstance(message, TrainingDiverged):
                    raise message
                else:
                    yield message
    finally:
        # Also if the caller stops listening.
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _received(pipe: Connection) -> Any:
    """The next message of a worker: a row, an exception, or None after its last row."""
    try:
        return pipe.recv()
    except EOFError:
        raise WorkerLost("a worker process died; its finished updates are in its checkpoint") from None


def _work(configs: Sequence[TrainConfig], pipe: Connection) -> None:
    """A worker process: send every row, then None; or the exception that stopped it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    try:
        for row in train_in_turn(configs):
            pipe.send(row)
        pipe.send(None)
    except BrokenPipeError:  # the parent is gone
        pass
    except Exception as error:
        pipe.send(error)
