"""The warm start: it reaches the accuracy it is asked for, and its cache is safe."""

import pytest
import torch

from spo_theory import InputError
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.starts.chain import ChainStart, imperfect_traces

TINY = ChainStart(horizon=2, modulus=5, layers=1, width=16, heads=2, updates=5, batch=8)


@pytest.mark.slow
def test_default_start_is_as_unsure_as_its_traces(tmp_path):
    spec = ChainStart(horizon=4, accuracy=0.45, seed=3)
    model, task = spec.make(tmp_path), ChainTask(4)
    prompts, answers = task.questions("test", 0, 0, 1000)
    with torch.no_grad():
        policy = TransformerPolicy(model, task)
        logits = policy.true_logits(prompts, answers)
        odds = policy.true_log_odds(prompts, answers)
    assert (odds.sigmoid().mean(0) - 0.45).abs().max() < 0.02
    carry = torch.cat([prompts[:, :1], answers[:, :-1]], 1) + prompts[:, 1:5] >= 10
    gap = odds[~carry].mean() - odds[carry].mean()
    assert gap.item() == pytest.approx(spec.carry_penalty, abs=0.1)
    wrong = logits.softmax(-1).scatter(-1, answers[..., None], 0.0)[..., :10].sum((0, 1))
    assert (wrong / wrong.sum() - 0.1).abs().max() < 0.02  # wrong values share the rest about equally


def test_traces_go_wrong_as_often_as_they_should():
    prompts, answers = ChainTask(3).questions("test", 0, 0, 20_000)
    written, wanted, chance = imperfect_traces(
        prompts, ChainStart(horizon=3, accuracy=0.6), torch.Generator().manual_seed(0)
    )
    assert torch.equal(wanted[:, 0], answers[:, 0])
    hit = (written == wanted).float()
    assert abs(hit.mean() - chance.mean()) < 4 * (0.25 / 60_000) ** 0.5
    on_track = (written[:, 0] == answers[:, 0])[:, None]
    assert torch.equal(wanted[:, 1:2][on_track], answers[:, 1:2][on_track])  # errors carry on, right prefixes do not


def test_cache_is_used_and_a_corrupt_file_is_refused(tmp_path):
    first = TINY.make(tmp_path)
    (file,) = tmp_path.iterdir()
    stamp = file.stat().st_mtime_ns
    again = TINY.make(tmp_path)
    assert file.stat().st_mtime_ns == stamp
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(InputError) as error:
        TINY.make(tmp_path)
    assert str(file) in str(error.value)
    assert "delete it" in str(error.value)
    file.write_bytes(b"short")
    with pytest.raises(InputError, match="corrupt"):
        TINY.make(tmp_path)


def test_every_setting_is_part_of_the_key():
    from dataclasses import fields, replace

    for field in fields(TINY):
        value = getattr(TINY, field.name)
        other = replace(TINY, **{field.name: value + 1 if isinstance(value, int) else value * 0.5})
        assert other.key != TINY.key, field.name


def test_unwritable_cache_is_refused_before_work():
    with pytest.raises(InputError, match="cache_dir"):
        TINY.make("/proc/none")
