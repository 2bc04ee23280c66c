"""The registry of methods: what is there, how options are found, refused and passed on."""

import subprocess
import sys

import pytest

from spo_theory import InputError, rule
from spo_theory.method import Method
from spo_theory.methods.registry import Entry, Registry
from spo_theory.parts.filters import MixedGroups
from spo_theory.parts.objectives import Clipped

NAMES = [
    "aligned", "best_of_n", "corpo", "dapo", "dpo", "dr_grpo", "easier_questions", "group_invariant", "grpo",
    "grpo_process", "hints", "history_resampling", "imitation", "ipo", "lens", "maxrl", "multi_objective", "ngrpo",
    "pass_at_k", "pref_ft", "raft", "raft_pp", "rebel", "reinforce", "reinforce_rej", "rloo", "rwr", "sign", "spo",
    "spo_prefix", "step_dpo",
    "token_weighted", "unlikeliness",
]  # fmt: skip


def test_every_method_is_found_by_itself():
    assert rule.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_method_says_what_it_is(name):
    entry = rule.entry(name)
    assert rule.describe(name).endswith(".")
    assert entry.source
    assert entry.label
    assert entry.colour.startswith("#")
    assert rule(name).name == name


def test_labels_and_colours_tell_methods_apart():
    entries = [rule.entry(name) for name in rule.names()]
    assert len({e.label for e in entries}) == len(entries)
    assert len({e.colour for e in entries}) == len(entries)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_listed_with_help_and_can_be_given(name):
    options = rule.options(name)
    assert options[0].name == "group_size"
    assert all(option.help.endswith(".") for option in options)
    defaults = {option.name: option.default for option in options}
    assert rule(name, **defaults) == rule(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_can_be_hashed_and_described_by_its_repr(name):
    """Both are cache keys, so lambdas and arrays inside a method would break them."""
    method = rule(name)
    assert hash(method) == hash(rule(name))
    assert "0x" not in repr(method)


def test_shared_options_reach_the_parts():
    method = rule("spo", train_on="mixed", clip_low=0.1, clip_high=0.3)
    assert method.keep == MixedGroups()
    assert method.objective == Clipped(0.1, 0.3)
    assert rule("spo_prefix", beta=3.0).reward.beta == 3.0
    assert rule("rebel", eta=0.5).objective.eta == 0.5


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ppo", {}, "rule = 'ppo' is not allowed: rule must be one of aligned, best_of_n"),
        ("spo", {"betta": 1}, "option 'betta' = 1 is not allowed for rule 'spo': use group_size, beta"),
        (
            "grpo",
            {"beta": 1.0},
            "option 'beta' = 1.0 is not allowed for rule 'grpo': rules with it are dpo, spo",
        ),
        ("rebel", {"clip_low": 0.1}, "option 'clip_low' = 0.1 is not allowed for rule 'rebel': rules with it are ali"),
        ("rebel", {"eta": 0.0}, "eta = 0.0"),
        ("rebel", {"eta": float("nan")}, "eta = nan"),
        ("grpo", {"train_on": "some"}, "train_on = 'some'"),
        ("grpo", {"clip_low": 2.0}, "clip_low = 2.0"),
        ("grpo", {"clip_high": float("inf")}, "clip_high = inf"),
        ("raft", {"group_size": 1}, "group_size = 1"),
        ("raft", {"group_size": True}, "group_size = True"),
    ],
)
def test_bad_options_are_refused_in_one_line(name, options, message):
    with pytest.raises(InputError) as error:
        rule(name, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_that_is_taken_is_refused():
    other = Registry()
    entry = Entry("once", lambda: Method("once"), "here", "Once", "#000000", lambda: Method("once"))
    other.register(entry)
    with pytest.raises(InputError, match="registered already"):
        other.register(entry)


def test_a_method_of_ones_own_is_one_file(tmp_path):
    """The registry lists what a user's file registers, with its own options."""
    (tmp_path / "mine.py").write_text(
        "from typing import Annotated\n"
        "from spo_theory.method import Method\n"
        "from spo_theory.methods.options import GroupSize\n"
        "from spo_theory.methods.registry import method\n"
        "from spo_theory.parts.baselines import Raw\n\n"
        "@method(source='here', label='Mine', colour='#123456')\n"
        "def mine(group_size: GroupSize = 4, size: Annotated[float, 'Nothing.'] = 1.0) -> Method:\n"
        "    '''Mine: the outcome as advantage.'''\n"
        "    return Method('mine', group_size, baseline=Raw())\n"
    )
    code = (
        "import mine; from spo_theory import rule, expected_update, ReasoningChain;"
        "print('mine' in rule.names(), [o.name for o in rule.options('mine')][:2])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "True ['group_size', 'size']"
