"""Figures of the statements about learning dynamics: escape, stall, options, difficulty and collapse."""

import numpy as np
import pandas as pd
from scipy.special import betaln

from figures.style import label
from paper_repro.studies.statements.picture import Picture, joined, series
from spo_theory.dynamics.escape import collapse_rate, escape_time, fewest_updates, pair_colouring_time
from spo_theory.dynamics.flow import flow_time
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.dynamics.sampled import simulate
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.options import solve_options

NORMAL_95 = 1.96  # half a 95 % interval of the normal distribution, in standard errors


def escape_bounds() -> pd.DataFrame:
    """Updates to half success from q = 0.3: GRPO (G = 8) with its bound and asymptote, pairs with their bound."""
    # Measured times are points, proved bounds dashed lines
    horizons = np.arange(2, 11)
    chains = [ReasoningChain(step_success=[0.3] * int(h)) for h in horizons]
    grpo = [flow_time(chain, rule("grpo"), longest=1e12) for chain in chains]
    pairs = [flow_time(chain, rule("spo", group_size=2), longest=1e12) for chain in chains]
    asymptote = [escape_time(chain, 8) for chain in chains]
    lower = [max(fewest_updates(float(chain.success), chain.horizon, 8), 1) for chain in chains]
    upper = [pair_colouring_time(0.3, int(h)) for h in horizons]
    return joined(
        [
            series("GRPO, G = 8", horizons, grpo, "points"),
            series("asymptote of GRPO", horizons, asymptote),
            series("GRPO needs at least", horizons, lower, "dashed"),
            series("colouring, G = 2", horizons, pairs, "points"),
            series("colouring at G = 2 needs at most", horizons, upper, "dashed"),
        ]
    )


def colouring_exponent() -> pd.DataFrame:
    """Local exponent in H of the updates to half success under colouring, beta = 5, from q = 0.3."""
    horizons = (3, 4, 6, 8, 12, 16, 24, 32)
    frames = []
    for size in (2, 8, 64):
        coloured = rule("spo", group_size=size, beta=5.0)
        paths = [solve(ReasoningChain(step_success=[0.3] * h), coloured, 500) for h in horizons]
        times = np.array([updates_to(path) for path in paths])
        exponent = np.diff(np.log(times)) / np.diff(np.log(horizons))
        frames.append(series(f"G = {size}", horizons[1:], exponent, "both"))
    return joined(frames)


def outcome_stall() -> pd.DataFrame:
    """Update of step 1 against success, two steps, G = 8; the share of failures that survive step 1 is 0.3."""
    success = np.logspace(-6, -1, 40)
    first = success + 0.3 * (1 - success)
    chain = ReasoningChain(step_success=np.stack([first, success / first], axis=-1))
    names = ("grpo", "ngrpo", "sign", "spo")
    return joined(series(label(name), success, expected_update(chain, rule(name))[:, 0]) for name in names)


def options(updates: int = 60) -> pd.DataFrame:
    """One step with four options under GRPO: success and concentration of the wrong options."""
    crowds = {
        "wrong options equal": [0.0, 0.0, 0.0],
        "one likely": [2.0, 0.0, -2.0],
        "one alone": [3.0, -9.0, -9.0],
    }
    frames = []
    for name, wrong in crowds.items():
        right = np.log(np.exp(wrong).sum() / 9)  # 0.1 success at the start, however the rest is shared
        path = solve_options(np.array([[right, *wrong]]), rule("grpo"), updates)
        frames.append(series(name, path["step"], path["success"], panel="success"))
        frames.append(series(name, path["step"], path["concentration_1"], panel="concentration of wrong options"))
    return joined(frames)


def difficulty_spread() -> pd.DataFrame:
    """Share of all-negative groups at mean success 0.1 for Beta-distributed difficulty, against G."""
    sizes = np.unique(np.geomspace(1, 128, 40).astype(int))
    frames = [series("all questions alike", sizes, 0.9**sizes)]
    for total in (10.0, 2.0, 0.5):
        a = 0.1 * total
        b = 0.9 * total
        share = np.exp(betaln(a, b + sizes) - betaln(a, b))  # E (1 - P)^G for P ~ Beta(a, b)
        spread = np.sqrt(0.09 / (total + 1))  # standard deviation of that distribution
        frames.append(series(f"Beta, sd of P {spread:.2f}", sizes, share))
    return joined(frames)


def shared_features(draw: int) -> np.ndarray:
    """Kernel ``(8, 8)`` of eight steps with random features of length 1 in four dimensions, as a network has them.

    ``draw``: seed of the features.
    """
    features = np.random.default_rng(draw).normal(size=(8, 4))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features @ features.T


