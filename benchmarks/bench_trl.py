"""One whole training update against TRL's GRPOTrainer, side by side in one process.

    python benchmarks/bench_trl.py [--threads 2] [--updates 15]        (needs the extra `trl`)

The same network size (2 layers, width 64, 4 heads), the same chained arithmetic (H = 6 one-token steps modulo 10),
64 questions x 8 responses, AdamW, no KL penalty, no dropout, float32, temperature 1. An update is everything from
new questions to changed weights: sampling, judging, advantages, loss, gradient and optimizer. TRL trains as its users
do, with `GRPOTrainer.train`, a GPT-2 of that size, one tokenizer token per character, and exactly H new tokens; its
completions are judged by the same judge. Ours is `toy_llm.training.loop.updates` with its default logging, from the
default warm start, twice: with colouring (spo), where nearly every group teaches something, and with TRL's own rule
(grpo), where nearly none does and the gradient step leaves the others out. All take turns, so they see the same
machine; TRL's time is from the end of our updates to the end of its own.
"""

import argparse
import os
import tempfile
import time
import warnings

import numpy as np
import torch

from toy_llm.config import TrainConfig
from toy_llm.judging.exact import judge
from toy_llm.problems.chain import ChainTask
from toy_llm.training.loop import make_policy, updates

QUESTIONS, GROUP, HORIZON, WIDTH, LAYERS, HEADS = 64, 8, 6, 64, 2, 4
WARM_UP = 3


def our_updates(rule):
    """Our trainer with its default logging, from the default warm start: one whole update for each ``next``."""
    config = TrainConfig(
        horizon=HORIZON, layers=LAYERS, width=WIDTH, heads=HEADS, questions=QUESTIONS, group_size=GROUP, rule=rule,
        optimizer="adamw", learning_rate=1e-4, updates=10**6, progress=True,
    )  # fmt: skip
    return updates(config, make_policy(config))


def trl_trainer(count, after_update, folder):
    """A GRPOTrainer that calls ``after_update`` when it has made one."""
    import datasets
    import trl
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, TrainerCallback

    words = {str(d): d for d in range(10)} | {"=": 10, "[PAD]": 11, "[END]": 12}
    core = Tokenizer(models.WordLevel(words, unk_token="[PAD]"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", eos_token="[END]", padding_side="left"
    )
    task = ChainTask(HORIZON)
    prompts, answers = task.questions("bench", 0, 0, QUESTIONS * (count + 1))
    texts = ["".join(map(str, row[:-1])) + "=" for row in prompts.tolist()]
    truth = dict(zip(texts, answers, strict=True))

    def reward(prompts, completion_ids, **_):
        right = torch.stack([truth[p] for p in prompts])
        correct, _ = judge(torch.tensor(completion_ids)[:, None], right)
        return correct[:, 0].float().tolist()

    class AfterUpdate(TrainerCallback):
        def on_step_end(self, *args, **kwargs):
            after_update()

    # no early end (min_new_tokens), and no padding of prompts: TRL does no more work than ours
    config = trl.GRPOConfig(
        output_dir=folder, use_cpu=True, bf16=False, report_to=[], disable_tqdm=True, save_strategy="no",
        logging_strategy="no", max_steps=count, per_device_train_batch_size=QUESTIONS * GROUP,
        num_generations=GROUP, max_completion_length=HORIZON, generation_kwargs={"min_new_tokens": HORIZON},
        beta=0.0, temperature=1.0, gradient_checkpointing=False, learning_rate=1e-4, shuffle_dataset=False,
    )  # fmt: skip
    model = GPT2LMHeadModel(
        GPT2Config(
            n_layer=LAYERS, n_embd=WIDTH, n_head=HEADS, n_positions=32, vocab_size=len(words),
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=12, eos_token_id=12,
        )
    )  # fmt: skip
    return trl.GRPOTrainer(
        model=model,
        reward_funcs=[reward],
        args=config,
        train_dataset=datasets.Dataset.from_list([{"prompt": t} for t in texts]),
        processing_class=tokenizer,
        callbacks=[AfterUpdate()],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--updates", type=int, default=15)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    ours = {f"ours, {rule}": our_updates(rule) for rule in ("spo", "grpo")}
    times, idle, mark = {name: [] for name in (*ours, "TRL")}, {name: [] for name in ours}, [0.0]

    def after_update():
        times["TRL"].append(time.perf_counter() - mark[0])
        for name, trainer in ours.items():
            began = time.perf_counter()
            row = next(trainer)
            times[name].append(time.perf_counter() - began)
            idle[name].append(row["zero_advantage"])
        mark[0] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        trainer = trl_trainer(WARM_UP + options.updates, after_update, folder)
        dtype = next(trainer.model.parameters()).dtype
        mark[0] = time.perf_counter()
        trainer.train()
    table = {name: np.array(rows[WARM_UP:]) for name, rows in times.items()}
    print(f"{options.threads} threads, {options.updates} updates after {WARM_UP} to warm up, {dtype}; medians")
    for name, seconds in table.items():
        middle = np.median(seconds)
        print(f"{name:>10}: {1e3 * middle:6.1f} ms an update, {QUESTIONS * GROUP / middle:,.0f} completions/s")
    for name, shares in idle.items():
        ratios = table["TRL"] / table[name]
        print(
            f"ratio TRL / {name}: {np.median(ratios):.2f} (from {ratios.min():.2f} to {ratios.max():.2f}); "
            f"groups without advantages: {np.mean(shares):.0%}"
        )


if __name__ == "__main__":
    main()
