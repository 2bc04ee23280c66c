"""How known trainers standardize advantages, by name, and the two readings of the paper's colouring.

A preset is a trainer's convention in exact arithmetic: equal rewards give advantages of exactly 0, also where the
trainer's own sums in float32 do not. Conventions over a whole batch are in
`spo_theory.conformance.advantages.formulas`.
"""

from dataclasses import replace
from typing import Any

from spo_theory.allowed import among
from spo_theory.parts.baselines import GroupAdvantage
from spo_theory.parts.group_statistics import LeaveOneOut
from spo_theory.parts.leave_one_out import StandardizedLeaveOneOut
from spo_theory.validation import check, refuse

Convention = GroupAdvantage | LeaveOneOut | StandardizedLeaveOneOut
"""Baselines that a convention can have."""

MEAN_ONLY = GroupAdvantage(scale="none")

_TABLE: dict[str, tuple[Convention, str]] = {
    "paper": (GroupAdvantage(), "arXiv 2505.11595, Section 2"),
    "trl": (GroupAdvantage(ddof=1, eps=1e-4), "TRL 1.16.0, grpo_trainer.py:2759"),
    "trl_none": (MEAN_ONLY, "TRL 1.16.0, scale_rewards='none', grpo_trainer.py:2772"),
    "trl_rloo": (LeaveOneOut(), "TRL 1.16.0, rloo_trainer.py:1688"),
    "trl_async": (GroupAdvantage(eps=1e-8), "TRL 1.16.0, experimental async_grpo, async_rollout_worker.py:1065"),
    "swift": (GroupAdvantage(ddof=1, eps=1e-4), "ms-swift 4.6.0, rl_core/advantage.py"),
    "torchtune": (GroupAdvantage(ddof=1, eps=1e-4), "torchtune bd2a0fc, grpo_full_finetune_distributed.py:660"),
    "axolotl": (GroupAdvantage(ddof=1, eps=1e-4), "axolotl 067b021, async_trainer.py:1923"),
    "unsloth": (GroupAdvantage(ddof=1, eps=1e-4), "Unsloth keeps TRL's statements"),
    "rasbt": (GroupAdvantage(ddof=1, eps=1e-4), "rasbt/reasoning-from-scratch, ch06.py:170"),
    "verl": (GroupAdvantage(ddof=1, eps=1e-6), "verl 0.9.1, grpo, core_algos.py:268"),
    "verl_rloo": (LeaveOneOut(), "verl 0.9.1, rloo, core_algos.py:588"),
    "skyrl": (GroupAdvantage(ddof=1, eps=1e-6), "SkyRL 0.3.0, grpo, ppo_utils.py:1331"),
    "easyr1": (GroupAdvantage(ddof=1, eps=1e-6), "EasyR1 b44b311, core_algos.py:213"),
    "tunix": (GroupAdvantage(ddof=1, eps=1e-6), "tunix 0.1.7, grpo, algo_core.py:566"),
    "roll": (GroupAdvantage(ddof=1, eps=1e-6), "ROLL 8eb27cc, functionals.py:593"),
    "slime": (GroupAdvantage(ddof=1, eps=1e-6), "slime 624b824, ray/rollout.py:629"),
    "reasoning_gym": (GroupAdvantage(ddof=1, eps=1e-6), "open-thought/reasoning-gym trains with verl"),
    "composer_verl": (GroupAdvantage(ddof=1, eps=1e-6), "grpo-composer 2c98d7e, integrations/verl/advantages.py"),
    "nemo_group": (GroupAdvantage(ddof=1, eps=1e-6), "NeMo-RL 7ea279a, without leave-one-out"),
    "nemo": (StandardizedLeaveOneOut(eps=1e-6), "NeMo-RL 7ea279a, grpo, advantage_estimator.py:90"),
    "areal_group": (GroupAdvantage(ddof=1, eps=1e-5), "AReaL 1.0.4, reward_norm group/group, utils/data.py:1496"),
    "tiny_grpo": (GroupAdvantage(ddof=1, eps=1e-8), "open-thought/tiny-grpo eafedd7, train.py:141"),
    "composer": (GroupAdvantage(ddof=1, eps=1e-8), "grpo-composer 2c98d7e, core/advantages/standard.py"),
    "oat_grpo": (GroupAdvantage(ddof=1, eps=1e-8), "sail-sg/oat c1a074c, critic_type=grpo, algorithms/ppo.py:344"),
    "openrlhf_group_norm": (GroupAdvantage(ddof=1, eps=1e-9), "OpenRLHF 0.11.2, experience_maker.py:274"),
    "openrlhf_rloo": (LeaveOneOut(), "OpenRLHF 0.11.2, experience_maker.py:269"),
    "openrlhf_dr_grpo": (MEAN_ONLY, "OpenRLHF 0.11.2, experience_maker.py:272"),
    "nano_aha": (GroupAdvantage(eps=1e-4), "McGill-NLP/nano-aha-moment 6cd0306, nano_r1_script.py:269"),
    "grpo_zero": (GroupAdvantage(eps=1e-4), "policy-gradient/GRPO-Zero d41bb48, grpo.py"),
    "art": (GroupAdvantage(eps=1e-6), "ART 779559f, local/tokenize.py:56"),
    "open_instruct": (GroupAdvantage(eps=1e-8), "open-instruct e6c3044, standard, data_loader.py:1480"),
    "open_instruct_centered": (MEAN_ONLY, "open-instruct e6c3044, centered (its default)"),
    "dr_grpo": (MEAN_ONLY, "arXiv 2503.20783; sail-sg/understand-r1-zero dfca49d"),
    "prime_rl": (MEAN_ONLY, "prime-rl 559b447, algo/grpo.py:30"),
    "verifiers": (MEAN_ONLY, "verifiers, rubric.py:409"),
    "tinker": (MEAN_ONLY, "tinker-cookbook 0.6.1, rl/data_processing.py:40"),
    "nanochat": (MEAN_ONLY, "karpathy/nanochat 92d63d4, scripts/chat_rl.py:144"),
}

