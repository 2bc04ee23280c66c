"""How an update's cost grows with responses and with their length, its memory, and several seeds together.

    python benchmarks/bench_scaling.py [--threads 2] [--out growth.png]

An update is sampling, judging, advantages, loss and gradient of the default network (2 layers, width 64). Three
sweeps: questions at 8 responses each, responses per question at 32 questions, and response length at 32 x 8. Medians
of repeated updates, in turns; the exponent is the slope of log time over the last three points. Memory: peak resident
size of a process that makes a 512-response update, and of one that only builds the network. Seeds: completions per
second of one configuration trained with two seeds in two processes, against one after the other.
"""

import argparse
import multiprocessing
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.ticker import LogLocator, StrMethodFormatter

from figures.style import BLUE, GREEN, VERMILLION, save_png, styled
from spo_theory.methods.registry import rule
from spo_theory.parts.objectives import Clipped
from toy_llm.config import TrainConfig
from toy_llm.network.linear import OneDnnLinear
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training.loop import make_policy, policy_loss
from toy_llm.training.rollout import collect
from toy_llm.training.seeds import for_seed, train_seeds

SWEEPS = {
    "responses, by questions": [{"questions": q} for q in (8, 16, 32, 64, 128, 256)],
    "responses, by group size": [{"group_size": g} for g in (4, 8, 16, 32, 64)],
    "response length (tokens)": [{"horizon": h} for h in (4, 8, 16, 32, 64)],
}
USUAL = {"questions": 32, "group_size": 8, "horizon": 6}


def updater(questions, group_size, horizon):
    """A function that makes one update of an untrained network."""
    torch.manual_seed(0)
    task, update_rule = ChainTask(horizon), rule("spo", group_size=group_size)
    model = Transformer(task.vocabulary, task.prompt_length + horizon, 2, 64, 4, linear=OneDnnLinear)
    policy = TransformerPolicy(model, task)

    def update(index):
        batch = collect(policy, task, update_rule, questions, "bench", 0, index)
        log_p = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
        credit = batch.token_advantages
        loss = policy_loss(Clipped(), log_p, batch.rollout.log_probs, batch.advantages, credit, mask=batch.mask)
        model.zero_grad()
        loss.backward()

    return update


def growth(repeats=15):
    """Time of an update along every sweep; all points take turns, so the machine's phases meet all of them."""
    rows = []
    for sweep, points in SWEEPS.items():
        for point in points:
            size = USUAL | point
            x = size["horizon"] if "horizon" in point else size["questions"] * size["group_size"]
            rows.append({"sweep": sweep, "x": x, **size})
    updates = [updater(**{name: row[name] for name in USUAL}) for row in rows]
    spent = []
    for index in range(repeats + 1):
        spent.append([])
        for update in updates:
            began = time.perf_counter()
            update(index)
            spent[-1].append(time.perf_counter() - began)
    return pd.DataFrame(rows).assign(seconds=np.median(spent[1:], axis=0))


def exponent(one):
    """Slope of log time over the last three points."""
    last = one.iloc[-3:]
    return float(np.polyfit(np.log(last["x"]), np.log(last["seconds"]), 1)[0])


@styled
def draw(table, threads):
    """Time against responses and length, on logarithmic axes, beside lines of slope 1 and 2."""
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
    panels = (axes[0], axes[0], axes[1])
    for (sweep, one), axis, colour, mark in zip(
        table.groupby("sweep", sort=False), panels, (BLUE, VERMILLION, GREEN), "os^", strict=False
    ):
        label = f"{sweep.removeprefix('responses, ')}: exponent {exponent(one):.2f}"
        axis.loglog(one["x"], 1e3 * one["seconds"], mark + "-", color=colour, label=label)
    for axis, of, name in ((axes[0], 1, "responses per update"), (axes[1], 2, "tokens per response")):
        first = table[table["horizon"] != USUAL["horizon"]] if of == 2 else table[table["sweep"] == next(iter(SWEEPS))]
        x = np.array([first["x"].min(), first["x"].max()])
        y = 1e3 * first["seconds"].iloc[-1] * (x / x[-1]) ** of
        axis.loglog(x, y, ":", color="0.5", label=f"slope {of}")
        axis.set(xlabel=name, ylabel="time of an update (ms)")
        axis.set_xticks(sorted(set(first["x"])), labels=sorted(set(first["x"])))
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.minorticks_off()
        axis.legend(frameon=False, fontsize=8)
    figure.suptitle(f"Cost of an update: 2 layers, width 64; {threads} threads; medians", fontsize=10)
    return figure


def peak(update_too, pipe):
    """Send the peak resident size (MB) of this process."""
    update = updater(64, 8, 6)
    if update_too:
        for i in range(3):
            update(i)
    status = Path("/proc/self/status").read_text()  # getrusage would count what the parent had before the exec
    pipe.send(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def memory():
    """Peak resident size, MB, of a fresh process without and with 512-response updates."""
    found = []
    for update_too in (False, True):
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(target=peak, args=(update_too, theirs))
        process.start()
        found.append(mine.recv())
        process.join()
    return found


def seeds(folder):
    """Completions per second of two seeds one after the other and in two processes; three rounds, taking turns."""
    config = TrainConfig(updates=60, cache_dir=folder, noise_every=0)
    make_policy(config)  # the warm start is on disk before
    rates = {1: [], 2: []}
    for turn in range(3):
        for workers in rates:
            runs = [replace(for_seed(config, seed, True), seed=2 * turn + seed) for seed in (0, 1)]
            stamps = []
            for _ in train_seeds(runs, workers):
                stamps.append(time.perf_counter())
            # from the tenth row on, when all processes run
            rates[workers].append((len(stamps) - 10) * 512 / (stamps[-1] - stamps[9]))
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write the picture of the growth here, a .png")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = growth()
    for sweep, one in table.groupby("sweep", sort=False):
        print(
            f"{sweep}: {', '.join(f'{x} in {1e3 * s:.1f} ms' for x, s in zip(one['x'], one['seconds'], strict=True))}"
        )
        print(f"  exponent over the last three points: {exponent(one):.2f}")
    if options.out is not None:
        save_png(draw(table, options.threads), options.out)
        print(f"written: {options.out}")
    without, whole = memory()
    print(f"memory of a process with 512-response updates: {whole:.0f} MB, {whole - without:.0f} MB more than without")
    with tempfile.TemporaryDirectory() as folder:
        rates = seeds(folder)
    ratios = np.array(rates[2]) / np.array(rates[1])
    print(
        f"two seeds: {np.median(rates[1]):,.0f} completions/s one after the other (one thread), "
        f"{np.median(rates[2]):,.0f} in two processes; ratio {np.median(ratios):.2f} "
        f"(from {ratios.min():.2f} to {ratios.max():.2f})"
    )


if __name__ == "__main__":
    main()
