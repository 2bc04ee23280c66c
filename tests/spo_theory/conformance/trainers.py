"""Functions of real trainers, in the forms that the check takes; nothing of them is written again here.

TRL is the installed package. The others are read from their unpacked wheels, with what they import but do not need for
their advantages replaced by stand-ins::

    pip download --no-deps -d wheels verl==0.9.1 openrlhf==0.11.2 skyrl==0.3.0 ms-swift==4.6.0
    python tests/spo_theory/conformance/trainers.py wheels       # prints the table of docs/conformance.md
"""

import ast
import importlib
import importlib.machinery
import inspect
import re
import sys
import tempfile
import textwrap
import zipfile
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from spo_theory.conformance import check
from spo_theory.conformance.advantages.trial import subject_of

STAND_INS = (
    "ray", "tensordict", "omegaconf", "jaxtyping", "loguru", "hydra", "codetiming", "cachetools", "torchdata", "vllm",
    "flash_attn", "peft", "swift.utils", "skyrl.train.config", "verl.workers.config", "verl.trainer.config",
    "skyrl.backends.skyrl_train.utils.off_policy_correction_utils", "verl.protocol",
)  # fmt: skip


def lines_of(function, first, last):
    """The statements of a function, compiled, from the one that begins with ``first`` to that with ``last``."""
    body = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body
    texts = [ast.unparse(statement) for statement in body]
    begin = next(i for i, text in enumerate(texts) if text.startswith(first))
    end = next(i for i, text in enumerate(texts) if text.startswith(last) and i >= begin)
    return compile(ast.Module(body[begin : end + 1], type_ignores=[]), function.__qualname__, "exec")


def trl_advantages(scale_rewards="group", aggregation="sum_then_normalize"):
    """TRL's statements from rewards to advantages, of `GRPOTrainer._generate_and_score_completions`; NaN: no reward."""
    from trl.trainer import grpo_trainer

    code = lines_of(
        grpo_trainer.GRPOTrainer._generate_and_score_completions, "unscorable_mask =", "advantages = torch.nan_to_num"
    )

    def advantages(rewards, num_generations):
        trainer = SimpleNamespace(
            multi_objective_aggregation=aggregation,
            reward_weights=torch.ones(1),
            scale_rewards=scale_rewards,
            reward_funcs=[None],
        )
        names = {
            "self": trainer,
            "rewards_per_func": rewards[:, None],
            "num_generations": num_generations,
            "device": "cpu",
        }
        exec(code, {**vars(grpo_trainer)}, names)
        return names["advantages"]

    return advantages


def trl_rloo():
    """TRL's statements of `RLOOTrainer`."""
    from trl.trainer import rloo_trainer

    code = lines_of(
        rloo_trainer.RLOOTrainer._generate_and_score_completions,
        "grouped_rewards =",
        "advantages = torch.nan_to_num",
    )

    def advantages(rewards, num_generations):
        names = {
            "rewards": rewards,
            "num_generations": num_generations,
            "self": SimpleNamespace(normalize_advantages=False),
        }
        exec(code, {**vars(rloo_trainer)}, names)
        return names["advantages"]

    return advantages


def trl_loss(loss_type, beta=0.0, width=5):
    """`GRPOTrainer._compute_loss` itself, with a trainer that has log-probabilities in the place of a network."""
    from trl.trainer.grpo_trainer import GRPOTrainer

    def loss(log_prob, old_log_prob, advantages, mask, ref_log_prob):
        trainer = GRPOTrainer.__new__(GRPOTrainer)
        settings = {
            "_entropy_bonus_enabled": False,
            "_get_per_token_logps_and_entropies": lambda *a, **k: (log_prob, torch.zeros_like(log_prob), None),
            "accelerator": SimpleNamespace(
                reduce=lambda x, reduction: x, gather=lambda x: x, num_processes=1, sync_gradients=True
            ),
            "args": SimpleNamespace(
                delta=None, steps_per_generation=1, use_bias_correction_kl=False, entropy_target=None
            ),
            "model": SimpleNamespace(training=True),
            "use_adaptive_entropy": False,
            "loss_type": loss_type, "beta": beta, "epsilon_low": 0.2, "epsilon_high": 0.28,
            "importance_sampling_level": "token", "top_entropy_quantile": 1.0, "off_policy_mask_threshold": None,
            "use_vllm": False, "vllm_importance_sampling_correction": False, "aux_loss_enabled": False,
            "current_gradient_accumulation_steps": 1, "max_completion_length": log_prob.shape[1], "entropy_coef": 0.0,
            "_metrics": {"train": defaultdict(list)}, "tools": None, "_entropy_window_stats": None,
        }  # fmt: skip
        for name, value in settings.items():
            object.__setattr__(trainer, name, value)
        ids = torch.zeros(mask.shape, dtype=torch.long)
        inputs = {
            "prompt_ids": ids[:, :1], "prompt_mask": torch.ones_like(ids[:, :1]), "completion_ids": ids,
            "completion_mask": mask.long(), "advantages": advantages, "old_per_token_logps": old_log_prob,
            "ref_per_token_logps": ref_log_prob, "num_items_in_batch": mask.sum(),
        }  # fmt: skip
        return trainer._compute_loss(trainer.model, inputs)

    if beta:
        return loss
    return lambda log_prob, old, adv, mask: loss(log_prob, old, adv, mask, torch.zeros_like(log_prob))


