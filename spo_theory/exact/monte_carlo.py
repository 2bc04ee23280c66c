"""Expected step weights and updates from sampled groups, with standard errors: where no exact engine serves."""

import jax.numpy as jnp
import numpy as np

from spo_theory.exact.portions import parts_of
from spo_theory.method import Method
from spo_theory.outcomes.world import World
from spo_theory.parts.tree_search import TreeSearch
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
    generator = np.random.default_rng(seed)
    weights, drawn, kept = sampled_weights(world, method, groups, generator)

    # The update of every single group: their spread gives the standard error of the mean
    scores = np.asarray(world.model.step_scores(world.logits, world.parameters))
    each = np.einsum("ngs,ngs...->n...", weights, scores[drawn]) / method.group_size

    # Where the sampler replaces groups that are not kept, only the others are delivered
    share = 1.0
    if method.sampler.resamples:
        check(kept.sum() >= 2, "groups", groups, "enough that two of them are kept")
        each = each[kept]
        share = kept.mean()
    error = each.std(0, ddof=1) / np.sqrt(len(each))

    # Given its class, the expected weight of a response is the mean over all responses of that class; where questions
    # are asked in part, or searched, it is the sum over them, by how often the policy's own responses are of the class
    seen = np.bincount(drawn.ravel(), minlength=world.classes)[:, None]
    counted = np.maximum(seen, 1.0)
    if not method.sampler.whole or isinstance(method.sampler, TreeSearch):
        counted = drawn.size * world.class_probs[:, None]
    total = np.zeros((world.classes, weights.shape[-1]))
    np.add.at(total, drawn.ravel(), weights.reshape(-1, weights.shape[-1]))
    mean_weight = np.where(seen > 0, total / counted, np.nan) / share

    # The sample covariance of single groups, not of their mean; a single logit still makes a matrix
    spread = None
    if covariance:
        spread = np.atleast_2d(np.cov(each.reshape(len(each), -1), rowvar=False))
    return mean_weight, each.mean(0), spread, error


def sampled_weights(
    world: World, method: Method, groups: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step weights ``(N, G, S)`` of N sampled groups, classes ``(N, G)`` of their responses, and which groups are kept.

    ``world``: of one question. ``groups``: N. ``generator``: of the random numbers. A response to a question that is
    asked in part is of the class that it would be of if the rest were right. Raises `NoExactForm` as `parts_of`.
    """
    parts = parts_of(world, method)
    of_steps = np.asarray(world.model.step_log_probs(world.logits, world.parameters))
    odds = np.asarray(parts.odds(jnp.asarray(of_steps)))
    shown = np.asarray(parts.chances(jnp.asarray(of_steps)))

    weights = np.zeros((groups, method.group_size, of_steps.shape[-1]))
    drawn = np.zeros((groups, method.group_size), int)
    kept = np.ones(groups, bool)
    whole = method.sampler.whole
    portion = np.zeros(groups, int) if whole else generator.choice(len(shown), size=groups, p=shown / shown.sum())
    for place in np.unique(portion):
        mine = portion == place
        taught = bool(parts.taught[place])

        # Rounding may leave the sum of the probabilities a little off 1, which the generator would refuse
        chance = odds[place] * world.class_probs
        classes = generator.choice(world.classes, size=(mine.sum(), method.group_size), p=chance / chance.sum())
        classes = np.full_like(classes, parts.correct) if taught else classes
        if isinstance(method.sampler, TreeSearch):
            success = np.exp(of_steps[parts.correct, : world.classes - 1])
            classes = method.sampler.draw(generator.random(classes.shape), success)

        # Probabilities of the responses are made only for methods that look at them
        learnt = np.broadcast_to(parts.learnt[place], (*classes.shape, of_steps.shape[-1]))
        log_prob = None
        if method.uses_log_prob:
            log_prob = jnp.asarray(np.where(learnt, of_steps[classes], 0.0))

        # In a whole question there is nothing to leave out
        part = () if whole else (learnt, np.full(classes.shape, taught))
        group = world.group(classes, log_prob, *part)
        weights[mine] = np.asarray(method.weights(group))
        drawn[mine] = classes
        if method.sampler.resamples:
            kept[mine] = np.asarray(method.kept(group))
    return weights, drawn, kept
