"""Expected step weights, update and covariance of any method over any world, and which engine gave them.

``class_advantages`` serves methods that standardize a reward of the outcome class and credit the whole response, for
any group size; ``every_group`` sums over all group compositions and serves every method; ``monte_carlo`` samples
groups, with standard errors, where both end.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spo_theory.allowed import FLAG, checked, one_of
from spo_theory.exact.by_class.weights_by_class import serves
from spo_theory.exact.moments import group_covariance
from spo_theory.exact.monte_carlo import sampled_expectation
from spo_theory.exact.update import UpdateEngine, choose_engine, evaluate_update, evaluate_weights, prepare_update
from spo_theory.limits import SEED, check_memory, count
from spo_theory.method import METHOD, Method
from spo_theory.outcomes.world import WORLD, as_world

EngineName = Literal["auto", "class_advantages", "every_group", "monte_carlo"]
SAMPLED_GROUPS = 20_000
"""Groups that the Monte Carlo draws unless told otherwise."""


@dataclass(frozen=True)
class Expectation:
    """What a method does on average.

    engine: which one computed it. step_weights: ``(..., K, S)``, expected weight of each step of a response given its
    class. update: ``(..., *D)``, of the logits, per unit of learning rate. covariance: ``(..., D, D)`` of the update
    of one group, D flattened, or None where it was not asked for. standard_error: ``(..., *D)`` of the update, None
    if it is exact. Source: docs/theory/step-weights.md#expected-weights.
    """

    engine: str
    step_weights: np.ndarray
    update: np.ndarray
    covariance: np.ndarray | None = None
    standard_error: np.ndarray | None = None


@checked(world=WORLD, method=METHOD, engine=one_of(EngineName), covariance=FLAG, groups=count(2), seed=SEED)
def expectation(
    world: Any,
    method: Method,
    engine: EngineName = "auto",
    *,
    covariance: bool = False,
    groups: int = SAMPLED_GROUPS,
    seed: int = 0,
) -> Expectation:
    """Expected step weights and update of ``method`` in ``world``, and, if asked for, a group's covariance.

    ``world``: a `World` or what has one, such as a `ReasoningChain`. ``engine``: ``auto`` takes ``class_advantages``
    where they serve, else ``every_group``, else ``monte_carlo`` with ``groups`` sampled groups (at least 2) and
    ``seed``. Returns an `Expectation`, which names the engine; its update is per unit of learning rate. Raises
    `InputError` for bad settings and `NoExactForm` where the engine asked for does not serve.
    Derived in docs/theory/step-weights.md#expected-weights.

    Example:
        >>> from spo_theory import ReasoningChain, rule
        >>> found = expectation(ReasoningChain(step_success=[0.5, 0.5]), rule("raft", group_size=2))
        >>> found.engine, found.update.round(4).tolist()
        ('every_group', [0.125, 0.125])
    """
    # Refusals come before any work; a chain is taken for the world that it describes
    world = as_world(world)
    used = choose_engine(world, method) if engine == "auto" else engine

    # Samples need no prepared form
    if used == "monte_carlo":
        check_memory("groups", groups, 16.0 * groups * method.group_size * world.lengths.shape[1])
        return Expectation("monte_carlo", *sampled_expectation(world, method, groups, seed, covariance=covariance))

    # A method without class advantages gets "quadrature" here, and with it the refusal that names its rule
    how: UpdateEngine = "every_group" if used == "every_group" else "quadrature"
    if used == "class_advantages" and serves(method):
        how = "auto"  # quadrature or enumeration over its rewards, whichever is cheaper

    # The form is shared: step weights and update come from one preparation
    form = prepare_update(world, method, how)
    weights = evaluate_weights(form, world.logits)
    spread = group_covariance(world, method, how) if covariance else None
    return Expectation(used, np.asarray(weights), np.asarray(evaluate_update(form, world.logits)), spread)