class Anything(type):
    """A class that has every attribute, can be subscripted, and whose instances can be called: for annotations,
    decorators, loggers and the arguments of isinstance."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __getitem__(cls, key):
        return cls


class Whatever(metaclass=Anything):
    """What every attribute of a stand-in is."""

    def __init__(self, *args, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self


class StandIns:
    """Gives modules of `STAND_INS`, and everything below them, with `Whatever` in them."""

    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in STAND_INS):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = type(sys)(spec.name)
        module.__getattr__ = lambda name: Whatever
        module.__path__ = []
        return module

    def exec_module(self, module):
        pass


def unpack(wheels):
    """Unpack all wheels of a folder into a temporary one that is importable; returns it."""
    folder = Path(tempfile.mkdtemp())
    for wheel in Path(wheels).glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder)
    for purelib in folder.glob("*.data/purelib"):
        sys.path.insert(0, str(purelib))
    sys.path.insert(0, str(folder))
    sys.meta_path.insert(0, StandIns())
    return folder


def module_alone(folder, path, name):
    """One file as a module, without running the packages above it."""
    for parent in list(Path(path).parents)[:-1][::-1]:
        dotted = ".".join(parent.parts)
        package = type(sys)(dotted)
        package.__path__ = [str(folder / parent)]
        sys.modules.setdefault(dotted, package)
    return importlib.import_module(name)


def by_tokens(estimator, **options):
    """An estimator of verl's kind with its options."""

    def advantages(token_level_rewards, response_mask, index):
        return estimator(token_level_rewards=token_level_rewards, response_mask=response_mask, index=index, **options)

    return advantages


def openrlhf(folder, estimator):
    """The branch of OpenRLHF's ``compute_advantages_and_returns`` that makes advantages of rewards ``(Q, G)``."""
    [path] = folder.glob("**/openrlhf/trainer/ppo_utils/experience_maker.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    [branch] = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.If) and re.search(r"estimator == .rloo.", ast.unparse(node.test))
    ]  # fmt: skip
    code = compile(ast.unparse(branch), path.name, "exec")

    def advantages(rewards):
        algo = SimpleNamespace(advantage=SimpleNamespace(estimator=estimator))
        args = SimpleNamespace(algo=algo, rollout=SimpleNamespace(n_samples_per_prompt=rewards.shape[-1]))
        names = {"rewards": rewards, "args": args}
        exec(code, {}, names)
        return names["rewards"]

    return advantages


def of_trl():
    """Name, function and layout of TRL's functions, and of its losses."""
    yield "TRL group", trl_advantages("group"), {"layout": "flat", "mask": "nan"}
    yield "TRL batch", trl_advantages("batch"), {"layout": "flat", "mask": "nan"}
    yield "TRL none", trl_advantages("none"), {"layout": "flat", "mask": "nan"}
    yield "TRL normalize_then_sum", trl_advantages("group", "normalize_then_sum"), {"layout": "flat", "mask": "nan"}
    yield "TRL RLOO", trl_rloo(), {"layout": "flat", "mask": "nan"}
    for loss_type in ("grpo", "bnpo", "dapo", "dr_grpo", "luspo"):
        yield f"TRL loss {loss_type}", trl_loss(loss_type), {"kind": "loss"}
    yield "TRL loss dapo with KL", trl_loss("dapo", beta=0.04), {"kind": "loss"}
    yield "TRL loss cispo", trl_loss("cispo"), {"kind": "loss"}


