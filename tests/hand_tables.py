"""Small tables made by hand, as studies would write them: for verdicts, captions, figures and the report."""

import numpy as np
import pandas as pd

TRAINED = ("add", "carry")
STEPS = np.arange(41)
JITTER = (-0.4, 0.0, 0.4)
"""What the seeds of a hand-made experiment differ by, so that intervals have a width."""

COMPARISON = {
    "experiment": "H4-sgd",
    "rule": "spo",
    "horizon": 4,
    "group_size": 8,
    "model": "tiny",
    "optimizer": "sgd",
    "level": "mean_field",
    "note": "ordinary",
    "family": "single",
    "starts": 5,
    "seeds": 5,
    "predicted_half": 20.0,
    "measured_half": 21.0,
    "measured_low": 20.5,
    "measured_high": 21.5,
    "predicted_low": 19.5,
    "predicted_high": 20.5,
    "ratio": 1.05,
    "run_spread": 0.05,
    "error_over_spread": 0.8,
    "band": 2.0,
    "in_band": 1.0,
    "predicted_q10": 19.0,
    "predicted_q90": 21.0,
    "measured_q10": 20.0,
    "measured_q90": 22.0,
    "rmse": 0.01,
    "r2": 0.999,
    "fitted": 0,
    "collapsed": 0,
    "predicted_collapsed": 0.0,
}


def curves(lead=0.0, experiment="H4-sgd", rules=("grpo", "spo"), half=20.0, forecast=0.0, **columns):
    """Curves of a network, one run from each start, and their forecasts.

    GRPO is half way after ``half`` updates, SPO ``lead`` updates sooner, in the forecast ``forecast``.
    """
    frames = []
    for rule in rules:
        for seed, jitter in enumerate(JITTER):
            for source in ("network", "theory"):
                ahead = {"network": lead + jitter, "theory": forecast}[source] if rule == "spo" else 0.0
                success = 1 / (1 + np.exp(-(STEPS - half + ahead) / 3))
                frame = {
                    "experiment": experiment,
                    "source": source,
                    "rule": rule,
                    "horizon": 4,
                    "group_size": 8,
                    "model": "tiny",
                    "optimizer": experiment.split("-")[1],
                    "start": seed,
                    "seed": seed if source == "network" else None,
                    "level": "mean_field" if source == "theory" else "sampled",
                    "draw": 0,
                    "step": STEPS,
                    "success": success,
                    "all_negative": (1 - success) ** 8,
                    "grad_norm": 1.0,
                    "entropy": 1 - success,
                }
                frames.append(pd.DataFrame(frame | columns))
    return pd.concat(frames, ignore_index=True)


def comparison(**changes):
    """One row of the comparison of forecasts and measurements."""
    return pd.DataFrame([COMPARISON | changes])


def silent_groups(grpo=0.0, alive=0.5, stuck=0.0, stuck_share=(0.8, 0.1)):
    """Kinds of all-negative groups at an early and at a middle step accuracy.

    grpo: GRPO's largest advantage. alive, stuck: that of colouring where first errors differ, and where they do not.
    stuck_share: share of the latter at the two accuracies.
    """
    rows = []
    for accuracy, share in zip((0.1, 0.5), stuck_share, strict=True):
        for rule, sizes in (("grpo", (grpo, grpo)), ("spo", (alive, stuck))):
            for kind, size, probability in (
                ("all-negative", sizes[0], 1 - share),
                ("all-negative, one first error", sizes[1], share),
                ("mixed", 1.0, 0.0),
            ):
                row = {"rule": rule, "kind": kind, "smallest": size, "largest": size}
                rows.append(row | {"step_success": accuracy, "probability": probability})
    return pd.DataFrame(rows)


def escape(updates, seeds=range(5)):
    """Updates to half success; ``updates``: GRPO's and SPO's by number of steps. Sampled seeds are 0.1 apart."""
    rows = []
    for horizon, pair in updates.items():
        for rule, count in zip(("grpo", "spo"), pair, strict=True):
            fixed = {"rule": rule, "group_size": 8, "horizon": horizon, "all_negative": 0.9}
            rows.append(fixed | {"source": "theory", "seed": -1, "updates": count})
            rows += [fixed | {"source": "monte_carlo", "seed": seed, "updates": count + seed / 10} for seed in seeds]
    return pd.DataFrame(rows)


