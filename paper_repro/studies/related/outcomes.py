"""Claims about methods that see outcomes: dynamic sampling, ablations of REINFORCE, other uses of the mean."""

import numpy as np

from paper_repro.claims.verdicts import Finding, verdict
from paper_repro.studies.related.claim import RelatedClaim, equal_steps, exact, followed, rate, updates_to_half
from spo_theory.dynamics.maps import solve, updates_to
from spo_theory.exact.engine import expectation
from spo_theory.exact.kept import kept_share
from spo_theory.exact.moments import signal_to_noise
from spo_theory.exact.update import expected_update
from spo_theory.methods.registry import rule
from spo_theory.outcomes.chain import ReasoningChain
from spo_theory.outcomes.lengths import rambling_world

MOST = 400


def dynamic_sampling() -> Finding:
    """Updates and rollouts to half success, thrown-away rollouts included."""
    start = equal_steps(0.3, 6)
    counted = {}
    for name in ("grpo", "dapo"):
        method = rule(name)
        curve = solve(start, method, MOST)
        updates = updates_to(curve)
        path = curve[[f"q_{h + 1}" for h in range(6)]].to_numpy()[: int(np.ceil(updates))]
        share = np.ones(len(path))
        if method.sampler.resamples:
            share = kept_share(ReasoningChain(step_success=path), method)
        counted[name] = (updates, float((method.group_size / share).sum()))

    (plain, spent), (fewer, more) = counted["grpo"], counted["dapo"]
    text = (
        f"H = 6, q = 0.3, G = 8: GRPO {plain:.0f} updates and {spent:,.0f} rollouts a question, dynamic sampling "
        f"{fewer:.0f} updates and {more:,.0f} rollouts"
    )
    return exact(text, verdict([fewer < plain, more < spent]))


def long_wrong_answers() -> Finding:
    """Blame per token of a short and of a long wrong response."""
    world = rambling_world(ReasoningChain(step_success=[0.5, 0.5]), [0.0, 10.0])
    size = world.lengths.sum(1)
    blame = {name: expectation(world, rule(name)).step_weights[:2, 0] for name in ("grpo", "dr_grpo", "dapo")}

    # GRPO divides a response's loss by its length, Dr. GRPO by a constant, DAPO by the tokens of the group
    of_token = {"grpo": blame["grpo"] / size[:2], "dr_grpo": blame["dr_grpo"], "dapo": blame["dapo"]}
    ratio = {name: float(value[1] / value[0]) for name, value in of_token.items()}
    text = (
        f"wrong responses of {size[0]:.0f} and {size[1]:.0f} tokens: blame per token of the long over that of the "
        f"short one {ratio['grpo']:.2f} with GRPO, {ratio['dr_grpo']:.2f} with Dr. GRPO, {ratio['dapo']:.2f} with DAPO"
    )
    return exact(text, verdict([ratio["grpo"] < 0.5, abs(ratio["dr_grpo"] - 1) < 0.1, ratio["dapo"] > 0.5]))


def ablation_of_reinforce() -> Finding:
    """Updates to half success of REINFORCE as groups of one kind are left out."""
    start = equal_steps(0.5, 3)
    names = {"all": "all groups", "some_incorrect": "without all-right", "some_correct": "without all-wrong"}
    names["mixed"] = "mixed only"
    times = {kept: updates_to_half(start, rule("reinforce", train_on=kept), MOST) for kept in names}
    grpo = updates_to_half(start, rule("grpo", group_size=4), MOST)

    text = "; ".join(f"{name} {times[kept]:.1f}" for kept, name in names.items())
    faster = times["some_correct"] < times["all"]
    little = abs(times["some_incorrect"] / times["all"] - 1) < abs(times["some_correct"] / times["all"] - 1)
    return exact(f"H = 3, q = 0.5, G = 4, updates to 1/2: {text}; GRPO {grpo:.1f}", verdict([faster, little]))


def early_lead_of_raft() -> Finding:
    """RAFT++ and GRPO from one start at step sizes that make the first update equally good."""
    start = equal_steps(0.5, 3)
    raft, grpo = rule("raft_pp"), rule("grpo", group_size=4)
    factor = rate(start, grpo) / rate(start, raft)
    early = [updates_to(solve(start, method, MOST, size), 0.3) for method, size in ((raft, factor), (grpo, 1.0))]
    late = [updates_to(solve(start, method, MOST, size), 0.95) for method, size in ((raft, factor), (grpo, 1.0))]
    text = (
        f"equal first gain (RAFT++ at {factor:.1f} times the step size): success 0.3 after {early[0]:.2f} and "
        f"{early[1]:.2f} updates, 0.95 after {late[0]:.1f} and {late[1]:.1f} (RAFT++, GRPO)"
    )
    return exact(text, verdict([early[0] < early[1], late[0] > late[1]]))


def less_noise_of_rloo() -> Finding:
    """Signal to noise of RLOO and of REINFORCE, whose expected updates point the same way."""
    chains = [equal_steps(q, 3) for q in (0.3, 0.6, 0.9)]
    snr = {}
    for name in ("rloo", "reinforce"):
        method = rule(name, group_size=4)
        snr[name] = [float(signal_to_noise(chain, method).mean()) for chain in chains]
    parallel = [
        np.allclose(
            expected_update(chain, rule("reinforce", group_size=4)),
            2 * expected_update(chain, rule("rloo", group_size=4)),
        )
        for chain in chains
    ]
    pairs = ", ".join(f"{a:.3f} and {b:.3f}" for a, b in zip(snr["rloo"], snr["reinforce"], strict=True))
    better = [a > b for a, b in zip(snr["rloo"], snr["reinforce"], strict=True)]
    return exact(f"signal to noise at q = 0.3, 0.6, 0.9: {pairs} (RLOO, REINFORCE)", verdict([all(parallel), *better]))


