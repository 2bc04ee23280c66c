"""Every number of a diagnosis against another computation; every format with its traps; broken rows are counted."""

import csv
import itertools
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spo_theory import InputError
from spo_theory.diagnosis import diagnose, read_rollouts
from spo_theory.diagnosis.groups import mean_with_interval, none_right
from spo_theory.diagnosis.page import page

SIZE = 4


def run(seed=0, questions=12, steps=5, size=SIZE):
    """Rows of a made-up run: questions of different difficulty, asked in every step, with judged steps."""
    generator = np.random.default_rng(seed)
    difficulty = generator.beta(0.4, 1.5, questions)
    rows = []
    for step, question in itertools.product(range(steps), range(questions)):
        right = generator.random(size) < difficulty[question]
        reward = right.astype(float)
        advantage = (reward - reward.mean()) / (reward.std(ddof=1) + 1e-6)
        for i in range(size):
            rows.append(
                {
                    "group": f"q{question}", "step": step, "reward": reward[i], "advantage": advantage[i],
                    "first_error": 3 if right[i] else int(generator.integers(0, 3)), "steps": 3,
                    "length": 50 + 2 * step,
                }
            )  # fmt: skip
    return rows


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def groups_by_hand(rows):
    found = defaultdict(list)
    for row in rows:
        found[row["step"], row["group"]].append(row)
    return found


def test_shares_sizes_and_totals_by_hand(tmp_path):
    rows = run()
    found = diagnose(read_rollouts(write_csv(tmp_path / "mine.csv", rows)))
    groups = groups_by_hand(rows).values()
    right = [sum(row["reward"] for row in group) for group in groups]
    assert found.shares["all wrong"].value == pytest.approx(np.mean([r == 0 for r in right]))
    assert found.shares["all right"].value == pytest.approx(np.mean([r == SIZE for r in right]))
    assert found.shares["mixed"].value == pytest.approx(np.mean([0 < r < SIZE for r in right]))
    assert found.taught_nothing == SIZE * sum(r in (0, SIZE) for r in right)
    assert found.resampling == pytest.approx(len(right) / sum(0 < r < SIZE for r in right))
    assert found.repeated == 12
    by_question = defaultdict(list)
    for (_, question), group in groups_by_hand(rows).items():
        by_question[question].append(sum(row["reward"] for row in group))
    assert found.stuck_wrong == sum(all(r == 0 for r in rights) for rights in by_question.values())
    assert found.stuck_right == sum(all(r == SIZE for r in rights) for rights in by_question.values())
    assert found.drift.value == pytest.approx(8.0)

    # Other group sizes: every subset of the responses, counted
    for size in found.sizes:
        none, mixed = [], []
        for group in groups:
            subsets = list(itertools.combinations([row["reward"] for row in group], size.k))
            none.append(np.mean([sum(subset) == 0 for subset in subsets]))
            mixed.append(np.mean([0 < sum(subset) < size.k for subset in subsets]))
        assert size.all_wrong.value == pytest.approx(np.mean(none))
        assert size.mixed.value == pytest.approx(np.mean(mixed))
        assert size.useful == pytest.approx(1000 / size.k * np.mean(mixed))
    assert [size.k for size in found.sizes] == [2, 4]


def test_success_and_its_spread_are_unbiased():
    """Averaged over many runs, the spread of difficulty is that of the distribution it was made from."""
    generator = np.random.default_rng(1)
    size, questions = 4, 40_000
    p = generator.beta(0.4, 1.5, questions)
    right = generator.binomial(size, p)
    pairs = right * (right - 1) / (size * (size - 1))
    error = pairs.std() / np.sqrt(questions)
    assert abs(pairs.mean() - (p**2).mean()) < 4 * error


