"""Claims about several right paths, populations of questions, and data of another policy."""

import jax
import numpy as np
import pandas as pd

from paper_repro.claims.verdicts import Finding, verdict
from paper_repro.studies.related.claim import RelatedClaim, equal_steps, exact, followed, rate
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.many_paths import many_paths_world

CHOICE = np.log([0.85, 0.12, 0.03])
SAMPLES = 32


def right_paths(updates: int = 60, learning_rate: float = 1.0) -> pd.DataFrame:
    """Success, chance of each right path and right paths found in `SAMPLES` samples, for two rules.

    One question with three right paths, of one step each, right with probability 0.6; the policy takes them with
    probabilities 0.85, 0.12 and 0.03. Columns rule, step, success, path_1 to path_3 and found.
    """
    world = many_paths_world(CHOICE, [[0.6], [0.6], [0.6]])
    rows = []
    for name in ("grpo", "unlikeliness"):
        path = followed(world, rule(name, group_size=8), updates, learning_rate)
        chance = np.asarray(jax.jit(world.model.probs)(path, ()))[:, world.correct]
        table = pd.DataFrame(chance, columns=["path_1", "path_2", "path_3"])
        found = (1 - (1 - chance) ** SAMPLES).sum(1)
        rows.append(table.assign(rule=name, step=range(len(table)), success=chance.sum(1), found=found))
    return pd.concat(rows, ignore_index=True)


def unlikely_paths_survive() -> Finding:
    """Right paths in 32 samples before and after training, under GRPO and with the rank penalty."""
    table = right_paths().set_index(["rule", "step"])
    last = int(table.index.get_level_values("step").max())
    base = float(table["found"][("grpo", 0)])
    after = {name: float(table["found"][(name, last)]) for name in ("grpo", "unlikeliness")}
    once = {name: float(table["success"][(name, last)]) for name in after}
    text = (
        f"different right paths in {SAMPLES} samples: start {base:.2f}, after {last} updates GRPO {after['grpo']:.2f}, "
        f"rank penalty {after['unlikeliness']:.2f}; success {once['grpo']:.2f} and {once['unlikeliness']:.2f}"
    )
    return exact(text, verdict([after["grpo"] < base, after["unlikeliness"] > base]))


def offline_curves(updates: int = 60, learning_rate: float = 4.0) -> pd.DataFrame:
    """Success of imitation and of pairs, on policy and from the data of the start, near to and far from success.

    Imitation is `best_of_n`, pairs are `dpo`; chains of two steps. Columns start, rule, data, step, success.
    """
    rows = []
    for place, q in (("near", 0.7), ("far", 0.15)):
        world = equal_steps(q, 2).world()
        for name in ("best_of_n", "dpo"):
            for data, fresh in (("on policy", True), ("stored", False)):
                path = followed(world, rule(name, group_size=4), updates, learning_rate, fresh=fresh)
                success = ReasoningChain(logits=path).success
                table = pd.DataFrame({"step": range(len(path)), "success": success})
                rows.append(table.assign(start=place, rule=name, data=data))
    return pd.concat(rows, ignore_index=True)


def on_policy_when_far() -> Finding:
    """What fresh data add to the success reached, near to and far from success, for imitation."""
    curves = offline_curves().groupby(["start", "rule", "data"])["success"]
    first = curves.first()
    imitation = curves.last().xs("best_of_n", level="rule")
    gain = {place: imitation[place, "on policy"] - imitation[place, "stored"] for place in ("near", "far")}
    text = (
        f"imitation after 60 updates, fresh less stored data: {gain['near']:+.3f} near "
        f"(P = {first['near'].iloc[0]:.2f} at the start), {gain['far']:+.3f} far (P = {first['far'].iloc[0]:.2f})"
    )
    return exact(text, verdict([gain["far"] > gain["near"], gain["far"] > 0]))


def negative_gradient_when_far() -> Finding:
    """What pushing down wrong responses adds on stored data, near to and far from success."""
    last = offline_curves().groupby(["start", "rule", "data"])["success"].last()
    gain = {place: last[place, "dpo", "stored"] - last[place, "best_of_n", "stored"] for place in ("near", "far")}
    best = {place: last[place].idxmax() for place in ("near", "far")}
    text = (
        f"pairs less imitation on stored data: {gain['near']:+.3f} near, {gain['far']:+.3f} far; best of the four: "
        f"{' '.join(best['near'])} near, {' '.join(best['far'])} far"
    )
    return exact(text, verdict([gain["far"] > 0, best["far"] == ("dpo", "on policy")]))


def first_step_of_pairs() -> Finding:
    """The first update of DPO and IPO against that of RLOO."""
    chain = equal_steps(0.4, 3)
    rates = [rate(chain, rule(name, group_size=6)) for name in ("dpo", "ipo", "rloo")]
    text = f"first-order gain in log success: DPO {rates[0]:.6f}, IPO {rates[1]:.6f}, RLOO {rates[2]:.6f}"
    return exact(text, verdict([bool(np.allclose(rates, rates[2], rtol=1e-10))]))


