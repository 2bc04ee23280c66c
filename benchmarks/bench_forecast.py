"""What a forecast costs beside the sampled training that it forecasts, in one process, one thread.

    python benchmarks/bench_forecast.py [--horizon 4] [--updates 40] [--repeats 5]

The ordinary network, 64 questions x 8 responses, plain SGD. All take turns from the same warm start: sampled
training, the mean field (exact expected gradients) and one draw of the noisy level. Nothing is measured on the way.
Compilation is left out: every part has run once before. Each ratio is the median of the paired ratios, in processor
time.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
import torch

from paper_repro.forecast.mean_field import mean_field
from paper_repro.forecast.noisy import TrueStates
from toy_llm.config import TrainConfig
from toy_llm.training.loop import make_policy, updates

PARTS = ("sampled training", "mean field", "noisy, one draw")


def run(part, config):
    """Processor time of all updates of one part, seconds."""
    policy = make_policy(config)
    rows = {
        "sampled training": lambda: updates(config, policy),
        "mean field": lambda: mean_field(config, policy),
        "noisy, one draw": lambda: updates(config, TrueStates(policy)),
    }
    started = time.process_time()
    for _ in rows[part]():
        pass
    return time.process_time() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--horizon", type=int, default=4)
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = TrainConfig(
        horizon=given.horizon, start_accuracy=0.45, updates=given.updates, noise_every=0, kl_every=0, group_size=8
    )
    for name in ("grpo", "spo"):
        config = replace(base, rule=name)
        for part in PARTS:
            run(part, replace(config, updates=2))
        seconds = {part: [] for part in PARTS}
        for _ in range(given.repeats):
            for part in PARTS:
                seconds[part].append(run(part, config))
        whole = np.array(seconds[PARTS[0]])
        for part in PARTS:
            one = np.array(seconds[part])
            each = 1000 * np.median(one) / given.updates
            print(f"{name:5} H={given.horizon} {part:17} {each:6.1f} ms an update, ratio {np.median(one / whole):.2f}")


if __name__ == "__main__":
    main()