def maxrl_is_log_success() -> Finding:
    """The share of the gradient of log success that MaxRL's update is, as groups grow."""
    chain = equal_steps(0.3, 3)
    whole = 1 - chain.step_success
    shares = [float((expected_update(chain, rule("maxrl", group_size=g)) / whole)[0]) for g in (8, 64, 512)]
    text = f"P = {float(chain.success):.3f}: {', '.join(f'{s:.3f}' for s in shares)} of it at G = 8, 64, 512"
    return exact(text, verdict([shares[0] < shares[1] < shares[2], abs(shares[2] - 1) < 0.01]))


def gradient_of_pass_at_k() -> Finding:
    """The update against the gradient of ``1 - (1 - P)^k``, and what it gives away of pass@1 late in training."""
    k = 4
    worst = 0.0
    for q in (0.2, 0.5, 0.9):
        chain = equal_steps(q, 3)
        p = float(chain.success)
        gradient = k * (1 - p) ** (k - 1) * p * (1 - chain.step_success)
        found = expected_update(chain, rule("pass_at_k", k=k))
        worst = max(worst, float(np.abs(found / gradient - 1).max()))
    late = equal_steps(0.95, 3)
    slower = rate(late, rule("pass_at_k", k=k)) / rate(late, rule("rloo"))
    text = (
        f"k = 4, G = 8: off by at most {worst:.0e}; at P = {float(late.success):.2f} it has {slower:.2f} of RLOO's rate"
    )
    return exact(text, verdict([worst < 1e-10, slower < 1]))


def floor_of_corpo() -> Finding:
    """Expected advantage of wrong responses, and updates to half success beside GRPO."""
    start = equal_steps(0.3, 4)
    blame = float(expectation(start, rule("corpo")).step_weights[:-1].max())
    times = [updates_to_half(start, rule(name), MOST) for name in ("corpo", "grpo")]
    text = (
        f"H = 4, q = 0.3, G = 8: wrong classes have weights of at most {blame:.3f}; half success after "
        f"{times[0]:.0f} updates, GRPO {times[1]:.0f}"
    )
    return exact(text, verdict([blame < 0, times[0] < times[1]]))


def rebel_is_mirror_descent() -> Finding:
    """Fitting the regression on the groups of one policy to the end: log-odds of success should rise by eta."""
    start = equal_steps(0.4, 3)
    eta = 0.7
    now = followed(start.world(), rule("rebel", group_size=2, eta=eta), 600, 2.0, fresh=False)[-1]
    before, after = float(start.success), float(ReasoningChain(logits=now).success)
    gained = np.log(after / (1 - after)) - np.log(before / (1 - before))
    return exact(f"eta = {eta}: log-odds of success rise by {gained:.6f}", verdict([abs(gained - eta) < 1e-4]))


CLAIMS = (
    RelatedClaim(
        "DAPO, arXiv 2503.14476",
        "dapo",
        "Dynamic sampling reaches the same performance sooner.",
        "updates, and rollouts with those thrown away, to half success on a chain",
        dynamic_sampling,
    ),
    RelatedClaim(
        "Dr. GRPO, arXiv 2503.20783",
        "grpo, dr_grpo, dapo",
        "Dividing by the length of a response makes long wrong answers cheap; a constant or the tokens of the group do "
        "not.",
        "blame per token of short and long wrong responses",
        long_wrong_answers,
    ),
    RelatedClaim(
        "A Minimalist Approach, arXiv 2504.11343",
        "reinforce, reinforce_rej",
        "Leaving out all-wrong groups gives most of the gain over REINFORCE, leaving out all-right ones little.",
        "updates to half success on a chain, group by group filter",
        ablation_of_reinforce,
    ),
    RelatedClaim(
        "A Minimalist Approach, arXiv 2504.11343",
        "raft_pp, grpo",
        "RAFT++ is faster early and is overtaken by GRPO later.",
        "updates to an early and a late level from one start, at equal first gain",
        early_lead_of_raft,
    ),
    RelatedClaim(
        "RLOO, arXiv 2402.14740",
        "rloo, reinforce",
        "The leave-one-out baseline keeps the expected update of REINFORCE and lowers its variance.",
        "expected update and signal to noise of a group",
        less_noise_of_rloo,
    ),
    RelatedClaim(
        "MaxRL, arXiv 2602.02710",
        "maxrl",
        "The update tends to the gradient of log success as groups grow.",
        "expected update over that gradient",
        maxrl_is_log_success,
    ),
    RelatedClaim(
        "PKPO, arXiv 2505.15201",
        "pass_at_k",
        "The update is an unbiased gradient of pass@k, at the cost of pass@1.",
        "expected update against the closed form, and the rate of log success late in training",
        gradient_of_pass_at_k,
    ),
    RelatedClaim(
        "CoRPO, arXiv 2511.04439",
        "corpo, grpo",
        "A floor under the baseline never reinforces wrong responses, and learns faster than GRPO.",
        "expected weights of wrong classes, and updates to half success",
        floor_of_corpo,
    ),
    RelatedClaim(
        "REBEL, arXiv 2404.16767",
        "rebel",
        "Solving its regression is an exact step of mirror descent.",
        "log-odds of success after fitting the regression on one policy's groups to the end",
        rebel_is_mirror_descent,
    ),
)
"""Claims of this module, in the order of the table."""
