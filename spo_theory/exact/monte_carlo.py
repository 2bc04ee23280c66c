"""Expected step weights and updates from sampled groups, with standard errors: where no exact engine serves."""

import jax.numpy as jnp
import numpy as np

from spo_theory.method import Method
from spo_theory.outcomes.world import World
from spo_theory.validation import check


def sampled_expectation(
    world: World, method: Method, groups: int, seed: int, *, covariance: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Step weights, update, covariance (or None) and the update's standard error, from ``groups`` sampled groups.

    Shapes as in `spo_theory.exact.engine.Expectation`. ``groups``: at least 2. ``seed``: of the random numbers; one
    seed gives one result. Step weights are NaN for classes that were never drawn. Raises `InputError` for a world of
    several questions. Source: docs/theory/noise.md.
    """
    check(world.logits.ndim == world.axes, "world", f"{world.logits.shape} logits", "one question")
    # Rounding may leave the sum of the probabilities a little off 1, which the generator would refuse
    chance = world.class_probs
    generator = np.random.default_rng(seed)
    drawn = generator.choice(world.classes, size=(groups, method.group_size), p=chance / chance.sum())

    # Probabilities of the responses are made only for methods that look at them
    log_prob = None
    if method.baseline.uses_log_prob:
        log_prob = jnp.asarray(world.model.step_log_probs(world.logits, world.parameters))[drawn]
    weights = np.asarray(method.weights(world.group(drawn, log_prob)))

    # The update of every single group: their spread gives the standard error of the mean
    scores = np.asarray(world.model.step_scores(world.logits, world.parameters))
    each = np.einsum("ngs,ngs...->n...", weights, scores[drawn]) / method.group_size
    error = each.std(0, ddof=1) / np.sqrt(groups)

    # Given its class, the expected weight of a response is the mean over all responses of that class
    seen = np.bincount(drawn.ravel(), minlength=world.classes)[:, None]
    total = np.zeros((world.classes, weights.shape[-1]))
    np.add.at(total, drawn.ravel(), weights.reshape(-1, weights.shape[-1]))
    mean_weight = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)

    # The sample covariance of single groups, not of their mean; a single logit still makes a matrix
    spread = None
    if covariance:
        spread = np.atleast_2d(np.cov(each.reshape(groups, -1), rowvar=False))
    return mean_weight, each.mean(0), spread, error
