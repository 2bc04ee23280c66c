"""Claims about methods that see steps: process rewards, token weights, several rewards, aligned colours."""

import numpy as np

from paper_repro.claims.verdicts import Finding, verdict
from paper_repro.studies.related.claim import RelatedClaim, equal_steps, exact, rate, updates_to_half
from spo_theory.exact.engine import expectation
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.lengths import rambling_world
from spo_theory.parts.several_rewards import Brevity, RightPrefix

MOST = 400
TWO_BY_TWO = {
    "neither": {"alpha": 1.0, "reward": "fixed"},
    "weights": {"alpha": 1.7, "reward": "fixed"},
    "graded reward": {"alpha": 1.0, "reward": "soft"},
    "both": {"alpha": 1.7, "reward": "soft"},
}
"""Token weights and graded reward, alone and together."""


def process_above_outcome() -> Finding:
    """Updates to half success of process and of outcome supervision."""
    start = equal_steps(0.3, 5)
    times = {name: updates_to_half(start, rule(name), MOST) for name in ("grpo", "grpo_process")}
    text = f"H = 5, q = 0.3, G = 8: outcome {times['grpo']:.0f} updates, process {times['grpo_process']:.0f}"
    return exact(text, verdict([times["grpo_process"] < times["grpo"]]))


def two_by_two(horizon: int = 5, step_success: float = 0.3) -> dict[str, float]:
    """Updates to half success of each of `TWO_BY_TWO`."""
    start = equal_steps(step_success, horizon)
    return {
        name: updates_to_half(start, rule("token_weighted", **options), MOST) for name, options in TWO_BY_TWO.items()
    }


def weights_need_the_graded_reward() -> Finding:
    """Gains of weights and graded reward alone and together, as factors of updates to half success."""
    times = two_by_two()
    gain = {name: times["neither"] / time for name, time in times.items()}
    text = "H = 5, q = 0.3, G = 8, times faster than neither: " + ", ".join(
        f"{name} {value:.2f}" for name, value in gain.items() if name != "neither"
    )
    alone = max(gain["weights"], gain["graded reward"])
    little = [gain[name] < 1.1 for name in ("weights", "graded reward")]
    return exact(text, verdict([*little, gain["both"] > 1.1 * alone]))


def graded_reward_wakes_groups() -> Finding:
    """Share of groups of equal rewards, and spread of rewards, with outcome and graded rewards."""
    start = equal_steps(0.3, 5)
    p = start.class_probs
    silent = [float(p[-1] ** 8 + (1 - p[-1]) ** 8), float((p**8).sum())]
    graded = np.arange(6) / 5
    spread = [float(np.sqrt(p[-1] * (1 - p[-1]))), float(np.sqrt(p @ graded**2 - (p @ graded) ** 2))]
    text = (
        f"H = 5, q = 0.3, G = 8: silent groups {silent[0]:.3f} with outcomes and {silent[1]:.3f} graded; "
        f"std of rewards {spread[0]:.3f} and {spread[1]:.3f}"
    )
    return exact(text, verdict([silent[1] < silent[0], spread[1] < spread[0]]))


def gains_of_components(order: str) -> dict[str, tuple[float, float]]:
    """For each component its first-order gain over its std, and the std, under one order of standardizing."""
    world = rambling_world(ReasoningChain(step_success=[0.6, 0.6, 0.6]), [0.15, 0.1, 0.05])
    group = world.group(np.arange(world.classes))
    method = rule("multi_objective", order=order, prefix_weight=1.0, brevity_weight=1.0)
    update = expectation(world, method).update

    # The mean of a component moves by the covariance of the component with the score, along the update
    scores = np.asarray(world.model.step_scores(world.logits, world.parameters)).sum(1)
    along = world.class_probs * (scores @ update)
    components = {"outcome": world.correct.astype(float), "prefix": RightPrefix()(group), "brevity": Brevity()(group)}
    spread = {name: np.sqrt(np.cov(x, aweights=world.class_probs, ddof=0)) for name, x in components.items()}
    return {name: (float(along @ x / spread[name]), float(spread[name])) for name, x in components.items()}


def every_component_rises() -> Finding:
    """Gains of outcome, prefix and brevity, in units of their spread, with the sum standardized and each by itself."""
    first, each = gains_of_components("aggregate_first"), gains_of_components("normalize_first")
    text = "; ".join(
        f"{label}: " + ", ".join(f"{name} {gain:+.3f}" for name, (gain, _) in gains.items())
        for label, gains in (("sum standardized", first), ("each standardized", each))
    )
    rising = [gain > 0 for gain, _ in first.values()]
    return exact(f"gain of a component over its std per update, {text}", verdict(rising))


