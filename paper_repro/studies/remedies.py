"""Study: which remedy for all-wrong groups, at what price; every method exactly, up to half success."""

import numpy as np
import pandas as pd

from figures import remedies as drawing
from paper_repro.claims.verdicts import Tables
from paper_repro.contenders import contenders, raced
from paper_repro.jobs.job import Job
from paper_repro.settings import build
from paper_repro.studies.study import Plate, Study

RECOVERIES = (1e-4, 1e-3, 3e-3, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Chances to come back to the track after an error, per step."""

JUDGES = ((0.0, 0.0), (0.1, 0.05), (0.2, 0.1), (0.4, 0.2))
"""Miss and false-alarm rates of the judges that colouring methods hear."""

DEFAULT = {
    "horizons": (2, 4, 8, 16),
    "sizes": (4, 8, 16, 64),
    "accuracies": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "judges": JUDGES,
}
DEAREST = ("ipo",)
"""Contenders that only a full run has: each takes minutes."""

QUICK = {"horizons": (4, 8), "sizes": (8,), "accuracies": (0.1, 0.3, 0.5, 0.7), "judges": JUDGES[:1]}


def remedy_map(
    name: str,
    horizons: tuple[int, ...],
    sizes: tuple[int, ...],
    accuracies: tuple[float, ...],
    judges: tuple[tuple[float, float], ...],
) -> pd.DataFrame:
    """Updates and costs to half success of one contender, over steps, group sizes, accuracies and judges.

    Rows as of `paper_repro.contenders.raced`. ``judges``: their miss and false-alarm rates, the exact one first; those
    that err are for methods that hear them, up to group size 16.
    """
    from paper_repro.contenders import contender
    from spo_theory.needs import needs_of

    frames = []
    for horizon in horizons:
        hears = needs_of(contender(name, min(sizes)), horizon).judged.any()
        for size in sizes:
            for miss, false_alarm in judges if hears and size <= 16 else judges[:1]:
                frames.append(raced(name, size, horizon, accuracies, miss, false_alarm))
    return pd.concat(frames, ignore_index=True)


def recovery_map(horizons: tuple[int, ...], recoveries: tuple[float, ...]) -> pd.DataFrame:
    """Updates to half success of GRPO and of colouring where errors are not final; G = 8, steps right with 0.3.

    One row per rule, number of steps and chance to come back to the track: rule, horizon, recovery, updates, success
    (at the start).
    """
    from spo_theory.dynamics.race import updates_in_world
    from spo_theory.outcomes.recovering import recovering_world

    rows = []
    for horizon in horizons:
        for recovery in recoveries:
            world = recovering_world([0.3] * horizon, recovery)
            for name in ("grpo", "spo"):
                updates = updates_in_world(world, build(name, 8))
                rows.append((name, horizon, recovery, updates, float(world.success)))
    return pd.DataFrame(rows, columns=["rule", "horizon", "recovery", "updates", "success"])


def break_even(table: pd.DataFrame) -> pd.DataFrame:
    """The price in rollouts at which each contender costs what GRPO costs up to half success.

    Of a judged step for those who hear the judge, else of a reference solution: the rollouts that GRPO needs more,
    over the judged steps or solutions used. Rows: contender, horizon, group_size, step_success, price, of.
    """
    setting = ["horizon", "group_size", "step_success"]
    exact = table[table["miss"] == 0]
    plain = exact[exact["contender"] == "grpo"].set_index(setting)["rollouts"].rename("grpo")
    rows = exact.join(plain, on=setting)
    used = rows["steps_judged"].where(rows["steps_judged"] > 0, rows["solutions"])
    rows = rows[used > 0]
    of = (rows["steps_judged"] > 0).map({True: "judged step", False: "reference solution"})
    price = (rows["grpo"] - rows["rollouts"]) / used[used > 0]
    # A remedy that does nothing else than GRPO saves nothing but rounding
    same = np.isclose(rows["grpo"], rows["rollouts"], rtol=1e-9)
    return rows.assign(price=price.where(~same, 0.0), of=of)[["contender", *setting, "price", "of"]]


def derive(tables: Tables) -> dict[str, pd.DataFrame]:
    """The table of break-even prices."""
    return {"remedy_prices": break_even(tables["remedy_map"])} if "remedy_map" in tables else {}


def jobs(quick: bool) -> list[Job]:
    """One job a contender (in the quick version those that are drawn), one for errors that can be recovered from."""
    grid = QUICK if quick else DEFAULT
    names = list(drawing.SHOWN) if quick else [name for name in contenders() if name not in DEAREST]
    recovery = {"horizons": (4, 6) if quick else (2, 4, 6, 8), "recoveries": RECOVERIES}
    return [
        Job("remedies/recovery", "recovery", recovery_map, recovery),
        *(Job(f"remedies/{name}", "remedy_map", remedy_map, {"name": name, **grid}) for name in names),
    ]


def more() -> list[Job]:
    """What only a full run has: the dearest contenders, and twelve steps for all."""
    twelve = DEFAULT | {"horizons": (12,)}
    return [
        *(Job(f"remedies/{name}", "remedy_map", remedy_map, {"name": name, **DEFAULT}) for name in DEAREST),
        *(Job(f"remedies/{name}-H12", "remedy_map", remedy_map, {"name": name, **twelve}) for name in contenders()),
    ]


def headlines(tables: Tables) -> list[str]:
    """The costs of the main remedies at H = 8, if they are in the tables."""
    if "remedy_map" not in tables:
        return []
    table = tables["remedy_map"]
    at = table[(table["horizon"] == 8) & (table["group_size"] == 8) & (table["step_success"] == 0.3)]
    updates = at[at["miss"] == 0].set_index("contender")["updates"]
    names = ["grpo", "spo", "hints, any depth", "imitation"]
    if updates.reindex(names).isna().any():
        return []
    counts = ", ".join(f"{name} {updates[name]:.0f}" for name in names)
    return [f"Updates to half success at H = 8, G = 8, step success 0.3: {counts}."]


STUDY = Study(
    name="remedies",
    question="My groups are all wrong: which remedy, at what price?",
    jobs=jobs,
    more=more,
    order=25,
    derive=derive,
    headlines=headlines,
    plates=(
        Plate(
            name="remedy_costs",
            title="What half success costs",
            needs=("remedy_map",),
            draw=drawing.draw_costs,
            caption=(
                "What each remedy costs up to half success, per question, against the number of steps. GRPO's costs "
                "grow exponentially; colouring, hints and imitation remove that, and each has a cost that the others "
                "do not have."
            ),
        ),
        Plate(
            name="remedy_prices",
            title="At which price a remedy pays",
            needs=("remedy_prices",),
            draw=drawing.draw_break_even,
            caption=(
                "The price of a judged step or of a reference solution, in rollouts, below which the remedy reaches "
                "half success at a lower cost than GRPO."
            ),
        ),
        Plate(
            name="recovery",
            title="Where the exponential separation ends",
            needs=("recovery",),
            draw=drawing.draw_recovery,
            caption=(
                "Updates to half success if a response that has left the track comes back with some chance at each "
                "step. The lead of colouring ends at a smaller chance the longer the question is."
            ),
        ),
    ),
)
