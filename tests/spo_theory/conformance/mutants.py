"""Planted bugs, one in a correct function each; run as a program it prints the table of docs/conformance.md."""

import numpy as np

from spo_theory.conformance import check

COUNTER = [0]


def mean(r):
    return r.mean(-1, keepdims=True)


def std(r, ddof=1):
    return r.std(-1, ddof=ddof, keepdims=True)


def trl(r):
    """TRL's formula, with the smallest reward subtracted first, so that equal rewards are exactly silent."""
    d = r - r.min(-1, keepdims=True)
    return (d - mean(d)) / (std(d) + r.dtype.type(1e-4))


def with_memory(r):
    COUNTER[0] += 1
    return trl(r) * (1 + 0.01 * (COUNTER[0] % 3))


def by_uid(rewards, uids, formula=trl):
    """The formula on every group of rows, in the place of the rows."""
    result = np.zeros_like(rewards)
    for uid in set(uids):
        rows = np.array([other == uid for other in uids])
        result[rows] = formula(rewards[rows][None])[0] if rows.sum() > 1 else 0
    return result


def masked(r, valid=None, formula=None, count=None):
    """TRL's formula on the responses that count."""
    valid = np.ones(r.shape, bool) if valid is None else valid
    result = np.zeros_like(r)
    for row in range(len(r)):
        seen = r[row, valid[row]]
        if len(seen) > 1:
            result[row, valid[row]] = trl(seen[None])[0]
    return result


def masked_as_zero(r, valid=None):
    return trl(np.where(masked_all(r, valid), r, 0)) * masked_all(r, valid)


def masked_all(r, valid):
    return np.ones(r.shape, bool) if valid is None else valid


def masked_keeps_advantage(r, valid=None):
    return masked(r, valid) + np.where(masked_all(r, valid), 0, r).astype(r.dtype)


def masked_raw_if_alone(r, valid=None):
    valid = masked_all(r, valid)
    alone = valid & (valid.sum(-1, keepdims=True) == 1)
    return np.where(alone, r, masked(r, valid))


def masked_nan_if_alone(r, valid=None):
    valid = masked_all(r, valid)
    alone = valid & (valid.sum(-1, keepdims=True) == 1)
    return np.where(alone, np.nan, masked(r, valid)).astype(r.dtype)


def masked_old_size(r, valid=None):
    valid = masked_all(r, valid)
    total = np.where(valid, r, 0).sum(-1, keepdims=True) / r.shape[-1]
    return np.where(valid & (valid.sum(-1, keepdims=True) < r.shape[-1]), r - total, masked(r, valid)).astype(r.dtype)


def consecutive(rewards, uids):
    size = sum(uid == uids[0] for uid in uids)
    return trl(rewards.reshape(-1, size)).ravel() if len(rewards) % size == 0 else by_uid(rewards, uids)


def raw_if_alone(rewards, uids):
    result = by_uid(rewards, uids)
    for row, uid in enumerate(uids):
        if sum(other == uid for other in uids) == 1:
            result[row] = rewards[row]
    return result


def flat(r, group_size, formula=trl):
    return formula(r.reshape(-1, group_size)).ravel()


def flat_transposed(r, group_size):
    return trl(r.reshape(group_size, -1).T.copy()).T.ravel()


def one_pass(r):
    variance = (mean(r * r) - mean(r) ** 2) * (r.shape[-1] / (r.shape[-1] - 1))
    return (r - mean(r)) / (np.sqrt(np.maximum(variance, 0)) + r.dtype.type(1e-4))


