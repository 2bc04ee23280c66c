"""One training update of the default network against a plain implementation, side by side in one process.

    python benchmarks/bench_update.py [--threads 2] [--repeats 31]

2 layers, width 64, 64 questions x 8 responses, H = 6, SGD. "plain" is what one would write first with the same network
and torch's linear layers: no key-value cache, the whole sequence encoded again for every sampled token, the prompt
encoded again for every response. All sample, judge, compute advantages with the same rule, and take one gradient step;
they take turns, and each ratio is the median of the paired ratios. The other lines have one part replaced; whole
sequences need no mask, which makes the plain update's fused attention fast. The useful work counts every matrix product
once, with the prompt encoded once per question: sampling forward, training forward, and a backward pass of twice the
forward.
"""

import argparse
import os
import subprocess
import sys
import time
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import toy_llm.network.transformer
from spo_theory.methods.registry import rule
from spo_theory.parts.objectives import Clipped
from toy_llm.judging.exact import judge
from toy_llm.network.linear import OneDnnLinear
from toy_llm.network.transformer import Transformer
from toy_llm.network.transformer_policy import TransformerPolicy
from toy_llm.problems.chain import ChainTask
from toy_llm.training.loop import collect, policy_loss

QUESTIONS, GROUP, HORIZON, WIDTH, LAYERS, HEADS = 64, 8, 6, 64, 2, 4


def ours(policy, optimizer, update_rule, index):
    """One update of the project's trainer; returns seconds of sampling and of the gradient step."""
    t0 = time.perf_counter()
    batch = collect(policy, policy.task, update_rule, QUESTIONS, "bench", 0, index)
    t1 = time.perf_counter()
    log_p = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
    credit = batch.token_advantages
    loss = policy_loss(Clipped(), log_p, batch.rollout.log_probs, batch.advantages, credit, mask=batch.mask)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return t1 - t0, time.perf_counter() - t1


def plain(policy, optimizer, update_rule, index):
    """The same update written plainly, as a function like `ours`."""
    model, task = policy.model, policy.task
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
    credit = advantages[..., None].expand(log_p.shape)
    loss = policy_loss(Clipped(), log_p, torch.cat(old, 1).view_as(log_p), advantages, credit)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return t1 - t0, time.perf_counter() - t1


def causal(q, k, v, bias):
    """The fused kernel for whole sequences, which need no mask."""
    q, k, v = (x.unflatten(0, (-1, HEADS)) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).flatten(0, 1)


def by(backend):
    """`toy_llm.network.transformer.attention` by one of the library's kernels."""

    def attention(q, k, v, bias):
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=bias)[0]

    return attention


def attending(update, attention):
    """``update`` with another attention in the network."""

    def one(*arguments):
        own = toy_llm.network.transformer.attention
        toy_llm.network.transformer.attention = attention
        try:
            return update(*arguments)
        finally:
            toy_llm.network.transformer.attention = own

    return one


def useful_flops(vocabulary):
    """Floating-point operations of the matrix products one update cannot do without.

    Each prompt token is needed once, and of the last layer only its keys and values, but for the last one.
    """
    prompt, own = HORIZON + 2, GROUP * (HORIZON - 1)
    linear = 2 * WIDTH**2  # one token through a square matrix; a layer has 12: q, k, v, out and 4 up and down
    layers = (LAYERS * (prompt + own) * 12 - (prompt - 1) * 10) * linear
    head = 2 * WIDTH * vocabulary * (1 + own)
    seen_prompt = (LAYERS - 1) * prompt * (prompt + 1) / 2 + prompt
    seen_own = LAYERS * (own * prompt + GROUP * (HORIZON - 1) * HORIZON / 2)
    attention = 4 * WIDTH * (seen_prompt + seen_own)
    forward = QUESTIONS * (layers + attention + head)
    return forward * (1 + 3)  # sampling forward; training forward and backward


@torch.no_grad()
def matmul_rate(linear):
    """Measured float32 matrix-product rate, operations per second, of a class of linear layers at the widest layer."""
    x, layer = torch.randn(3072, WIDTH), linear(WIDTH, 4 * WIDTH, bias=False)
    for _ in range(20):
        layer(x)
    began = time.perf_counter()
    for _ in range(200):
        layer(x)
    return 200 * 2 * x.numel() * 4 * WIDTH / (time.perf_counter() - began)