def small_components_drown() -> Finding:
    """How much of the update the component of small spread decides, by the order of summing and standardizing."""
    first, each = gains_of_components("aggregate_first"), gains_of_components("normalize_first")
    (gain, spread), (alone, _) = first["brevity"], each["brevity"]
    text = (
        f"brevity has a std of {spread:.3f}, the outcome of {first['outcome'][1]:.3f}: its gain over its std is "
        f"{gain:+.3f} with the sum standardized and {alone:+.3f} with each standardized"
    )
    return exact(text, verdict([alone > gain]))


def step_pairs_beat_responses() -> Finding:
    """Updates to half success of pairs of steps, smoothed or at every depth, and of pairs of responses."""
    start = equal_steps(0.3, 5)
    rules = {
        "pairs of steps": rule("step_dpo"),
        "at every depth": rule("step_dpo", nodes="every_depth"),
        "smoothed": rule("step_dpo", smoothing="visits"),
        "pairs of responses": rule("dpo"),
    }
    times = {name: updates_to_half(start, method, MOST) for name, method in rules.items()}
    text = ", ".join(f"{name} {time:.0f}" for name, time in times.items())
    faster = times["pairs of steps"] < times["pairs of responses"]
    return exact(
        f"H = 5, q = 0.3, G = 8, updates to 1/2: {text}", verdict([faster, times["smoothed"] < times["pairs of steps"]])
    )


def aligned_is_fastest() -> Finding:
    """The first-order gain of aligned rewards against every other standardized method, over random chains."""
    random = np.random.default_rng(0)
    best = rule("aligned", scope="all_incorrect", estimate="policy", group_size=4)
    counted = rule("aligned", scope="all_incorrect", group_size=4)
    others = [
        rule("grpo", group_size=4),
        rule("spo", group_size=4),
        rule("spo", group_size=4, scope="all_incorrect"),
        rule("spo", group_size=4, scope="all_incorrect", shape="raw"),
        rule("token_weighted", group_size=4, alpha=1.0),
    ]
    chains = [ReasoningChain(step_success=random.uniform(0.05, 0.95, 3)) for _ in range(12)]
    gains = np.array([[rate(chain, method) for method in (best, counted, *others)] for chain in chains])
    lead = gains[:, 0] / gains[:, 2:].max(1)
    share = gains[:, 1] / gains[:, 0]
    text = (
        f"12 random chains, H = 3, G = 4: {lead.min():.3f} to {lead.max():.2f} times the best of five others; with "
        f"success of steps counted in the group {share.min():.2f} to {share.max():.2f} of it"
    )
    return exact(text, verdict([bool(lead.min() >= 1 - 1e-12)]))


CLAIMS = (
    RelatedClaim(
        "DeepSeekMath, arXiv 2402.03300",
        "grpo_process, grpo",
        "Process supervision is above outcome supervision.",
        "updates to half success on a chain",
        process_above_outcome,
    ),
    RelatedClaim(
        "MCTS and iterative preference learning, arXiv 2405.00451",
        "step_dpo, dpo",
        "Pairs of steps are above pairs of responses, and smoothing by visit counts helps.",
        "updates to half success on a chain; the judge stands for the search",
        step_pairs_beat_responses,
    ),
    RelatedClaim(
        "TW-GRPO, arXiv 2505.24718",
        "token_weighted",
        "Token weights or a graded reward alone do little, both together help.",
        "updates to half success of the two by two; weights by the states of the group",
        weights_need_the_graded_reward,
    ),
    RelatedClaim(
        "TW-GRPO, arXiv 2505.24718",
        "token_weighted",
        "A graded reward lowers the share of groups without advantages and the spread of rewards.",
        "both, exactly, at the start of a chain",
        graded_reward_wakes_groups,
    ),
    RelatedClaim(
        "MO-GRPO, arXiv 2503.21819",
        "multi_objective",
        "Every component rises under the sum of the rewards.",
        "first-order gain of outcome, prefix and brevity",
        every_component_rises,
    ),
    RelatedClaim(
        "GDPO, as in TRL",
        "multi_objective",
        "Standardizing every reward by itself keeps one of small spread from being drowned.",
        "first-order gain of brevity under both orders",
        small_components_drown,
    ),
    RelatedClaim(
        "aligned colours, docs/theory/related.md",
        "aligned",
        "No standardized reward raises log success faster to first order.",
        "first-order gain against five other rewards on random chains",
        aligned_is_fastest,
    ),
)
"""Claims of this module, in the order of the table."""
