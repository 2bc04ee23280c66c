"""Study: does it carry over to suites of problems, sizes, starts, judges that err and stored rollouts?"""

from figures.suites import imperfect_judges, pass_at_k, response_lengths, suites
from figures.suites.runs import usual_size
from paper_repro.claims.verdicts import Tables
from paper_repro.report.names import optimizer_name, rule_name
from paper_repro.studies.study import Claim, Plate, Study
from paper_repro.studies.suites import claims
from paper_repro.studies.suites.runs import jobs, more
from toy_llm.config import TrainConfig
from toy_llm.problems.suites import TRAINED


def headlines(tables: Tables) -> list[str]:
    """Mean success of the trained suites before and after training, by optimizer and rule."""
    table = tables.get("suites")
    if table is None:
        return []
    size = usual_size(table)
    ends = claims.ends_of(table)
    base = ends[(ends["size"] == size) & (ends["start"] == "base")]
    before = base[base["rule"] == "none"]["value"].mean()
    after = []
    for optimizer, rows in base[base["rule"] != "none"].groupby("optimizer"):
        means = [f"{rule_name(str(rule))} {one['value'].mean():.3f}" for rule, one in rows.groupby("rule")]
        after.append(f"with {optimizer_name(str(optimizer))} {', '.join(means)}")
    return [
        f"Ten suites, {size} base network: mean success of the eight trained suites is {before:.3f} before training; "
        f"after it, {'; '.join(after)}."
    ]


def suites_caption(tables: Tables) -> str:
    """What was measured; sizes and stored rollouts are told of only if those runs are there."""
    several = tables["suites"]["size"].nunique() > 1
    networks = "networks of three sizes are" if several else "the small network is"
    text = (
        f"Measured, without a theory: {networks} warm-started on all eight suites to train on and then trained on "
        "their mixture, with the same number of updates for every rule, and with AdamW unless SGD is said. A base "
        "start has learnt from imperfect traces"
    )
    if several:
        text += ", a distilled one from what the large base network wrote"
    text += ". (a) Success on every suite. (b) What the rules gain over GRPO with the same seed."
    if "suite_offline" in tables:
        text += (
            " (c) Training on one stored set of the base start's rollouts instead of fresh ones: on all-negative "
            "groups alone, or on the others alone."
        )
    return text


def training_runs(quick: bool) -> list[TrainConfig]:
    """The runs of all jobs."""
    return [job.arguments["run"].config() for job in jobs(quick) if "run" in job.arguments]


NETWORK = "Tiny transformer on chained arithmetic"
SUITES = "Tiny transformers on ten suites of problems"

STUDY = Study(
    name="suites",
    question="Does it carry over to suites of problems, sizes, starts, judges that err and stored rollouts?",
    jobs=jobs,
    more=more,
    order=12,
    headlines=headlines,
    training_runs=training_runs,
    plates=(
        Plate(
            name="suites",
            title="Ten suites of problems, three sizes, two starts",
            needs=("suites",),
            draw=suites.draw,
            options={"trained": TRAINED},
            optional={"offline": "suite_offline"},
            caption=suites_caption,
        ),
        Plate(
            name="response_lengths",
            title="What makes responses shorter",
            needs=("suites", "suite_lengths"),
            draw=response_lengths.draw,
            caption=(
                "Measured, in the runs of the figure of the ten suites that begin at the base start. RTS is the share "
                "of a response before its first error. The paper divides by the length of the response as it was "
                "written; this RTS rises when a response ends early, right or wrong. One change tells whether that is "
                "what makes responses shorter: the same rule, but divided by the length of the true response. Success "
                "is the mean probability of the true response."
            ),
        ),
        Plate(
            name="pass_at_k",
            title="pass@k before and after training",
            needs=("suites",),
            draw=pass_at_k.draw,
            options={"trained": TRAINED},
            caption=(
                "Measured: the probability that at least one of k sampled responses is correct, in the runs of the "
                "figure of the ten suites. Where a rule lifts pass@1 and not pass@32, it makes likelier what the start "
                "could already do."
            ),
        ),
        Plate(
            name="imperfect_judges",
            title="Imperfect judges",
            needs=("suite_judges", "weak_judge"),
            draw=imperfect_judges.draw,
            options={"trained": TRAINED},
            optional={"colours": "suite_colours"},
            caption=(
                "Measured. The first panels: training with judges that miss wrong steps and call right ones wrong at "
                "the given rates, and with the majority of five such judgments; from a start where most groups are "
                "all-negative, and, in a full run, from one where nearly all are, with what the noise costs under "
                "several colourings. The last panel: a judge that is itself a small network, trained on labelled "
                "traces; its twin, trained to solve on the same traces; and the student that it judges."
            ),
        ),
    ),
    claims=(
        Claim(
            number=6,
            claim="Offline: training on judged all-negative groups alone improves the base model.",
            where="Table 1",
            analogue=f"{SUITES}: a stored set of the start's rollouts",
            judge=claims.offline_improves,
            figure="suites",
        ),
        Claim(
            number=7,
            claim="Online: SPO beats GRPO on average over the suites, not on every one.",
            where="Table 2",
            analogue=f"{SUITES}: success at the end of training",
            judge=claims.suites_lead,
            figure="suites",
        ),
        Claim(
            number=9,
            claim="It holds across sizes and for base and distilled models; gains shrink with size.",
            where="Table 2",
            analogue=f"{SUITES}: three sizes, two starts (with --full)",
            judge=claims.across_sizes,
            figure="suites",
        ),
        Claim(
            number=10,
            claim="A weaker judge costs little.",
            where="Tables 2 and 3",
            analogue=f"{SUITES}: exact judge with seeded misses and false alarms",
            judge=claims.weaker_judges,
            figure="imperfect_judges",
        ),
        Claim(
            number=11,
            claim="A majority vote of judgments helps and steadies runs.",
            where="Table 4",
            analogue=f"{SUITES}: five noisy judgments against one",
            judge=claims.votes_help,
            figure="imperfect_judges",
        ),
        Claim(
            number=12,
            claim="The judge need not produce correct answers itself.",
            where="Remark 3.2, Table 5",
            analogue=f"{NETWORK}: a small transformer trained on labelled traces is the judge",
            judge=claims.judge_need_not_solve,
            figure="imperfect_judges",
        ),
        Claim(
            number=13,
            claim="beta and gamma stabilize training against judge noise.",
            where="Tables 2 and 3",
            analogue=f"{SUITES}: several beta and gamma, exact and noisy judge, prefix credit (with --full)",
            judge=claims.colouring_steadies,
            figure="imperfect_judges",
        ),
        Claim(
            number=15,
            claim="pass@16 improves.",
            where="Table 5",
            analogue=f"{SUITES}: unbiased pass@16",
            judge=claims.pass_at_16,
            figure="pass_at_k",
        ),
        Claim(
            number=16,
            claim="The judge costs about 10 % of wall clock while on and 2.5 % overall.",
            where="Experiments, judge cost",
            analogue="none",
            judge="the judge here is a comparison of integers: its cost says nothing about a language model's",
            figure="",
        ),
    ),
)