def collapse(seeds: int = 100, draws: int = 4) -> pd.DataFrame:
    """Share of runs that fall below half success within 400 updates, against the learning rate over its prediction.

    ``seeds``: runs of each rate. ``draws``: of the features that the steps share.
    """
    chain = ReasoningChain(step_success=[0.99] * 8)
    grpo = rule("grpo")
    interference = {f"features {draw}": shared_features(draw) for draw in range(1, draws + 1)}
    rates = {name: collapse_rate(chain, grpo, kernel)[0] for name, kernel in interference.items()}

    # The control: the first kernel without negative entries, under which one failure cannot spread
    control = "features 1, no negative entry"
    kernels = interference | {control: np.abs(interference["features 1"])}
    rates[control] = rates["features 1"]

    multiples = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0])
    frames = [series("predicted for one failure", [1.0, 1.0], [0.0, 1.0], "dashed")]
    for name, kernel in kernels.items():
        fell = []
        for multiple in multiples:
            rate = float(multiple) * rates[name]
            runs = simulate(chain, grpo, 400, rate, questions=1, seeds=seeds, kernel=kernel)
            fell.append((runs.groupby("seed")["success"].min() < 0.5).mean())
        share = np.array(fell)
        half = NORMAL_95 * np.sqrt(share * (1 - share) / seeds)
        frames.append(series(name, multiples, share, "both", low=share - half, high=share + half))
    return joined(frames)


PICTURES = (
    Picture(
        escape_bounds,
        title="Bounds on the time to half success",
        caption=(
            "Time to half success in the gradient flow, from step accuracy q = 0.3. Points: computed. GRPO stays above "
            "a bound that grows by the factor 1/q with each step, exponentially. Colouring of pairs stays below a "
            "bound of order H²."
        ),
        axes={
            "xlabel": "steps per question, H",
            "ylabel": "updates until success reaches 1/2",
            "logy": True,
            "rules": {
                "GRPO, G = 8": "grpo",
                "asymptote of GRPO": "grpo",
                "GRPO needs at least": "grpo",
                "colouring, G = 2": "spo",
                "colouring at G = 2 needs at most": "spo",
            },
        },
        statements=("grpo_escape_is_exponential", "pair_colouring_is_polynomial"),
    ),
    Picture(
        colouring_exponent,
        title="How colouring's time grows with the number of steps",
        caption=(
            "Observed, not proved: between neighbouring H the time grows like H to the power drawn, below 2. Larger "
            "groups are less often all-negative, so colouring acts less in them."
        ),
        axes={"xlabel": "steps per question, H", "ylabel": "local exponent of H"},
        statements=("colouring_is_polynomial",),
    ),
    Picture(
        outcome_stall,
        title="Rules that see correctness alone stall",
        caption=(
            "Two steps, G = 8; 30 % of the failures happen at step 2. A rule that sees nothing but correctness makes "
            "updates in proportion to P, also with a penalty on all-negative groups. Colouring does not."
        ),
        axes={"xlabel": "success probability P", "ylabel": "expected update of step 1", "logx": True, "logy": True},
        statements=("outcome_rules_stall",),
    ),
    Picture(
        options,
        title="Several options per step",
        caption=(
            "One step, four options, success 0.1 at the start. The fewer wrong options there are in effect, the "
            "faster success rises. While the right option is learnt, the wrong ones even out: the sum of their squared "
            "shares falls."
        ),
        axes={"xlabel": "updates", "ylabel": ("success probability", "sum of squared shares")},
        statements=("options_even_out",),
    ),
    Picture(
        difficulty_spread,
        title="Varied difficulty makes more groups all-negative",
        caption=(
            "Mean success is 0.1 in all curves; difficulty has a Beta distribution with the given standard deviation "
            "of P. Taking all questions for equally hard predicts far too few all-negative groups."
        ),
        axes={"xlabel": "group size G", "ylabel": "share of all-negative groups", "logx": True},
        statements=("spread_makes_silent_groups",),
    ),
    Picture(
        collapse,
        title="The step size at which one failure may undo success",
        caption=(
            "Eight steps that share four random features, success 0.92, one group an update; bars are 95 % intervals. "
            "Dashed: the learning rate from which a single failure is predicted to take success below 1/2. How many "
            "runs fall depends on the draw of the features: some fall below that rate already, far below it none."
        ),
        axes={"xlabel": "learning rate over the predicted one", "ylabel": "share of runs that fall below 1/2"},
        statements=("no_collapse_without_interference", "no_collapse_under_any_rule"),
        quick={"seeds": 40, "draws": 2},
    ),
)