MUTANTS = {
    # name: (function, convention, layout, property that must find it)
    "sign reversed": (lambda r: -trl(r), "trl", "grouped", "in_order"),
    "ddof 0 for 1": (lambda r: (r - mean(r)) / (std(r, 0) + 1e-4), "trl", "grouped", "values_on_0_and_1"),
    "ddof 1 for 0": (lambda r: (r - mean(r)) / (std(r, 1) + 1e-8), "open_instruct", "grouped", "values_on_0_and_1"),
    "epsilon 1e-6 for 1e-4": (
        lambda r: (r - mean(r)) / (std(r) + 1e-6),
        "trl",
        "grouped",
        "values_on_tiny_differences",
    ),
    "epsilon 1e-8 for 1e-9": (
        lambda r: (r - mean(r)) / (std(r) + 1e-8),
        "openrlhf_group_norm",
        "grouped",
        "values_on_tiny_differences",
    ),
    "epsilon under the root": (
        lambda r: (r - mean(r)) / np.sqrt(std(r) ** 2 + 1e-4),
        "trl",
        "grouped",
        "values_on_tiny_differences",
    ),
    "no epsilon": (lambda r: np.nan_to_num((r - mean(r)) / std(r)), "verl", "grouped", "values_on_tiny_differences"),
    "no epsilon, NaN kept": (lambda r: (r - mean(r)) / std(r), "paper", "grouped", "finite"),
    "epsilon as a floor": (
        lambda r: (r - mean(r)) / np.maximum(std(r), 1e-4),
        "trl",
        "grouped",
        "values_on_tiny_differences",
    ),
    "deviation clipped at 0.1": (
        lambda r: (r - mean(r)) / (np.maximum(std(r), 0.1) + 1e-4),
        "trl",
        "grouped",
        "values_on_tiny_differences",
    ),
    "variance for deviation": (lambda r: (r - mean(r)) / (std(r) ** 2 + 1e-4), "trl", "grouped", "values_on_0_and_1"),
    "absolute deviation": (
        lambda r: (r - mean(r)) / (mean(np.abs(r - mean(r))) + 1e-4),
        "trl",
        "grouped",
        "values_on_0_and_1",
    ),
    "median for mean": (
        lambda r: (r - np.median(r, -1, keepdims=True)) / (std(r) + 1e-4),
        "trl",
        "grouped",
        "sums_to_zero",
    ),
    "first response as baseline": (lambda r: r - r[..., :1], "dr_grpo", "grouped", "order_of_responses"),
    "best response as baseline": (lambda r: r - r.max(-1, keepdims=True), "dr_grpo", "grouped", "sums_to_zero"),
    "no baseline": (lambda r: r, "dr_grpo", "grouped", "equal_rewards_are_silent"),
    "baseline of the batch": (lambda r: (r - r.mean()) / (std(r) + 1e-4), "trl", "grouped", "groups_are_independent"),
    "deviation of the batch": (
        lambda r: (r - mean(r)) / (r.std(ddof=1) + 1e-4),
        "trl",
        "grouped",
        "groups_are_independent",
    ),
    "deviation of the group for the batch's": (trl, "trl_batch", "grouped", "values_on_graded"),
    "whole batch as one group": (
        lambda r: (r - r.mean()) / (r.std() + 1e-4),
        "trl",
        "grouped",
        "groups_are_independent",
    ),
    "mean over the wrong axis": (
        lambda r: r - r.mean(0, keepdims=True),
        "dr_grpo",
        "grouped",
        "groups_are_independent",
    ),
    "groups swapped": (lambda r: trl(np.roll(r, 1, 0)), "trl", "grouped", "groups_are_independent"),
    "responses shifted": (lambda r: np.roll(trl(r), 1, -1), "trl", "grouped", "in_order"),
    "leave-one-out without G/(G-1)": (lambda r: r - mean(r), "trl_rloo", "grouped", "values_on_0_and_1"),
    "leave-one-out for the mean": (
        lambda r: r - (r.sum(-1, keepdims=True) - r) / (r.shape[-1] - 1),
        "dr_grpo",
        "grouped",
        "values_on_0_and_1",
    ),
    "advantages clipped at 1": (lambda r: np.clip(trl(r), -1, 1), "trl", "grouped", "values_on_0_and_1"),
    "advantages clipped at 3": (lambda r: np.clip(trl(r), -3, 3), "trl", "grouped", "values_on_0_and_1"),
    "positive part alone": (lambda r: np.maximum(trl(r), 0), "trl", "grouped", "sums_to_zero"),
    "rewards clipped to 0..1": (lambda r: trl(np.clip(r, 0, 1)), "trl", "grouped", "values_on_plus_minus_1"),
    "rewards cut to whole numbers": (lambda r: trl(np.trunc(r)), "trl", "grouped", "unequal_rewards_speak"),
    "nearly equal taken as equal": (
        lambda r: np.where(np.ptp(r, -1, keepdims=True) < 1e-3, 0, trl(r)),
        "trl",
        "grouped",
        "values_on_tiny_differences",
    ),
    "with a memory": (with_memory, "trl", "grouped", "repeatable"),
    "returns the mean alone": (lambda r: mean(r)[..., 0], "trl", "grouped", "usable"),
    "raises for groups of two": (lambda r: trl(r) if r.shape[-1] > 2 else 1 / 0, "trl", "grouped", "usable"),
    "mean in float32, divided by its own rounding": (
        lambda r: (r - mean(r)) / (std(r) + 1e-8),
        "tiny_grpo",
        "grouped",
        "equal_rewards_are_silent_in_rounding",
    ),
    "variance in one pass": (one_pass, "trl", "grouped", "large_offset"),
    "half precision inside": (
        lambda r: trl(r.astype(np.float16)).astype(r.dtype),
        "trl",
        "grouped",
        "values_on_graded",
    ),
    "groups taken as columns": (flat_transposed, "trl", "flat", "groups_are_independent"),
    "groups of one size more": (
        lambda r, group_size: flat(np.roll(r, 1), group_size),
        "trl",
        "flat",
        "groups_are_independent",
    ),
    "rows of a group taken as adjacent": (consecutive, "trl", "uids", "interleaved_rows"),
    "raw reward if alone": (raw_if_alone, "trl", "uids", "one_response_left"),
    "masked rewards count as 0": (masked_as_zero, "trl", "grouped", "ragged_groups"),
    "masked responses keep an advantage": (masked_keeps_advantage, "trl", "grouped", "masked_are_ignored"),
    "masked: raw reward if alone": (masked_raw_if_alone, "trl", "grouped", "one_response_left"),
    "masked: NaN if alone": (masked_nan_if_alone, "trl", "grouped", "one_response_left"),
    "masked: divided by the old size": (masked_old_size, "trl", "grouped", "ragged_groups"),
}

CORRECT = {
    "trl": (trl, "grouped"),
    "trl, flat": (flat, "flat"),
    "trl, ids": (by_uid, "uids"),
    "trl, masked": (masked, "grouped"),
}
"""The functions that the bugs were planted in."""


def judged(name):
    """The report on a mutant."""
    function, convention, layout, _ = MUTANTS[name]
    return check(function, convention, layout=layout, name=name, sizes=(2, 3, 4, 16), dtype="float32")


def table():
    """The table of docs/conformance.md: every bug, and the properties that find it."""
    rows = ["| planted bug | convention | layout | properties that fail |", "|---|---|---|---|"]
    for name, (_, convention, layout, _) in MUTANTS.items():
        found = ", ".join(f"`{finding.property.name}`" for finding in judged(name).failed)
        rows.append(f"| {name} | {convention} | {layout} | {found} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
