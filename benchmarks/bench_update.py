"""One training update of the default network against a plain implementation, side by side in one process.

    python benchmarks/bench_update.py [--threads 2] [--repeats 15]

2 layers, width 64, 64 questions x 8 responses, H = 6, SGD. "plain" is what one would write first: no key-value
cache, the whole sequence encoded again for every sampled token, the prompt encoded again for every response.
Both sample, judge, compute advantages with the same rule, and take one gradient step; they alternate, and the
ratio is the median of the paired ratios. The useful work counts every matrix product once, with the prompt
encoded once per question: sampling forward, training forward, and a backward pass of twice the forward.
"""

import argparse
import copy
import time

import numpy as np
import torch

from spo_theory.rules import rule
from toy_llm.judge import judge
from toy_llm.model import Transformer, TransformerPolicy
from toy_llm.task import ChainTask
from toy_llm.train import collect, policy_loss

QUESTIONS, GROUP, HORIZON, WIDTH, LAYERS = 64, 8, 6, 64, 2


def ours(policy, optimizer, update_rule, index):
    """One update of the project's trainer; returns seconds of sampling and of the gradient step."""
    t0 = time.perf_counter()
    batch = collect(policy, policy.task, update_rule, QUESTIONS, "bench", 0, index)
    t1 = time.perf_counter()
    log_p = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
    loss = policy_loss(log_p, batch.rollout.log_probs, batch.step_advantages, 0.2, 0.2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return t1 - t0, time.perf_counter() - t1


def plain(model, task, optimizer, update_rule, index):
    """The same update written plainly."""
    t0 = time.perf_counter()
    prompts, answers = task.questions("bench", 0, index * QUESTIONS, QUESTIONS)
    tokens = prompts.repeat_interleave(GROUP, 0)
    old = []
    with torch.no_grad():
        for _ in range(HORIZON):
            log_p = model(tokens)[0][:, -1].log_softmax(-1)
            draw = torch.multinomial(log_p.exp(), 1)
            old.append(log_p.gather(1, draw))
            tokens = torch.cat([tokens, draw], dim=1)
    responses = tokens[:, -HORIZON:].view(QUESTIONS, GROUP, HORIZON)
    correct, first_error = judge(responses, answers)
    advantages = update_rule.advantages(correct, first_error, torch.full_like(first_error, HORIZON)).float()
    t1 = time.perf_counter()
    logits = model(tokens)[0][:, -HORIZON - 1 : -1].log_softmax(-1)
    log_p = logits.gather(-1, tokens[:, -HORIZON:, None]).view(QUESTIONS, GROUP, HORIZON)
    loss = policy_loss(log_p, torch.cat(old, 1).view_as(log_p), advantages, 0.2, 0.2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return t1 - t0, time.perf_counter() - t1


def useful_flops(vocabulary):
    """Floating-point operations of the matrix products one update cannot do without."""
    prompt, own = HORIZON + 2, GROUP * (HORIZON - 1)
    per_token = LAYERS * 2 * 12 * WIDTH**2
    head = 2 * WIDTH * vocabulary * (1 + own)
    seen_prompt = prompt * (prompt + 1) / 2
    seen_own = own * prompt + GROUP * (HORIZON - 1) * HORIZON / 2
    attention = LAYERS * 4 * WIDTH * (seen_prompt + seen_own)
    forward = QUESTIONS * ((prompt + own) * per_token + attention + head)
    return forward * (1 + 3)  # sampling forward; training forward and backward


def matmul_rate():
    """Measured float32 matrix-product rate, operations per second, at the shape of the widest layer."""
    a, b = torch.randn(3072, WIDTH), torch.randn(WIDTH, 4 * WIDTH)
    for _ in range(20):
        a @ b
    began = time.perf_counter()
    for _ in range(200):
        a @ b
    return 200 * 2 * a.numel() * 4 * WIDTH / (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    task, update_rule = ChainTask(HORIZON), rule("spo", group_size=GROUP)
    model = Transformer(task.vocabulary, task.prompt_length + HORIZON, LAYERS, WIDTH, 4)
    other = copy.deepcopy(model)
    policy = TransformerPolicy(model, task)
    a, b = (torch.optim.SGD(m.parameters(), lr=1e-4) for m in (model, other))
    times = {"ours": [], "plain": []}
    for i in range(options.repeats + 3):
        times["ours"].append(ours(policy, a, update_rule, i))
        times["plain"].append(plain(other, task, b, update_rule, i))
    table = {name: 1e3 * np.array(rows[3:]) for name, rows in times.items()}
    print(f"{options.threads} threads, {options.repeats} repeats after 3 to warm up; medians")
    for name, rows in table.items():
        whole = np.median(rows.sum(1))
        print(
            f"{name:>6}: {whole:6.1f} ms an update (sampling {np.median(rows[:, 0]):.1f}, gradient step "
            f"{np.median(rows[:, 1]):.1f}), {QUESTIONS * GROUP / whole * 1e3:,.0f} completions/s"
        )
    ratios = table["plain"].sum(1) / table["ours"].sum(1)
    print(f"ratio plain / ours: {np.median(ratios):.2f} (from {ratios.min():.2f} to {ratios.max():.2f})")
    flops, rate = useful_flops(task.vocabulary), matmul_rate()
    share = flops / rate / (np.median(table["ours"].sum(1)) / 1e3)
    print(f"useful work {flops / 1e9:.2f} GFLOP; matrix products run at {rate / 1e9:.0f} GFLOP/s here: ")
    print(f"the update reaches {share:.0%} of that rate over its useful work")


if __name__ == "__main__":
    main()