CONVENTIONS: dict[str, Convention] = {name: baseline for name, (baseline, _) in _TABLE.items()}
"""Advantage conventions of known trainers, by name."""

SOURCES: dict[str, str] = {name: source for name, (_, source) in _TABLE.items()}
"""Where each convention was read: project, version or commit, file and line."""

READINGS: dict[str, tuple[float, float]] = {"threshold": (10.0, 0.5), "literal": (0.5, 10.0)}
"""The two readings (beta, gamma) of the values 10 and 0.5 that the paper prints without saying which is which:
``threshold`` (slope 10 around RTS 1/2) and ``literal`` (the order in which its sentence names them)."""


def trainer_baseline(convention: str = "paper", std_eps: float | None = None, ddof: int | None = None) -> Convention:
    """The baseline of a convention; ``std_eps`` and ``ddof`` replace its own.

    ``convention``: a name in `CONVENTIONS`. ``std_eps``: at least 0. ``ddof``: 0 or 1. None: the convention's own.
    Raises `InputError` for bad values, and for numbers that a convention which leaves one out does not have.

    Example:
        >>> trainer_baseline("trl")
        GroupAdvantage(ddof=1, eps=0.0001, scale='std')
        >>> trainer_baseline("verl_rloo")
        LeaveOneOut()
    """
    among(CONVENTIONS).check("convention", convention)
    known = CONVENTIONS[convention]
    changes: dict[str, Any] = {"eps": std_eps, "ddof": ddof}
    changes = {name: value for name, value in changes.items() if value is not None}

    # A convention that has no such number cannot change it
    for name, value in changes.items():
        option = {"eps": "std_eps"}.get(name, name)
        check(hasattr(known, name), option, value, f"left out with convention {convention!r}, which leaves one out")
    return replace(known, **changes)


def standardized(convention: str = "paper", std_eps: float | None = None, ddof: int | None = None) -> GroupAdvantage:
    """As `trainer_baseline`, for methods that need statistics of the whole group; refuses leave-one-out conventions.

    Example:
        >>> standardized("verl")
        GroupAdvantage(ddof=1, eps=1e-06, scale='std')
    """
    found = trainer_baseline(convention, std_eps, ddof)
    if isinstance(found, GroupAdvantage):
        return found
    whole = [name for name, baseline in CONVENTIONS.items() if isinstance(baseline, GroupAdvantage)]
    refuse([f"convention = {convention!r} is not allowed: this rule needs one of {', '.join(whole)}"])
    raise AssertionError
