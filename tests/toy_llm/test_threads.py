"""Training has one thread unless it is asked for more, whatever torch had before."""

from dataclasses import replace

import pytest
import torch

from toy_llm import TrainConfig, train
from toy_llm.starts.supervised import fit
from toy_llm.training import loop
from toy_llm.training.seeds import train_seeds

RUN = TrainConfig(policy="tabular", horizon=2, questions=2, group_size=2, updates=1)


@pytest.fixture
def seen(monkeypatch):
    """The numbers of threads with which batches are sampled; torch has two outside."""
    numbers = []
    sample = loop.sample_and_judge

    def watched(*arguments):
        numbers.append(torch.get_num_threads())
        return sample(*arguments)

    monkeypatch.setattr(loop, "sample_and_judge", watched)
    torch.set_num_threads(2)
    yield numbers
    torch.set_num_threads(1)


@pytest.mark.parametrize("wanted", [None, 1, 2])
def test_a_run_has_the_threads_that_it_asks_for(seen, wanted):
    run = RUN if wanted is None else replace(RUN, threads=wanted)
    train(run)
    assert set(seen) == {wanted or 1}
    assert torch.get_num_threads() == 2
    seen.clear()
    list(train_seeds([run, replace(run, seed=1)], workers=1))
    assert set(seen) == {wanted or 1}
    assert torch.get_num_threads() == 2


def test_what_is_kept_for_all_runs_is_learnt_with_one_thread(seen):
    model = torch.nn.Linear(1, 1)

    def loss(update):
        seen.append(torch.get_num_threads())
        return model.weight.sum()

    fit(model, loss, updates=2, learning_rate=0.1, label="")
    assert seen == [1, 1]
    assert torch.get_num_threads() == 2
