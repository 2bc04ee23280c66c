"""Which cases of a long table `make test` runs; `make test-all` runs all."""

import pytest


def spare(cases, spared):
    """All ``cases`` for `pytest.mark.parametrize`; those of ``spared`` are marked ``thorough``.

    Name the cases to spare, not those to run: a new case is then run every day until somebody decides otherwise.
    """
    missing = [case for case in spared if case not in cases]
    assert not missing, f"no such cases: {missing}"
    return [_thorough(case) if case in spared else case for case in cases]


def _thorough(case):
    """One case; a tuple holds the values of several parameters."""
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.thorough)


KIN = (
    "best_of_n",
    "corpo",
    "history_resampling",
    "maxrl",
    "ngrpo",
    "pass_at_k",
    "pref_ft",
    "raft_pp",
    "reinforce",
    "reinforce_rej",
    "rloo",
    "sign",
)
"""Methods that see outcomes alone and keep or weight whole responses, as `grpo`, `dr_grpo` and `raft` do."""
