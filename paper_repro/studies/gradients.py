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


def checks(quick: bool) -> list[tuple[str, TrainConfig]]:
    """Settings and runs that are checked: all methods whose weights follow from classes on the chain, four on suites.

    >>> [config.rule for _, config in checks(quick=True)]
    ['grpo', 'spo']
    """
    if quick:
        return [("chain", replace(QUICK, rule=name)) for name in ("grpo", "spo")]
    from paper_repro.forecast.expected_updates import follows_from_classes

    # What is asked in part is sampled in another way
    served = [name for name in rule.names() if follows_from_classes(rule(name)) and rule(name).sampler.whole]
    found = [("chain", replace(CHAIN, rule=name)) for name in served]

    # RTS over the written length would depend on more than the class
    lengths = {"spo": {"rts_length": "true"}, "spo_prefix": {"rts_length": "true"}}
    names = ("grpo", "spo", "spo_prefix", "dr_grpo")
    return found + [("suites", replace(SUITES, rule=name, rule_options=lengths.get(name, {}))) for name in names]


def jobs(quick: bool) -> list[Job]:
    """One job for each of `checks`; table "gradient_check"."""
    from paper_repro.forecast.gradient_check import checked

    batches = 20 if quick else 60
    return [
        Job(
            f"gradients/{setting}-{config.rule}",
            "gradient_check",
            checked,
            {"config": config, "setting": setting, "batches": batches},
        )
        for setting, config in checks(quick)
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
