"""TRL's GRPOTrainer with a tiny random model, offline, in float32 and without dropout."""

import os
import warnings

import pytest
import torch

GROUP, PROMPTS, LONGEST = 4, 3, 7


class TinyTrl:
    """Builds trainers; ``folder`` holds the model, because TRL loads the reference model again by its path."""

    def __init__(self, folder):
        os.environ["HF_HUB_OFFLINE"] = "1"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.trl = pytest.importorskip("trl", reason="the extra 'trl' is not installed")
            from tokenizers import Tokenizer, models, pre_tokenizers
            from transformers import PreTrainedTokenizerFast
        self.folder = folder
        self.words = {"[PAD]": 0, "[END]": 1} | {str(d): d + 2 for d in range(10)} | {"+": 12, "=": 13}
        core = Tokenizer(models.WordLevel(self.words, unk_token="[PAD]"))
        core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        special = {"pad_token": "[PAD]", "eos_token": "[END]", "padding_side": "left"}
        self.tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **special)

    def trainer(self, reward_funcs, kind=None, trainer_options=None, **options):
        """A trainer of class ``kind`` (default GRPOTrainer); ``options`` are those of GRPOConfig."""
        from datasets import Dataset
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(0)
        size = {"n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 32, "vocab_size": len(self.words)}
        quiet = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 1, "eos_token_id": 1}
        config = self.trl.GRPOConfig(
            output_dir=str(self.folder),
            use_cpu=True,
            bf16=False,
            report_to=[],
            num_generations=GROUP,
            per_device_train_batch_size=GROUP * PROMPTS,
            max_completion_length=LONGEST,
            use_bias_correction_kl=False,
            **options,
        )
        GPT2LMHeadModel(GPT2Config(**size, **quiet)).save_pretrained(self.folder / "start")
        return (kind or self.trl.GRPOTrainer)(
            model=GPT2LMHeadModel.from_pretrained(self.folder / "start"),
            reward_funcs=reward_funcs,
            args=config,
            train_dataset=Dataset.from_list([{"prompt": f"{a}+{a + 1}="} for a in range(PROMPTS)]),
            processing_class=self.tokenizer,
            **(trainer_options or {}),
        )
