"""One training update of the default network against a plain implementation, side by side in one process.

    python benchmarks/bench_update.py [--threads 2] [--repeats 31]

2 layers, width 64, 64 questions x 8 responses, H = 6, SGD. "plain" is what one would write first: no key-value
cache, the whole sequence encoded again for every sampled token, the prompt encoded again for every response.
All sample, judge, compute advantages with the same rule, and take one gradient step; they take turns, and each ratio
is the median of the paired ratios. "plain" has the attention of our network (two batched matrix products and a
softmax) or the library's fused kernel, which gains it much where sequences are many and short; ours is the better
without. The useful work counts every matrix product once, with the prompt encoded once per question: sampling
forward, training forward, and a backward pass of twice the forward.
"""

import argparse
import copy
import time
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F

import toy_llm.model
from spo_theory.rules import rule
from toy_llm.judge import judge
from toy_llm.model import Transformer, TransformerPolicy
from toy_llm.task import ChainTask
from toy_llm.train import collect, policy_loss

QUESTIONS, GROUP, HORIZON, WIDTH, LAYERS, HEADS = 64, 8, 6, 64, 2, 4


def ours(policy, optimizer, update_rule, index):
    """One update of the project's trainer; returns seconds of sampling and of the gradient step."""
    t0 = time.perf_counter()
    batch = collect(policy, policy.task, update_rule, QUESTIONS, "bench", 0, index)
    t1 = time.perf_counter()
    log_p = policy.log_probs(batch.prompts, batch.answers, batch.rollout.responses)
    loss = policy_loss(log_p, batch.rollout.log_probs, batch.token_advantages, 0.2, 0.2, mask=batch.mask)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return t1 - t0, time.perf_counter() - t1


def plain(fused):
    """The same update written plainly, as a function like `ours`; ``fused``: attention by the library's one kernel."""

    def one(policy, optimizer, update_rule, index):
        model, task = policy.model, policy.task
        with use(fused_causal if fused else own_attention):
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

    return one


own_attention = toy_llm.model.attention


def fused_attention(q, k, v, bias):
    """`toy_llm.model.attention` by the library's fused kernel."""
    q, k, v = (x.unflatten(0, (-1, HEADS)) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias).flatten(0, 1)


def fused_causal(q, k, v, bias):
    """The fused kernel for whole sequences, which need no mask."""
    q, k, v = (x.unflatten(0, (-1, HEADS)) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).flatten(0, 1)


@contextmanager
def use(attention):
    """Let the network attend in another way for a while."""
    toy_llm.model.attention = attention
    try:
        yield
    finally:
        toy_llm.model.attention = own_attention


def fused(policy, optimizer, update_rule, index):
    """`ours` with the library's fused attention: why we do not use it here."""
    with use(fused_attention):
        return ours(policy, optimizer, update_rule, index)


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


def matmul_rate():
    """Measured float32 matrix-product rate, operations per second, at the shape of the widest layer."""
    a, b = torch.randn(3072, WIDTH), torch.randn(WIDTH, 4 * WIDTH)
    for _ in range(20):
        a @ b
    began = time.perf_counter()
    for _ in range(200):
        a @ b
    return 200 * 2 * a.numel() * 4 * WIDTH / (time.perf_counter() - began)


KINDS = (
    ("matrix products of linear layers", ("aten::mm", "aten::addmm")),
    ("attention: batched products, softmax", ("aten::bmm", "aten::baddbmm", "softmax", "aten::_softmax")),
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=31)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    task, update_rule = ChainTask(HORIZON), rule("spo", group_size=GROUP)
    model = Transformer(task.vocabulary, task.prompt_length + HORIZON, LAYERS, WIDTH, HEADS)
    ways = {
        "ours": ours,
        "ours, fused attention": fused,
        "plain": plain(fused=False),
        "plain, fused attention": plain(fused=True),
    }
    policies = {name: TransformerPolicy(copy.deepcopy(model), task) for name in ways}
    optimizers = {name: torch.optim.SGD(p.model.parameters(), lr=1e-4) for name, p in policies.items()}
    times = {name: [] for name in ways}
    for i in range(options.repeats + 3):
        for name, update in ways.items():
            times[name].append(update(policies[name], optimizers[name], update_rule, i))
    table = {name: 1e3 * np.array(rows[3:]) for name, rows in times.items()}
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
    flops, rate = useful_flops(task.vocabulary), matmul_rate()
    share = flops / rate / (np.median(table["ours"].sum(1)) / 1e3)
    print(f"useful work {flops / 1e9:.2f} GFLOP; matrix products run at {rate / 1e9:.0f} GFLOP/s here:")
    print(f"the update reaches {share:.0%} of that rate over its useful work; where its operators' time goes:")
    for kind, part in where_time_goes(lambda i: ours(policies["ours"], optimizers["ours"], update_rule, i)).items():
        print(f"  {part:4.0%}  {kind}")


if __name__ == "__main__":
    main()
