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
def judged_groups(draw, questions=3):
    """Groups of responses of 1 to 12 steps: mixed, all-negative, all-positive, all failing at one step."""
    g, steps = draw(SIZES), draw(st.integers(1, 12))
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
def reward_groups(draw, questions=3):
    """Rewards ``(Q, G)`` in float64: ordinary, constant, nearly equal (1e-7 apart), one odd one out, huge, tiny."""
    g = draw(SIZES)
    rows = []
    for _ in range(questions):
        kind = draw(st.sampled_from(["any", "constant", "close", "odd", "huge", "tiny", "binary"]))
        base = draw(st.floats(-10, 10))
        if kind == "any":
            row = draw(st.lists(st.floats(-10, 10), min_size=g, max_size=g))
        elif kind == "constant":
            row = [draw(st.sampled_from([0.1, 1 / 3, 0.7, -2.3, 1e-30, 0.0, 1e5]))] * g
        elif kind == "close":
            row = [base + 1e-7 * k for k in draw(st.lists(st.integers(0, 3), min_size=g, max_size=g))]
        elif kind == "odd":
            row = [base] * (g - 1) + [base + draw(st.sampled_from([1e-7, 1.0, -3.0]))]
        elif kind == "binary":
            row = [float(b) for b in draw(st.lists(st.booleans(), min_size=g, max_size=g))]
        else:
            scale = 1e150 if kind == "huge" else 1e-150
            row = [scale * x for x in draw(st.lists(st.floats(-1, 1), min_size=g, max_size=g))]
        rows.append(row)
    return np.array(rows)


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
    return settings(max_examples=6) if library.startswith("jax") else settings()