KINDS = (
    ("matrix products of linear layers", ("aten::mm", "aten::addmm", "mkldnn::_linear_pointwise")),
    ("attention: batched products, softmax", ("aten::bmm", "aten::baddbmm", "softmax", "attention")),
    ("GELU", ("gelu",)),
    ("copies and joins", ("aten::copy_", "aten::cat", "aten::index", "aten::repeat")),
    ("layer norms", ("layer_norm",)),
)


def where_time_goes(update, repeats=5):
    """Shares of the operators' own time in ``update(i)``, by kind."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for i in range(repeats):
            update(i)
    events = {e.key: e.self_cpu_time_total for e in profile.key_averages()}
    total, shares = sum(events.values()), {}
    for kind, marks in KINDS:
        own = [k for k in events if any(k == m or ("::" not in m and m in k) for m in marks)]
        shares[kind] = sum(events.pop(k) for k in own) / total
    shares["all else (optimizer, element-wise, python and dispatch inside operators)"] = sum(events.values()) / total
    return shares


def beside_a_busy_process(repeats):
    """Print how long the project's update takes alone and beside a process that keeps one core busy.

    Each line is a process of its own, because the libraries read how idle threads wait when they are loaded.
    """
    print("beside other work: ms an update alone, and beside a process that keeps one core busy")
    for threads in (1, 2):
        for wait, policy in (("spin", {}), ("sleep", {"OMP_WAIT_POLICY": "PASSIVE"})):
            line = [sys.executable, __file__, "--alone", "--threads", str(threads), "--repeats", str(repeats)]
            run = partial(subprocess.check_output, line, text=True, env={**os.environ, **policy})
            quiet = float(run())
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                disturbed = float(run())
            finally:
                busy.kill()
            print(f"  {threads} threads, idle ones {wait}: {quiet:.0f}, {disturbed:.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--alone", action="store_true", help="print nothing but the project's own ms an update")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    task, update_rule = ChainTask(HORIZON), rule("spo", group_size=GROUP)
    sizes = (task.vocabulary, task.prompt_length + HORIZON, LAYERS, WIDTH, HEADS)
    ways = {
        "ours": (ours, OneDnnLinear),
        "torch's linear layers": (ours, nn.Linear),
        "fused attention": (attending(ours, by(SDPBackend.FLASH_ATTENTION)), OneDnnLinear),
        "unfused attention": (attending(ours, by(SDPBackend.MATH)), OneDnnLinear),
        "plain": (plain, nn.Linear),
        "plain, fused attention": (attending(plain, causal), nn.Linear),
    }
    if options.alone:
        ways = {"ours": ways["ours"]}
    policies, optimizers = {}, {}
    for name, (_, linear) in ways.items():
        torch.manual_seed(0)
        policies[name] = TransformerPolicy(Transformer(*sizes, linear=linear), task)
        optimizers[name] = torch.optim.SGD(policies[name].model.parameters(), lr=1e-4)
    times = {name: [] for name in ways}
    for i in range(options.repeats + 3):
        for name, (update, _) in ways.items():
            times[name].append(update(policies[name], optimizers[name], update_rule, i))
    table = {name: 1e3 * np.array(rows[3:]) for name, rows in times.items()}
    if options.alone:
        print(np.median(table["ours"].sum(1)))
        return
    print(f"{options.threads} threads, {options.repeats} repeats after 3 to warm up; medians")
    for name, rows in table.items():
        whole = np.median(rows.sum(1))
        print(
            f"{name:>22}: {whole:6.1f} ms an update (sampling {np.median(rows[:, 0]):.1f}, gradient step "
            f"{np.median(rows[:, 1]):.1f}), {QUESTIONS * GROUP / whole * 1e3:,.0f} completions/s"
        )
    for name in list(ways)[1:]:
        ratios = table[name].sum(1) / table["ours"].sum(1)
        print(f"ratio {name} / ours: {np.median(ratios):.2f} (from {ratios.min():.2f} to {ratios.max():.2f})")
    flops, seconds = useful_flops(task.vocabulary), np.median(table["ours"].sum(1)) / 1e3
    print(f"useful work {flops / 1e9:.2f} GFLOP; over it the update reaches")
    for what, linear in (("torch's", nn.Linear), ("oneDNN's", OneDnnLinear)):
        rate = matmul_rate(linear)
        print(f"  {flops / rate / seconds:4.0%} of the rate of {what} matrix products, {rate / 1e9:.0f} GFLOP/s here")
    print("where its operators' time goes:")
    for kind, part in where_time_goes(lambda i: ours(policies["ours"], optimizers["ours"], update_rule, i)).items():
        print(f"  {part:4.0%}  {kind}")
    beside_a_busy_process(min(options.repeats, 15))


if __name__ == "__main__":
    main()
