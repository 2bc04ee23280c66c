"""Warm starts on suites: sizes, base and distilled, the course they share, and settings."""

from dataclasses import fields, replace

import pytest
import torch

from spo_theory import InputError
from toy_llm.evaluation import Evaluation, evaluate
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.suites import suite
from toy_llm.starts.suites import SIZES, SuiteStart, first_course

TINY = SuiteStart("small", suites=("add", "carry"), learn=2, adapt=2, batch=4)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_three_sizes():
    counts = [sum(p.numel() for p in replace(TINY, size=size).build().parameters()) for size in SIZES]
    assert counts == sorted(counts)
    assert counts[1] > 2 * counts[0]
    assert counts[2] > 2 * counts[1]


def test_base_and_distilled_starts_share_their_first_course(tmp_path):
    starts = [replace(TINY, start=s, accuracy=a) for s, a in (("base", 0.5), ("base", 0.6), ("distilled", 0.5))]
    found = [weights(spec.make(tmp_path)) for spec in starts]
    assert len({spec.learnt_key for spec in starts}) == 1
    names = {f.name for f in tmp_path.iterdir()}
    teacher = starts[-1].teacher
    assert names == {
        f"{k}.pt" for k in (TINY.learnt_key, teacher.learnt_key, teacher.key, *(spec.key for spec in starts))
    }
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    again = [weights(spec.make(tmp_path)) for spec in starts]
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))
    before = weights(first_course(TINY, tmp_path))
    assert 0 < (found[0] - before).abs().max() < 0.1


def test_every_setting_is_part_of_the_key():
    others = {"size": "medium", "start": "distilled", "suites": ("add",), "accuracy": 0.4, "learning_rate": 1e-4}
    for field in fields(TINY):
        value = others.get(field.name)
        other = replace(TINY, **{field.name: getattr(TINY, field.name) + 1 if value is None else value})
        assert other.key != TINY.key, field.name
        shared = field.name in ("start", "accuracy", "adapt")
        assert (other.learnt_key == TINY.learnt_key) == shared, field.name


def test_bad_settings_are_named_together(tmp_path):
    bad = SuiteStart("huge", "raw", ("add", "longer", "none"), 1.0, learn=0, learning_rate=0.0)
    with pytest.raises(InputError) as error:
        bad.make(tmp_path)
    for said in ("size = 'huge'", "start = 'raw'", "'longer'", "'none'", "start_accuracy = 1.0", "learn = 0"):
        assert said in str(error.value)
    assert "learning_rate = 0.0" in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_distilled_start_writes_what_its_teacher_writes(tmp_path):
    """Its teacher knows nothing yet; still the student finds what it writes likelier than before."""
    spec = SuiteStart("small", "distilled", ("add",), learn=1, adapt=60, batch=32, learning_rate=0.01)
    task = suite("add")
    teacher, before = spec.teacher.make(tmp_path), first_course(spec, tmp_path)
    asked = task.questions("test", 0, 0, 64)
    responses = TransformerPolicy(teacher, task).sample(*asked, 8, torch.Generator().manual_seed(0)).responses
    found = [
        TransformerPolicy(model, task).log_probs(*asked, responses).sum(-1).mean().item()
        for model in (before, spec.make(tmp_path), teacher)
    ]
    assert found[1] - found[0] > 0.5 * (found[2] - found[0]) > 0


@pytest.mark.slow
def test_a_base_start_is_as_unsure_as_its_traces(tmp_path):
    spec = SuiteStart("medium", suites=("add",), accuracy=0.5, learn=800, adapt=120)
    how = Evaluation(questions=128, samples=8, ks=(1,))

    def first_step(model):
        table = evaluate(TransformerPolicy(model, suite("add")), "add", how).set_index("metric")
        return float(table.value["accuracy_1"])  # the first step is learnt first, later ones take longer

    assert first_step(first_course(spec, tmp_path)) > 0.9
    assert first_step(spec.make(tmp_path)) == pytest.approx(0.5, abs=0.05)