def two_step(lead_p=0.1, lead_success=0.1, elsewhere=0.1):
    """Curves of the two-step model from the paper's start and from another one, where SPO's lead is ``elsewhere``."""
    frames = []
    for p, q, leads in ((0.5, 0.5, (lead_p, lead_success)), (0.9, 0.5, (elsewhere, elsewhere))):
        for rule, ahead in (("grpo", (0.0, 0.0)), ("spo", leads)):
            step = np.arange(6)
            path = {"p": p + (step > 0) * ahead[0] / 10, "success": p * q + step / 20 + (step > 0) * ahead[1] / 10}
            frames.append(pd.DataFrame({"rule": rule, "start_p": p, "start_q": q, "step": step} | path))
    return pd.concat(frames, ignore_index=True)


def two_step_limit(last=0.999, growing=True):
    """Success of both rules over very many iterations."""
    path = np.linspace(0.25, last, 6)
    path = path if growing else np.append(path[:-1], path[-3])
    return pd.concat([pd.DataFrame({"rule": rule, "step": range(6), "success": path}) for rule in ("grpo", "spo")])


def two_step_map(gain=0.1):
    """What one coloured iteration gains on a grid of starts; ``gain``: at the paper's."""
    p, q = (axis.ravel() for axis in np.meshgrid([0.2, 0.5, 0.8], [0.3, 0.5]))
    return pd.DataFrame({"p": p, "q": q, "gain": np.where(p < 0.8, gain, -0.1)})


RUN = {
    "miss": 0.0,
    "false_alarm": 0.0,
    "votes": 1,
    "mode": "online",
    "train_on": "all",
    "rts_length": "written",
    "optimizer": "adamw",
    "beta": np.nan,
    "gamma": np.nan,
    "accuracy": 0.6,
    "size": "medium",
    "start": "base",
}


def runs(values, suites=TRAINED, held_out=("longer",), seeds=(0, 1, 2), **labels):
    """Rows at the end of runs on suites; ``values``: success by rule, or a value for each of ``seeds``.

    Every metric of a run has this value on ``suites``, and 0 on ``held_out``. The rule "none" is the start, one seed.
    """
    rows = []
    for rule, value in values.items():
        chosen = seeds[:1] if rule == "none" else seeds
        by_seed = value if isinstance(value, tuple) else tuple(value + 0.01 * seed for seed in chosen)
        for seed, shown in zip(chosen, by_seed, strict=True):
            for suite in (*suites, *held_out):
                for metric, k in (("success", np.nan), ("pass@k", 1), ("pass@k", 16), ("response_length", np.nan)):
                    measured = {"suite": suite, "metric": metric, "k": k, "value": shown if suite in suites else 0.0}
                    rows.append(RUN | labels | {"rule": rule, "seed": seed} | measured)
    return pd.DataFrame(rows)


def weak_judge(judge=0.0, twin=0.05, start=0.02, student=0.9):
    """Who solves how much: a learned judge, its twin that was trained to solve, and its student before and after."""
    solved = {"judge": judge, "judge's twin": twin, "student at start": start, "student trained": student}
    table = pd.DataFrame({"who": list(solved), "success": list(solved.values()), "seeds": 3, "judge_accuracy": 0.9})
    return table.assign(low=table["success"] - 0.01, high=table["success"] + 0.01)


def related():
    """Tables of the study of related claims, by name: two rules on three paths, four curves, two variants."""
    steps = np.arange(4)
    chances = {"path_1": 0.5, "path_2": 0.1, "path_3": 0.02}
    paths = [pd.DataFrame({"rule": name, "step": steps, **chances}) for name in ("grpo", "unlikeliness")]
    curves = [
        pd.DataFrame({"start": "far", "rule": name, "data": data, "step": steps, "success": 0.1 + 0.1 * steps})
        for name in ("best_of_n", "dpo")
        for data in ("on policy", "stored")
    ]
    return {
        "right_paths": pd.concat(paths, ignore_index=True),
        "offline_curves": pd.concat(curves, ignore_index=True),
        "weights_and_grading": pd.DataFrame({"variant": ["neither", "both"], "updates": [90.0, 20.0]}),
    }


MANIFEST = {
    "quick": False,
    "created": "now",
    "finished": "1 of 1 jobs",
    "config_hash": "abc",
    "commit": None,
    "python": "3",
    "platform": "here",
    "processors": 2,
    "packages": {"numpy": "2"},
    "jobs": {"a": {"seconds": 1.0}, "b": {"seconds": None}},
    "seconds_by_experiment": {"a": 1.0},
}
"""Of a run with one finished job of two, not the quick version."""
