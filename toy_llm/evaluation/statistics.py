"""Estimates from finite samples: pass@k without bias, and bootstrap intervals over seeds and questions."""

import numpy as np

from spo_theory.allowed import INNER_SHARE, numbers
from spo_theory.limits import SEED, count
from spo_theory.validation import check, problem, refuse


def pass_at_k(correct: np.ndarray, samples: int, k: int) -> np.ndarray:
    """Unbiased estimate of the chance that at least one of ``k`` responses is correct.

    ``correct``: whole numbers, any shape, of correct ones among ``samples`` responses to a question. It is the share
    of the subsets of size k that hold a correct response, ``1 - C(n - c, k) / C(n, k)``, as a product of numbers
    from 0 to 1 (Chen et al. 2021, arXiv 2107.03374); exactly 0 for c = 0 and exactly 1 where n - c < k.
    Raises `InputError` unless 1 <= k <= samples and 0 <= correct <= samples.

    >>> pass_at_k(np.array([0, 1, 3]), samples=4, k=2)
    array([0. , 0.5, 1. ])
    """
    # Bad counts would give a number that looks like a probability.
    counts = np.asarray(correct)
    refuse(count().problems("samples", samples) + count().problems("k", k))
    possible = np.issubdtype(counts.dtype, np.integer) and bool(((counts >= 0) & (counts <= samples)).all())
    refuse(
        problem(1 <= k <= samples, "k", k, f"from 1 to samples ({samples})")
        + problem(possible, "correct", correct, f"whole numbers from 0 to samples ({samples})")
    )

    # The chance that a subset misses all c correct responses is a product of c factors.
    factors = np.clip(1 - k / np.arange(samples, 0, -1), 0, None)
    missed = np.concatenate([[1.0], np.cumprod(factors)])
    return 1 - missed[counts]


def interval(
    above: np.ndarray, below: np.ndarray, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """``sum(above) / sum(below)`` with a bootstrap percentile interval: ``(value, low, high)``.

    ``above``, ``below``: ``(R, N)``, R training seeds by N >= 2 questions that all of them answered. Seeds *and*
    questions are drawn anew, independently of each other (the "pigeonhole" bootstrap for crossed factors, Owen
    2007, arXiv 0712.1111), so the interval is for other seeds and other questions. With R = 1 questions alone are
    drawn, and it says nothing about other seeds; with few seeds it is too narrow, as every percentile bootstrap is;
    where all questions count the same it has no width. NaN where nothing was counted. Raises `InputError` for other
    shapes, numbers that are not finite, and a ``confidence`` of 0, 1 or beyond.

    >>> above = np.array([[0.0, 1.0, 1.0, 2.0]])
    >>> value, low, high = interval(above, np.full((1, 4), 2.0))
    >>> value, low <= value <= high
    (0.5, True)
    """
    above = numbers("above", above)
    below = numbers("below", below)
    check(above.ndim == 2 and len(above) > 0, "above.shape", above.shape, "(R, N), R at least 1")
    check(below.shape == above.shape, "below.shape", below.shape, f"{above.shape}, that of above")
    seeds, questions = above.shape
    refuse(
        problem(questions >= 2, "questions", questions, "at least 2")
        + INNER_SHARE.problems("confidence", confidence)
        + count(10).problems("resamples", resamples)
        + SEED.problems("seed", seed)
    )

    # How often each seed and each question is drawn; scipy.stats.bootstrap gathers the cells instead, far slower.
    generator = np.random.default_rng(seed)
    rows = generator.multinomial(seeds, np.full(seeds, 1 / seeds), resamples)
    columns = generator.multinomial(questions, np.full(questions, 1 / questions), resamples)
    with np.errstate(invalid="ignore"):
        # A ratio of sums, not a mean of ratios: every response, group or token counts the same.
        value = above.sum() / below.sum()
        drawn = ((rows @ above) * columns).sum(1) / ((rows @ below) * columns).sum(1)

    # A draw may hold nothing to count.
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float(value), float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(value), float(low), float(high)