def gap_between_questions() -> Finding:
    """Easy and hard questions at equal mean success, with and without the penalty."""
    start = ReasoningChain(step_success=[[0.8, 0.8], [0.35, 0.35]])
    found = {}
    for name in ("rloo", "group_invariant"):
        options = {"strength": 1.0} if name == "group_invariant" else {}
        path = followed(start.world(), rule(name, **options), 150, 1.0)
        success = ReasoningChain(logits=path.reshape(-1, 2)).success.reshape(len(path), 2)

        # At the update at which the mean reaches 0.8, linear between updates
        mean = success.mean(1)
        found[name] = [float(np.interp(0.8, mean, success[:, question])) for question in (0, 1)]

    (easy, hard), (easy_with, hard_with) = found["rloo"], found["group_invariant"]
    text = (
        f"at mean success 0.8: easy {easy:.3f} and hard {hard:.3f} without the penalty, {easy_with:.3f} and "
        f"{hard_with:.3f} with it"
    )
    return exact(text, verdict([easy_with - hard_with < easy - hard, hard_with > hard]))


def every_colouring_is_faster(most: int = 200) -> Finding:
    """Updates to half success of both readings, both scopes and linear RTS, beside GRPO."""
    start = equal_steps(0.3, 5)
    options = {
        "threshold": {},
        "literal": {"reading": "literal"},
        "all incorrect": {"scope": "all_incorrect"},
        "linear RTS": {"shape": "raw"},
    }
    times = {name: updates_to(solve(start, rule("spo", **given), most)) for name, given in options.items()}
    grpo = updates_to(solve(start, rule("grpo"), most))
    text = ", ".join(f"{name} {time:.1f}" for name, time in times.items())
    return exact(f"H = 5, q = 0.3, G = 8: {text}; GRPO {grpo:.1f}", verdict([max(times.values()) < grpo]))


def early_colours_suffice() -> Finding:
    """Updates to half success if colouring ends after a quarter of the updates that it would need by itself."""
    start = equal_steps(0.3, 5)
    spo, grpo = rule("spo"), rule("grpo")
    alone = [updates_to(solve(start, method, 200)) for method in (spo, grpo)]

    # GRPO goes on from the policy that colouring has left
    first = round(alone[0] / 4)
    left = solve(start, spo, first).filter(regex="^q_").iloc[-1].to_numpy()
    then = first + updates_to(solve(ReasoningChain(step_success=left), grpo, 200))
    kept = (alone[1] - then) / (alone[1] - alone[0])
    text = (
        f"H = 5, q = 0.3, G = 8: colouring {alone[0]:.1f} updates, GRPO {alone[1]:.1f}, colours in the first {first} "
        f"updates {then:.1f}: {kept:.0%} of the gain"
    )
    return exact(text, verdict([then < alone[1], kept > 0.5]))


CLAIMS = (
    RelatedClaim(
        "Rewarding the Unlikely, arXiv 2506.02355",
        "unlikeliness, grpo",
        "GRPO concentrates on likely solutions and finds fewer in many samples than the start; the rank penalty finds "
        "more.",
        "different right paths in 32 samples of a question with three",
        unlikely_paths_survive,
    ),
    RelatedClaim(
        "Suboptimal, on-policy data, arXiv 2404.14367",
        "best_of_n",
        "Fresh data help most where the start is far from the reward.",
        "success of imitation with fresh and with stored data from a near and a far start",
        on_policy_when_far,
    ),
    RelatedClaim(
        "Suboptimal, on-policy data, arXiv 2404.14367",
        "dpo, best_of_n",
        "A negative gradient helps in the far case, and on-policy pairs are best.",
        "success of pairs and of imitation on stored data, and of all four",
        negative_gradient_when_far,
    ),
    RelatedClaim(
        "DPO, arXiv 2305.18290; IPO, arXiv 2310.12036",
        "dpo, ipo, rloo",
        "On fresh pairs the first step is the plain policy gradient.",
        "first-order gain in log success",
        first_step_of_pairs,
    ),
    RelatedClaim(
        "Group-invariant learning, arXiv 2310.11971",
        "group_invariant, rloo",
        "The gap between easy and hard questions shrinks, and the hard ones gain at equal mean.",
        "an easy and a hard chain at equal mean success; the variance penalty alone",
        gap_between_questions,
    ),
    RelatedClaim(
        "SPO, arXiv 2505.11595",
        "spo, grpo",
        "Colouring is faster than GRPO in both scopes, both readings and with linear RTS.",
        "updates to half success on a chain",
        every_colouring_is_faster,
    ),
    RelatedClaim(
        "SPO, arXiv 2505.11595",
        "spo, grpo",
        "Judging in the first quarter of training alone keeps most of the gain (3 of 12 epochs).",
        "updates to half success on a chain, colours in a quarter of the updates that colouring needs",
        early_colours_suffice,
    ),
)
"""Claims of this module, in the order of the table."""