def test_intervals_are_a_bootstrap_over_questions():
    """Against a plain loop with another generator; the error of a quantile of 1000 resamples is allowed for."""
    generator = np.random.default_rng(2)
    question = np.repeat(np.arange(30), generator.integers(1, 6, 30))
    values = (generator.random(len(question)) < 0.3 + 0.4 * (question % 2)).astype(float)
    got = mean_with_interval(values, question)
    other = np.random.default_rng(3)
    means = []
    for _ in range(4000):
        drawn = other.choice(30, 30)
        rows = np.concatenate([np.flatnonzero(question == one) for one in drawn])
        means.append(values[rows].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    assert got.low == pytest.approx(low, abs=0.02)
    assert got.high == pytest.approx(high, abs=0.02)
    assert got.value == values.mean()


def test_none_right_is_the_complement_of_pass_at_k():
    for n, c, k in itertools.product(range(1, 7), range(7), range(1, 7)):
        if c <= n and k <= n:
            subsets = list(itertools.combinations([1] * c + [0] * (n - c), k))
            want = np.mean([sum(subset) == 0 for subset in subsets])
            assert none_right(np.array([n]), np.array([c]), k)[0] == pytest.approx(want)


def test_conventions_deviations_and_phantoms(tmp_path):
    rows = run(seed=4)
    found = diagnose(read_rollouts(write_csv(tmp_path / "mine.csv", rows))).logged
    assert "verl" in found.names
    assert found.off == 0
    assert found.of_equal == 0

    # A tiny difference of reward at full size, equal rewards with an advantage, and one group with a wrong number
    rows += [
        {**rows[0], "group": "tiny", "reward": 1e-5 * i, "advantage": (-1.3, -0.4, 0.4, 1.3)[i]} for i in range(SIZE)
    ]
    rows += [{**rows[0], "group": "equal", "reward": 0.1, "advantage": 0.0024} for _ in range(SIZE)]
    rows += [{**rows[0], "group": "wrong", "reward": float(i), "advantage": 7.0} for i in range(SIZE)]
    found = diagnose(read_rollouts(write_csv(tmp_path / "mine.csv", rows))).logged
    assert "verl" in found.names
    assert found.phantom == 1
    assert found.of_equal == 1
    assert found.largest_of_equal == 0.0024
    assert 0 < found.off < 0.1


def test_remedies_wake_the_groups_that_they_should(tmp_path):
    rows = run(seed=5)
    found = diagnose(read_rollouts(write_csv(tmp_path / "mine.csv", rows)))
    wrong = [g for g in groups_by_hand(rows).values() if not any(row["reward"] for row in g)]
    differ = np.mean([len({row["first_error"] for row in group}) > 1 for group in wrong])
    by_name = {one.name: one for one in found.remedies}
    assert by_name["grpo"].woken.value == 0
    assert by_name["ngrpo"].woken.value == 1
    assert by_name["spo, all-wrong groups"].woken.value == pytest.approx(differ)
    assert by_name["spo_prefix"].praised == 0
    assert by_name["spo, all-wrong groups"].praised > 0


def test_broken_rows_are_counted_and_named(tmp_path):
    file = write_csv(tmp_path / "mine.csv", run())
    with open(file, "a", encoding="utf-8") as opened:
        opened.write("q1,0,oops,0,1,3,5\nq1,0\nq1,0,inf,0,1,3,5\nq1,0,0.0,0,9,3,5\n")
    found = diagnose(read_rollouts(file))
    assert {reason: number for reason, (number, _) in found.rollouts.bad.items()} == {
        "a reward that is no number": 1,
        "a line with too few or too many values": 1,
        "an infinite reward": 1,
        "a first error outside the response": 1,
    }
    assert "mine.csv:242" in str(found)
    assert len(found.rollouts) == 240
    lines = tmp_path / "more.jsonl"
    lines.write_text('{"group": 1, "reward": 1}\nnot json\n[1]\n{"group": 1, "reward": 0}\n{"group": 2}\n')
    assert {reason: number for reason, (number, _) in read_rollouts(lines).bad.items()} == {
        "a line that is no JSON": 1,
        "a line that is no JSON object": 1,
        "no column reward or correct": 1,
    }


def completions(folder, copies):
    """Files as TRL writes them: every batch again under another step, prompts of a group together, two rewards."""
    folder.mkdir()
    generator = np.random.default_rng(6)
    step = 0
    for batch in range(3):
        right = (generator.random(12) < 0.4).astype(float)
        right[5] = np.nan if batch == 0 else right[5]
        table = pd.DataFrame(
            {
                "step": 0,
                "prompt": [f"{batch}-{i // SIZE}" for i in range(12)],
                "completion": [["same", "other"][i % 2] for i in range(12)],
                "right": right,
                "advantage": 0.0,
            }
        )
        for _ in range(copies):
            step += 1
            table.assign(step=step).to_parquet(folder / f"completions_{step:05d}.parquet")
    return folder


def test_completions_of_trl(tmp_path):
    rollouts = read_rollouts(completions(tmp_path / "completions", copies=4))
    assert rollouts.source == "trl"
    assert len(rollouts) == 35
    assert len(np.unique(rollouts.group)) == 9
    assert {"9 of 12 files left out: the same batch was logged again"} <= set(rollouts.notes)
    assert rollouts.bad == {"a response without a reward": (1, ["completions_00001.parquet:6"])}
    assert "groups of 4 rows one after the other (recognized)" in rollouts.notes


def dump(folder, with_ids, seed=7):
    """Files as verl writes them; old ones have no ids, and rows of a prompt are not adjacent."""
    folder.mkdir()
    generator = np.random.default_rng(seed)
    want = []
    for step in (1, 2):
        rows = []
        for question in range(5):
            score = (generator.random(SIZE) < 0.3).astype(float)
            want.append(score.sum())
            for i in range(SIZE):
                row = {"input": f"Q{question}?", "output": "x" * (i + 1), "gts": "1", "score": score[i], "step": step}
                rows.append({**row, "uid": f"{question}_{i}_0"} if with_ids else row)
        order = generator.permutation(len(rows))
        (folder / f"{step}.jsonl").write_text("".join(json.dumps(rows[i]) + "\n" for i in order))
    return folder, want


@pytest.mark.parametrize("with_ids", [False, True])
def test_dumps_of_verl(tmp_path, with_ids):
    folder, want = dump(tmp_path / "dump", with_ids)
    found = diagnose(read_rollouts(folder))
    assert found.rollouts.source == "verl"
    assert sorted(found.groups.right) == sorted(want)
    assert found.repeated == 5
    assert bool(found.rollouts.notes) is not with_ids


def test_data_of_nemo_rl(tmp_path):
    rows = [
        {"content": [f"Q{i // SIZE}", "a"], "rewards": float(i % SIZE == 0), "idx": i, "advantages": [0.0, 0.5, 0.5],
         "token_loss_mask": [0, 1, 1]}
        for i in range(8)
    ]  # fmt: skip
    (tmp_path / "train_data_step3.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match="group_size"):
        read_rollouts(tmp_path)
    rollouts = read_rollouts(tmp_path, group_size=SIZE)
    assert rollouts.group.tolist() == [0] * 4 + [1] * 4
    assert set(rollouts.advantage) == {0.5}
    assert set(rollouts.length) == {2.0}
    assert set(rollouts.step) == {3}


def test_bad_settings_are_refused(tmp_path):
    file = write_csv(tmp_path / "mine.csv", run())
    for settings in ({"reader": "slime"}, {"group_size": 1}, {"rewards": ("reward",), "weights": (1.0, 2.0)}):
        with pytest.raises(InputError, match=r"reader|group_size|weights"):
            read_rollouts(file, **settings)
    with pytest.raises(InputError, match="logs"):
        read_rollouts(tmp_path / "gone")
    empty = tmp_path / "empty.csv"
    empty.write_text("group,reward\n")
    with pytest.raises(InputError, match="at least one record"):
        read_rollouts(empty)
    empty.write_text("group,reward\na,x\n")
    with pytest.raises(InputError, match="no usable row"):
        diagnose(read_rollouts(empty))


def test_a_column_decides_what_is_correct(tmp_path):
    rows = [{"uid": "a", "score": 5.0, "acc": True}, {"uid": "a", "score": 0.5, "acc": False}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read_rollouts(tmp_path).correct.tolist() == [True, False]
    assert read_rollouts(tmp_path, correct="acc").correct.tolist() == [True, False]
    assert read_rollouts(tmp_path, correct_at=0.1).correct.tolist() == [True, True]


def test_page_and_summary_show_the_numbers(tmp_path):
    found = diagnose(read_rollouts(write_csv(tmp_path / "mine.csv", run())))
    html, text = page(found), str(found)
    for estimate in found.shares.values():
        assert estimate.percent() in text
    assert found.shares["all wrong"].percent() in html
    assert html.count("<svg") == html.count("</svg>") == 3
    assert "http" not in html
    quantities = {row["quantity"] for row in found.rows()}
    assert {"share all wrong", "useful groups in 1000 responses", "share of all-wrong groups woken"} <= quantities


def test_the_worked_example_of_the_page_is_its_output(tmp_path, monkeypatch):
    text = (Path(__file__).parents[3] / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    [code] = re.findall(r"<!-- example: diagnosis -->\n```python\n(.*?)```", text, flags=re.DOTALL)
    [output] = re.findall(r"<!-- output: diagnosis -->\n```console\n\$ .*?\n(.*?)```", text, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert str(diagnose(read_rollouts("run.csv"))) + "\n" == output
