"""Adversarial groups of responses, as plain numpy arrays, and the array libraries they are handed to."""

from typing import NamedTuple

import array_api_strict
import jax
import jax.numpy as jnp
import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st

SIZES = st.integers(2, 9)


class Groups(NamedTuple):
    """Judged responses: correct ``(Q, G)``, first_error ``(Q, G)``, lengths ``(Q, G)``."""

    correct: np.ndarray
    first_error: np.ndarray
    lengths: np.ndarray


@st.composite
def judged_groups(draw, sizes=SIZES, questions=3):
    """Groups of responses of 1 to 12 steps: mixed, all-negative, all-positive, all failing at one step."""
    g, steps = draw(sizes), draw(st.integers(1, 12))
    kinds = draw(
        st.lists(st.sampled_from(["any", "negative", "positive", "stuck"]), min_size=questions, max_size=questions)
    )
    rows = []
    for kind in kinds:
        low, high = {
            "any": (0, steps),
            "negative": (0, steps - 1),
            "positive": (steps, steps),
            "stuck": (0, steps - 1),
        }[kind]
        if kind == "stuck":
            rows.append([draw(st.integers(low, high))] * g)
        else:
            rows.append(draw(st.lists(st.integers(low, high), min_size=g, max_size=g)))
    first_error = np.array(rows)
    return Groups(first_error == steps, first_error, np.full(first_error.shape, steps))


@st.composite
def reward_groups(draw, dtype=np.float64, sizes=SIZES, questions=3):
    """Rewards ``(Q, G)``: any, constant, nearly equal, one odd one out, neighbouring numbers, huge, tiny, binary.

    Differences stay above the smallest normal number: below it jax on a CPU takes rewards as equal.
    """
    g = draw(sizes)
    grid = st.integers(-1000, 1000).map(lambda k: k / 1000)
    extreme = {"huge": 1e300, "tiny": 1e-300} if dtype == np.float64 else {"huge": 1e37, "tiny": 1e-30}

    def row(of):
        return draw(st.lists(of, min_size=g, max_size=g))

    rows = []
    for _ in range(questions):
        kind = draw(st.sampled_from(["any", "constant", "close", "odd", "ulp", "huge", "tiny", "binary"]))
        base = draw(st.sampled_from([0.0, 1.0, 0.1, 1 / 3, -2.7, 1e4]))
        if kind == "any":
            rows.append(row(st.floats(-10, 10).map(lambda x: x if abs(x) > 1e-30 else 0.0)))
        elif kind == "constant":
            rows.append([draw(st.sampled_from([0.1, 1 / 3, 0.7, -2.3, 1e-30, 0.0, 1e5]))] * g)
        elif kind == "close":
            rows.append([base + 1e-7 * k for k in row(st.integers(0, 3))])
        elif kind == "odd":
            rows.append([base] * (g - 1) + [base + draw(st.sampled_from([1e-7, 1.0, -3.0]))])
        elif kind == "ulp":
            near = dtype(base or 1)
            rows.append([(near, np.nextafter(near, dtype(2e4)))[b] for b in row(st.integers(0, 1))])
        elif kind == "binary":
            rows.append([float(b) for b in row(st.booleans())])
        else:
            rows.append([extreme[kind] * x for x in row(grid)])
    return np.array(rows, dtype=dtype)


def _torch(x):
    x = np.ascontiguousarray(x)
    return torch.from_numpy(x).requires_grad_(x.dtype.kind == "f")


LIBRARIES = {"numpy": np.asarray, "strict": array_api_strict.asarray, "jax": jnp.asarray, "torch": _torch}


def to_numpy(x):
    """Any library's array as numpy."""
    if isinstance(x, torch.Tensor):
        return x.detach().numpy()
    return np.asarray(x)


def call(library, function, *arrays):
    """Call ``function`` on ``arrays`` handed over to ``library`` (jax: jitted, and vmapped over groups too)."""
    if library == "jax_jit":
        return np.asarray(jax.jit(function)(*(jnp.asarray(a) for a in arrays)))
    if library == "jax_vmap":
        return np.asarray(jax.vmap(function)(*(jnp.asarray(a) for a in arrays)))
    return to_numpy(function(*(LIBRARIES[library](a) for a in arrays)))


EVERY = ["numpy", "strict", "jax", "jax_jit", "jax_vmap", "torch"]


def budget(library):
    """Examples for a library: on jax every new shape compiles, so it gets fewer than the others."""
    usual = settings().max_examples
    return settings(max_examples=max(usual // 8, 1)) if library.startswith("jax") else settings()


def sizes(library):
    """Group sizes to try on a library: on jax only a few, so that compiled code is used again."""
    return st.sampled_from([2, 5]) if library.startswith("jax") else SIZES
