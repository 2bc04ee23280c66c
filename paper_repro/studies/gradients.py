"""Study: is the gradient that the trainer samples, on average, the exact one?"""

from dataclasses import replace

from figures import gradients
from paper_repro.claims.verdicts import Tables
from paper_repro.jobs.job import Job
from paper_repro.studies.study import Plate, Study
from spo_theory.methods.registry import rule
from toy_llm.config import TrainConfig
from toy_llm.problems.suites import TRAINED

CHAIN = TrainConfig(horizon=4, start_accuracy=0.45)
SUITES = TrainConfig(suites=TRAINED, size="small", start_accuracy=0.6)
QUICK = TrainConfig(horizon=2, modulus=5, layers=1, width=16, heads=2, start_updates=30, group_size=4, questions=8)


BATCHES = 600
"""Sampled at the fixed network. Under GRPO hard questions speak in few batches: sixty are too few for a normal law."""

ON_CHAIN = ("grpo", "spo", "spo_prefix", "dr_grpo", "rloo", "maxrl")
ON_SUITES = ("grpo", "spo")
"""Methods of the default run."""


def checks(quick: bool) -> list[tuple[str, TrainConfig]]:
    """Settings and runs that are checked.

    >>> [config.rule for _, config in checks(quick=True)]
    ['grpo', 'spo']
    """
    if quick:
        return [("chain", replace(QUICK, rule=name)) for name in ("grpo", "spo")]
    return [*(_on_chain(name) for name in ON_CHAIN), *(_on_suites(name) for name in ON_SUITES)]


def more_checks() -> list[tuple[str, TrainConfig]]:
    """Those that only a full run has: all other methods whose weights follow from classes, on the chain; two on suites.

    >>> "raft" in [config.rule for _, config in more_checks()]
    True
    """
    from paper_repro.forecast.expected_updates import follows_from_classes

    # What is asked in part is sampled in another way
    served = [name for name in rule.names() if follows_from_classes(rule(name)) and rule(name).sampler.whole]
    others = [_on_chain(name) for name in served if name not in ON_CHAIN]
    return [*others, _on_suites("spo_prefix"), _on_suites("dr_grpo")]


def _on_chain(name: str) -> tuple[str, TrainConfig]:
    return "chain", replace(CHAIN, rule=name)


def _on_suites(name: str) -> tuple[str, TrainConfig]:
    # RTS over the written length would depend on more than the class
    options = {"rts_length": "true"} if name in ("spo", "spo_prefix") else {}
    return "suites", replace(SUITES, rule=name, rule_options=options)


def jobs(quick: bool) -> list[Job]:
    """One job for each of `checks`; table "gradient_check"."""
    return jobs_of(checks(quick), batches=20 if quick else BATCHES)


def more() -> list[Job]:
    """One job for each of `more_checks`."""
    return jobs_of(more_checks(), batches=BATCHES)


def jobs_of(chosen: list[tuple[str, TrainConfig]], batches: int) -> list[Job]:
    """One job for each setting and run; ``batches``: of groups that are sampled in each."""
    from paper_repro.forecast.gradient_check import checked

    return [
        Job(
            f"gradients/{setting}-{config.rule}",
            "gradient_check",
            checked,
            {"config": config, "setting": setting, "batches": batches},
        )
        for setting, config in chosen
    ]


def headlines(tables: Tables) -> list[str]:
    """In how many combinations trainer and theory agree."""
    table = tables.get("gradient_check")
    if table is None:
        return []
    largest = int((table["z_largest"] > table["z_limit"]).sum())
    longer = int(((table["ratio"] - 1).abs() > 3 * table["ratio_error"]).sum())
    return [
        f"Sampled against exact gradients at a fixed network, {len(table)} combinations of method and problems, up to "
        f"{int(table['parameters'].max())} parameters each: the largest z-score is beyond chance in {largest}, the "
        f"length along the exact gradient in {longer}; z-scores have a root mean square of "
        f"{table['z_rms'].median():.2f} at the median."
    ]


def training_runs(quick: bool) -> list[TrainConfig]:
    """The runs whose warm starts are needed."""
    return [config for _, config in checks(quick)]


STUDY = Study(
    name="gradients",
    question="Is the gradient that the trainer samples, on average, the exact one?",
    jobs=jobs,
    more=more,
    order=75,
    headlines=headlines,
    training_runs=training_runs,
    plates=(
        Plate(
            name="gradients",
            title="The trainer's gradient against the exact one",
            needs=("gradient_check",),
            draw=gradients.draw,
            caption=(
                "At a fixed warm-started network, groups are sampled again and again for the same questions. Left: the "
                "mean of the sampled gradients along the exact expected gradient, in lengths of the exact one, with "
                "two standard errors; an error of one per cent in the trainer would move it by 0.01. Right: the "
                "largest of all parameters' z-scores, and the value that chance exceeds in one of a hundred tests."
            ),
        ),
    ),
)
