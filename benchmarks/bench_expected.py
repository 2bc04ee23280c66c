"""Speed of the exact expected updates: sweeps, one large evaluation, growth with G and H, against Monte Carlo."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from spo_theory import ReasoningChain, expected_update, rule, sampled_update, solve
from spo_theory.dynamics.maps import escape_map, follow
from spo_theory.exact.by_class.prepare import choose_method
from spo_theory.exact.by_class.quadrature import node_count
from spo_theory.exact.by_class.scopes import class_rewards
from spo_theory.exact.update import prepare_update, rule_advantage_function
from spo_theory.outcomes.chain import class_probabilities, class_scores


def seconds(function: Callable[[], object], at_least: float = 1.0) -> float:
    """Shortest time of one call, after a first call that compiles; repeated for ``at_least`` seconds."""
    jax.block_until_ready(function())
    best, start = np.inf, time.perf_counter()
    while time.perf_counter() - start < at_least or best == np.inf:
        t = time.perf_counter()
        jax.block_until_ready(function())
        best = min(best, time.perf_counter() - t)
    return best


def update_of(horizon: int, group_size: int, scope: str = "all_incorrect") -> Callable[[jax.Array], jax.Array]:
    """The jitted expected update as a function of logits ``(..., H)``."""
    r = rule("spo", group_size=group_size, beta=5.0, gamma=0.5, scope=scope)
    advantages = rule_advantage_function(r, ReasoningChain(step_success=np.full(horizon, 0.5)).rts)

    @jax.jit
    def update(logits: jax.Array) -> jax.Array:
        p = class_probabilities(logits)
        return jnp.einsum("...k,...kh->...h", p * advantages(p), class_scores(logits))

    return update


def sweeps() -> None:
    """Updates per minute of a batched sweep over initial conditions."""
    print("sweep                          updates/min     wanted")
    for horizon, group_size, rows, wanted in ((4, 8, 20_000, 1e6), (8, 64, 1000, 1e5)):
        logits = jnp.asarray(np.random.default_rng(0).normal(size=(rows, horizon)))
        for scope in ("all_incorrect", "all_negative"):
            update = update_of(horizon, group_size, scope)
            speed = rows / seconds(lambda f=update, x=logits: f(x)) * 60
            print(f"H={horizon:<3} G={group_size:<5} {scope:<15} {speed:12.3g} {wanted:10.0e}")


def single() -> None:
    """Time of one evaluation, compiled."""
    print("\none evaluation               ms   prepare ms     wanted ms")
    for horizon, group_size in ((4, 8), (8, 64), (16, 1024), (64, 1024), (64, 4096)):
        start = time.perf_counter()
        update = update_of(horizon, group_size)
        prepared = time.perf_counter() - start
        x = jnp.zeros(horizon)
        wanted = "50" if (horizon, group_size) == (64, 1024) else ""
        print(f"H={horizon:<3} G={group_size:<5} {seconds(lambda f=update, x=x: f(x)) * 1e3:16.3g}"
              f" {prepared * 1e3:10.0f} {wanted:>10}")  # fmt: skip


def growth(out: Path | None) -> None:
    """Cost against G and H: nodes, time of one evaluation, and their exponents by least squares on logarithms."""
    print("\ngrowth exponent              nodes       time")
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for ax, name, cases in (
        (axes[0], "G, at H=8", [(8, g) for g in (64, 128, 256, 512, 1024, 2048, 4096)]),
        (axes[1], "H, at G=64", [(h, 64) for h in (4, 8, 16, 32, 64)]),
    ):
        size = np.array([c[1] if name[0] == "G" else c[0] for c in cases])
        counts, times = [], []
        for horizon, group_size in cases:
            chain = ReasoningChain(step_success=np.full(horizon, 0.5))
            coloured = class_rewards(rule("spo", beta=5.0, gamma=0.5), chain.rts[:-1])[1]
            assert coloured is not None
            assert choose_method(coloured, group_size) == "quadrature"
            counts.append(node_count(coloured, group_size))
            update, x = update_of(horizon, group_size), jnp.zeros(horizon)
            times.append(seconds(lambda f=update, x=x: f(x), 0.5))
        slopes = [np.polyfit(np.log(size), np.log(y), 1)[0] for y in (counts, times)]
        print(f"{name:<24} {slopes[0]:10.2f} {slopes[1]:10.2f}")
        for y, label, slope in ((counts, "quadrature nodes", slopes[0]), (times, "time of one evaluation", slopes[1])):
            ax.loglog(size, np.array(y) / y[0], "o-", label=f"{label}: exponent {slope:.2f}")
        ax.set(xlabel=name.replace(", at", "  at"), ylabel="relative to the first")
        ax.legend(fontsize=8)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "growth.png", dpi=120)
        print(f"written: {out / 'growth.png'}")


def compiled_once() -> None:
    """Time of a first `solve` and of a second one with another colouring, group size, start and rate; H=6, 100 updates.

    The bare evaluation is the compiled path alone: what the second call takes beyond it is its preparation.
    """
    print("\nsolve, H=6, 100 updates      first ms  second ms    bare ms     beyond")
    for scope in ("all_negative", "all_incorrect"):
        jax.clear_caches()
        calls = [(8, 5.0, 0.5, 0.3, 1.0), (16, 7.0, 0.4, 0.4, 0.5), (64, 10.0, 0.6, 0.2, 0.7), (4, 5.0, 0.5, 0.3, 0.9)]
        first = np.nan
        for group_size, beta, gamma, q, rate in calls:
            chain = ReasoningChain(step_success=[q] * 6)
            r = rule("spo", group_size=group_size, beta=beta, gamma=gamma, scope=scope)
            start = time.perf_counter()
            solve(chain, r, 100, rate)
            spent = time.perf_counter() - start
            first = spent if np.isnan(first) else first
            second = seconds(lambda c=chain, r=r, e=rate: solve(c, r, 100, e), 0.5)
            form = prepare_update(chain, r, padded=True)
            settings = (form, None, chain.logits, rate, None, None)
            bare = seconds(lambda s=settings: follow(*s, optimizer="sgd", steps=100), 0.5)
            print(f"{scope} G={group_size:<4} {first * 1e3:19.0f} {second * 1e3:10.1f} {bare * 1e3:10.1f}"
                  f" {(second - bare) * 1e3:10.1f}")  # fmt: skip


def phase_diagram() -> None:
    """Time of 200 x 200 initial conditions x 300 exact updates, compilation included."""
    axis = (np.arange(200) + 0.5) / 200
    early, late = (a.ravel() for a in np.meshgrid(axis, axis))
    print("\n200 x 200 starts x 300 updates      s    wanted s")
    for horizon, group_size in ((2, 8), (4, 8), (4, 64)):
        q = np.repeat(np.stack([early, late], axis=1), horizon // 2, axis=1)
        chain = ReasoningChain(step_success=q)
        start = time.perf_counter()
        reached = escape_map(chain, rule("spo", group_size=group_size, beta=5.0), 300)
        spent = time.perf_counter() - start
        print(
            f"H={horizon:<3} G={group_size:<5} {spent:26.1f} {60:11d}   ({np.isfinite(reached).mean():.0%} reach 1/2)"
        )


def against_monte_carlo() -> None:
    """Time to a relative error of 1e-4 by sampling, extrapolated from its standard error, over the exact time."""
    print("\nH=4, to 1e-4            exact s   Monte Carlo s       ratio")
    chain = ReasoningChain(step_success=[0.4, 0.5, 0.6, 0.5])
    for group_size in (8, 64, 512):
        r = rule("spo", group_size=group_size, beta=5.0, gamma=0.5, scope="all_incorrect")
        update, x = update_of(4, group_size), jnp.asarray(chain.logits)
        exact = seconds(lambda f=update, x=x: f(x))
        groups = 2**20 // group_size
        sampled_update(chain, r, groups, 0)
        start = time.perf_counter()
        got = sampled_update(chain, r, groups, 1)
        spent = time.perf_counter() - start
        error = np.linalg.norm(got.standard_error) / np.linalg.norm(expected_update(chain, r))
        needed = spent * (error / 1e-4) ** 2
        print(f"G={group_size:<16} {exact:12.3g} {needed:14.3g} {needed / exact:12.3g}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None, help="folder for growth.png")
    options = parser.parse_args()
    sweeps()
    single()
    growth(options.out)
    compiled_once()
    phase_diagram()
    against_monte_carlo()