def of_wheels(folder):
    """The same for the unpacked wheels."""
    core = module_alone(folder, "verl/trainer/ppo/core_algos.py", "verl.trainer.ppo.core_algos")
    config = SimpleNamespace(gamma=1.0, get=lambda name, default=None: default)
    for name in ("grpo", "grpo_vectorized", "rloo", "rloo_vectorized", "opo", "gpg", "grpo_passk", "gdpo",
                 "reinforce_plus_plus", "reinforce_plus_plus_baseline"):  # fmt: skip
        options = {"config": None} if name == "gdpo" else {"config": config}
        yield f"verl {name}", by_tokens(core.get_adv_estimator_fn(name), **options), {"layout": "tokens"}
    unscaled = by_tokens(core.get_adv_estimator_fn("grpo"), config=config, norm_adv_by_std_in_grpo=False)
    yield "verl grpo, norm_adv_by_std_in_grpo=False", unscaled, {"layout": "tokens"}
    yield "verl loss vanilla", verl_loss(core), {"kind": "loss"}
    for name in ("group_norm", "rloo", "dr_grpo"):
        yield f"OpenRLHF {name}", openrlhf(folder, name), {}
    path = "skyrl/backends/skyrl_train/utils/ppo_utils.py"
    sky = module_alone(folder, path, path.removesuffix(".py").replace("/", "."))
    for name in ("compute_grpo_outcome_advantage", "compute_rloo_outcome_advantage", "compute_maxrl_advantage"):
        yield f"SkyRL {name}", by_tokens(getattr(sky, name)), {"layout": "tokens"}
    swift = module_alone(folder, "swift/rl_core/advantage.py", "swift.rl_core.advantage")
    swift.nanstd = swift_nanstd(folder)
    for estimator, scale in (("grpo", "group"), ("grpo", "batch"), ("grpo", "none"), ("grpo", "gdpo"), ("rloo", "none"),
                             ("rloo", "group"), ("reinforce_plus_plus", "batch")):  # fmt: skip
        yield f"ms-swift {estimator}, scale {scale}", of_swift(swift, estimator, scale), {"layout": "flat"}


def of_swift(swift, estimator, scale):
    """ms-swift's function on one reward function."""

    def advantages(rewards, num_generations):
        return swift.compute_advantages(rewards[:, None], torch.ones(1), num_generations, estimator, scale)[0]

    return advantages


def swift_nanstd(folder):
    """ms-swift's own nanstd, from its source."""
    for path in folder.glob("swift/utils/*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == "nanstd":
                names = {"torch": torch, "Optional": None, "Union": None}
                node.returns = None
                for argument in node.args.args:
                    argument.annotation = None
                exec(compile(ast.unparse(node), path.name, "exec"), names)
                return names["nanstd"]
    raise LookupError("nanstd")


def verl_loss(core):
    """verl's ``vanilla`` policy loss with its default clips."""
    policy_loss = core.get_policy_loss_fn("vanilla")

    def loss(log_prob, old_log_prob, advantages, response_mask):
        policy = SimpleNamespace(
            clip_ratio=0.2, clip_ratio_low=0.2, clip_ratio_high=0.28, global_batch_info={},
            get=lambda name, default=None: {"clip_ratio_c": 3.0}.get(name, default),
        )  # fmt: skip
        advantages = advantages[:, None] * torch.ones_like(log_prob)
        mask = response_mask.to(log_prob.dtype)
        return policy_loss(old_log_prob, log_prob, advantages, mask, "token-mean", policy)[0]

    return loss


def judged(name, function, settings, sizes=(2, 3, 4, 8, 16, 64)):
    """The report on one of them."""
    if settings.get("kind") == "loss":
        return check(function, name=name, library="torch", **settings)
    return check(function, name=name, library="torch", sizes=sizes, **settings)


def row(name, function, settings):
    """One row of the table of docs/conformance.md."""
    report = judged(name, function, settings)
    if report.kind == "loss":
        followed = str(report.identified).split(":")[0]
    else:
        names = report.identified.names
        followed = f"{names[0]}, {in_words(report.identified.described)}" if names else str(report.identified)
    failed = ", ".join(f"`{finding.property.name}`" for finding in report.failed) or "none"
    return f"| {name} | {followed} | {failed} | {of_equal_rewards(function, settings)} |"


def in_words(formula):
    """A formula as it is written, short."""
    if formula.startswith("GroupAdvantage("):
        return f"`{formula.removeprefix('GroupAdvantage(').removesuffix(')')}`"
    return f"`{formula.replace('BatchScaled', 'batch')}`"


def of_equal_rewards(function, settings, sizes=range(2, 65)):
    """The largest advantage that groups of equal rewards have, to two digits."""
    if settings.get("kind") == "loss":
        return ""
    subject = subject_of(function, library="torch", **settings)
    largest = 0.0
    for size in sizes:
        for value in (0.1, 0.7, 1 / 3, 2.1, 0.9525741268):
            largest = max(largest, float(np.abs(subject(subject.rounded(np.full((1, size), value)))).max()))
    return f"{largest:.2g}"


def main(wheels):
    """Print the table."""
    print("| function | it follows | properties that fail | advantages of equal rewards |\n|---|---|---|---|")
    for name, function, settings in [*of_trl(), *(of_wheels(unpack(wheels)) if wheels else ())]:
        print(row(name, function, settings), flush=True)


if __name__ == "__main__":
    np.seterr(all="ignore")
    main(sys.argv[1] if len(sys.argv) > 1 else None)
