"""How known trainers standardize advantages, by name, and the two readings of the paper's colouring."""

from dataclasses import replace

from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.validation import check

CONVENTIONS: dict[str, GroupAdvantage] = {
    "paper": GroupAdvantage(ddof=0, eps=0.0),  # arXiv 2505.11595, Section 2
    "trl": GroupAdvantage(ddof=1, eps=1e-4),  # huggingface/trl, grpo_trainer.py
    "verl": GroupAdvantage(ddof=1, eps=1e-6),  # volcengine/verl, core_algos.py
    "nano_aha": GroupAdvantage(ddof=0, eps=1e-4),  # McGill-NLP/nano-aha-moment
    "tiny_grpo": GroupAdvantage(ddof=1, eps=1e-8),  # open-thought/tiny-grpo
    "grpo_zero": GroupAdvantage(ddof=0, eps=1e-4),  # policy-gradient/GRPO-Zero
    "composer": GroupAdvantage(ddof=1, eps=1e-8),  # Wodlfvllf/grpo-composer, core
    "composer_verl": GroupAdvantage(ddof=1, eps=1e-6),  # Wodlfvllf/grpo-composer, its functions for verl
    "reasoning_gym": GroupAdvantage(ddof=1, eps=1e-6),  # open-thought/reasoning-gym trains with verl
    "rasbt": GroupAdvantage(ddof=1, eps=1e-4),  # rasbt/reasoning-from-scratch
    "oat_grpo": GroupAdvantage(ddof=1, eps=1e-8),  # sail-sg/understand-r1-zero, critic_type=grpo
    "dr_grpo": GroupAdvantage(scale="none"),  # sail-sg/understand-r1-zero, Dr. GRPO
    "tinker": GroupAdvantage(scale="none"),  # thinking-machines-lab/tinker-cookbook
    "nanochat": GroupAdvantage(scale="none"),  # karpathy/nanochat
}
"""Advantage conventions of known trainers, by name."""

READINGS: dict[str, tuple[float, float]] = {"threshold": (10.0, 0.5), "literal": (0.5, 10.0)}
"""The two readings (beta, gamma) of the values 10 and 0.5 that the paper prints without saying which is which:
``threshold`` (slope 10 around RTS 1/2) and ``literal`` (the order in which its sentence names them)."""


def standardized(convention: str = "paper", std_eps: float | None = None, ddof: int | None = None) -> GroupAdvantage:
    """The baseline of a convention; ``std_eps`` and ``ddof`` replace its own. Raises `InputError` for bad values.

    ``convention``: a name in `CONVENTIONS`. ``std_eps``: at least 0. ``ddof``: 0 or 1. None: the convention's own.

    Example:
        >>> standardized("trl")
        GroupAdvantage(ddof=1, eps=0.0001, scale='std')
    """
    check(convention in CONVENTIONS, "convention", convention, f"one of {', '.join(CONVENTIONS)}")
    known = CONVENTIONS[convention]
    return replace(
        known,
        ddof=known.ddof if ddof is None else ddof,
        eps=known.eps if std_eps is None else std_eps,
    )
