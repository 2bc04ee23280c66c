"""Several seeds of one configuration at once: worker processes of one thread each, rows as they come."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

import torch

from toy_llm.config import TrainConfig
from toy_llm.training import checkpoint
from toy_llm.training.checkpoint import Row
from toy_llm.training.loop import TrainingDiverged, make_judge, make_policy, updates


class WorkerLost(RuntimeError):
    """A worker process ended without a word, for instance killed for want of memory."""


def for_seed(config: TrainConfig, seed: int, several: bool) -> TrainConfig:
    """The run of one seed; if there are several, each has a checkpoint file of its own."""
    if several and config.checkpoint is not None:
        path = Path(config.checkpoint)
        config = replace(config, checkpoint=str(path.with_name(f"{path.stem}-seed{seed}{path.suffix}")))
    return replace(config, seed=seed, progress=False)


def restored(configs: Sequence[TrainConfig]) -> list[Row]:
    """Rows that the checkpoints of runs to be resumed hold, with their seed; raises as `checkpoint.read_for`."""
    states = [(config.seed, checkpoint.read_for(config)) for config in configs]
    return [{"seed": seed, **row} for seed, state in states if state is not None for row in state.rows]


def train_seeds(configs: Sequence[TrainConfig], workers: int = 2) -> Iterator[Row]:
    """Train all runs, ``workers`` at a time; yields each new row with its seed as soon as it is made.

    With one worker or one run everything happens in this process. Every run has one thread, so that its curve does
    not depend on what runs beside it. A run that diverges does not
    stop the others: `TrainingDiverged` is raised at the end. Anything else stops all and is raised at once;
    `WorkerLost` if a worker is killed. No worker outlives the iterator.
    """
    workers = min(workers, len(configs))
    policy, _ = make_policy(configs[0])  # the warm start is made once, not by every worker
    make_judge(configs[0], policy.task)  # so is a learned judge
    diverged: list[str] = []
    for row in _here(configs) if workers == 1 else _there(configs, workers):
        if isinstance(row, TrainingDiverged):
            diverged.append(str(row))
        else:
            yield row
    if diverged:
        raise TrainingDiverged("; ".join(diverged))


def _here(configs: Sequence[TrainConfig]) -> Iterator[Row | TrainingDiverged]:
    torch.set_num_threads(1)
    for config in configs:
        try:
            state = checkpoint.read_for(config)
            policy, module = make_policy(config)
            for row in updates(config, policy, module, state, make_judge(config, policy.task)):
                yield {"seed": config.seed, **row}
        except TrainingDiverged as error:
            yield TrainingDiverged(f"seed {config.seed}: {error}" if len(configs) > 1 else str(error))


def _work(configs: Sequence[TrainConfig], pipe: Connection) -> None:
    """A worker process: send every row, then None; or the exception that stopped it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    try:
        for row in _here(configs):
            pipe.send(row)
        pipe.send(None)
    except BrokenPipeError:  # the parent is gone
        pass
    except Exception as error:
        pipe.send(error)


def _there(configs: Sequence[TrainConfig], workers: int) -> Iterator[Row | TrainingDiverged]:
    context = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = []
    pipes: list[Connection] = []
    try:
        for share in (configs[i::workers] for i in range(workers)):
            pipe, end = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(share, end), daemon=True)
            process.start()
            end.close()  # so that a worker's death is seen as the end of its pipe
            processes.append(process)
            pipes.append(pipe)
        while pipes:
            ready = wait(pipes)
            for pipe in [p for p in pipes if p in ready]:
                try:
                    said = pipe.recv()
                except EOFError:
                    raise WorkerLost("a worker process died; its finished updates are in its checkpoint") from None
                if said is None:
                    pipes.remove(pipe)
                elif isinstance(said, Exception) and not isinstance(said, TrainingDiverged):
                    raise said
                else:
                    yield said
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
