"""`spo remedies`: the ranking for a user's own numbers, and what it refuses."""

import pandas as pd
import pytest

from paper_repro.cli import main
from paper_repro.cli.remedies import ranking
from paper_repro.contenders import VARIANTS, contender, contenders, raced
from spo_theory import rule

LINE = ["remedies", "--step-success", "0.4", "--horizon", "3", "--group-size", "4"]


def test_the_ranking_follows_the_prices(capsys, tmp_path):
    """Imitation needs no rollouts: the cheapest if solutions cost nothing, the dearest if they cost a fortune."""
    order = {}
    for price in ("0", "1000"):
        out = tmp_path / f"{price}.csv"
        line = [*LINE, "--rules", "grpo", "spo", "imitation", "--prices", "1", "0.1", price, "--out", str(out)]
        assert main(line) == 0
        said = capsys.readouterr().out
        assert "H = 3, G = 4" in said
        table = pd.read_csv(out)
        order[price] = table["contender"].tolist()
        assert table["price"].is_monotonic_increasing
        for row in table.itertuples():
            want = row.rollouts + 0.1 * row.steps_judged + float(price) * row.solutions
            assert row.price == pytest.approx(want)
    assert order["0"][0] == "imitation"
    assert order["1000"][-1] == "imitation"
    assert order["1000"].index("spo") < order["1000"].index("grpo")


def test_a_worse_judge_makes_colouring_dearer(capsys):
    updates = []
    for miss in (0.0, 0.4):
        [row] = raced("spo", 4, 3, (0.3,), miss=miss, false_alarm=miss / 2).itertuples()
        updates.append(row.updates)
    assert updates[1] > 1.2 * updates[0]


def test_every_method_is_a_contender():
    assert set(rule.names()) | set(VARIANTS) == set(contenders())
    for name in contenders():
        assert contender(name, 4).group_size == 4


def test_a_contender_without_an_exact_form_says_so(capsys):
    """Credit to the prefix is enumerated: too many compositions of 200 responses."""
    line = ["remedies", "--step-success", "0.4", "--horizon", "8", "--group-size", "200", "--rules", "spo_prefix"]
    assert main(line) == 0
    assert "spo_prefix: group compositions" in capsys.readouterr().out
    table = ranking(raced("spo_prefix", 200, 8, (0.4,)), (1, 1, 1))
    assert table["price"].isna().all()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--step-success", "1"], "step_success = 1.0 is not allowed"),
        (["--horizon", "0"], "horizon = 0 is not allowed"),
        (["--group-size", "1"], "group_size = 1 is not allowed"),
        (["--judge-miss", "2"], "judge_miss = 2.0 is not allowed"),
        (["--judge-false-alarm", "-1"], "judge_false_alarm = -1.0 is not allowed"),
        (["--prices", "1", "2"], "prices = [1.0, 2.0] is not allowed"),
        (["--prices", "1", "2", "-3"], "prices = [1.0, 2.0, -3.0] is not allowed"),
        (["--learning-rate", "0"], "learning_rate = 0.0 is not allowed"),
        (["--rules", "ppo"], "rules = 'ppo' is not allowed"),
        (["--out", "table.txt"], "out = 'table.txt' is not allowed"),
    ],
)
def test_bad_values_are_refused_in_one_line(option, message, capsys):
    assert main([*LINE, *option]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
