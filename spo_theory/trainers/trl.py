"""Colouring in TRL's GRPOTrainer: a reward function for one process, and a trainer that colours what all gathered.

With one process, or where every process holds whole groups:

    GRPOTrainer(reward_funcs=ColouredReward(rule("spo", group_size=8, convention="trl"), correct, rts), ...)

With groups that may be split between processes, and for credit to the right prefix alone:

    class Trainer(ColouredTrainer, GRPOTrainer): pass
    Trainer(method=rule("spo_prefix", group_size=8, convention="trl"), reward_funcs=[correct, rts], ...)

``correct`` and ``rts`` are reward functions in TRL's sense. Docs: docs/trainers.md. TRL 1.16.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from spo_theory.group import Group
from spo_theory.method import Method
from spo_theory.parts.credit import WholeResponse
from spo_theory.trainers.colours import coloured_rewards, colouring_of
from spo_theory.validation import check

RewardFunction = Callable[..., Sequence[float | None]]
"""TRL's: keyword arguments prompts, completions, completion_ids and every column; one number for each completion."""


class ColouredReward:
    """A reward function of TRL that colours whole groups.

    method: rule ``spo`` with the trainer's ``num_generations`` as its group size. correct: reward function that gives 1
    to correct completions and 0 to others. rts: reward function that gives the right share of a completion in [0, 1],
    None where there is no judgement; it is asked about all completions. Use it as the only reward function: a second
    one would be added to the colours, so that a wrong response could earn more than a correct one.

    TRL must hand it whole groups, one after the other; that holds with one process. Raises `InputError` where it does
    not. Rewards of a method in one process: docs/trainers.md.
    """

    __name__ = "coloured_reward"

    def __init__(self, method: Method, correct: RewardFunction, rts: RewardFunction) -> None:
        colouring_of(method)
        self.method = method
        self.correct = correct
        self.rts = rts

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float]:
        """One reward for each completion."""
        size = self.method.group_size
        whole = len(prompts) % size == 0 and all(prompt == prompts[i - i % size] for i, prompt in enumerate(prompts))
        check(whole, "prompts", f"{len(prompts)} of them", f"whole groups of {size} equal prompts: see ColouredTrainer")

        columns = {"prompts": prompts, "completions": completions, **columns}
        correct = torch.tensor([float(value or 0) for value in self.correct(**columns)]) == 1
        rts = _floats(self.rts(**columns))

        # The share of correct completions, which the coloured mean reward hides
        log_metric = columns.get("log_metric")
        if log_metric is not None:
            log_metric("correct", correct.float().mean().item())
        return coloured_rewards(self.method, correct.view(-1, size), rts.view(-1, size)).flatten().tolist()


class ColouredTrainer:
    """Mixin in front of GRPOTrainer that colours after the rewards of all processes were gathered.

    method: keyword, a method that colours, with ``num_generations`` as its group size. reward_funcs: the first gives
    1 to correct completions and 0 to others, the second the right share in [0, 1] or None, as in `ColouredReward`;
    further ones are added to the reward as TRL does. reward_weights: that of the second is set to 0, as the colours
    hold it.

    A method with credit to the right prefix alone needs a third reward function, of weight 0, that gives the number of
    tokens in the right prefix of each completion: its advantages then are ``(B, T)``, one for each token.
    Raises `InputError` for a method that does not colour or of another group size, and for too few reward functions.
    """

    def __init__(self, *args: Any, method: Method, **options: Any) -> None:
        colouring_of(method)
        self.method = method
        self.by_token = not isinstance(method.credit, WholeResponse)
        super().__init__(*args, **options)

        # Both are known only now
        trainer: Any = self
        needed = 3 if self.by_token else 2
        given = len(trainer.reward_funcs)
        check(given >= needed, "reward_funcs", given, f"at least {needed} functions for rule {method.name!r}")
        size = trainer.num_generations
        check(size == method.group_size, "group_size", method.group_size, f"{size}, the trainer's num_generations")
        trainer.reward_weights[1:needed] = 0.0

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> torch.Tensor:
        """Rewards ``(N, functions)`` of all processes, those of the first function coloured."""
        parent: Any = super()
        rewards = parent._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        trainer: Any = self

        # Evaluation may use groups of another size; there the outcome is what counts
        if trainer.model.training:
            size = self.method.group_size
            correct = rewards[:, 0].view(-1, size) == 1
            self._correct = correct.flatten()
            self._prefix = rewards[:, 2] if self.by_token else rewards.new_zeros(len(rewards))
            rewards[:, 0] = coloured_rewards(self.method, correct, rewards[:, 1].view(-1, size)).flatten()
        return rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        """TRL's batch of this process; its advantages are ``(B, T)`` if the method credits single steps."""
        parent: Any = super()
        batch = parent._generate_and_score_completions(inputs)
        trainer: Any = self
        if self.by_token and trainer.model.training:
            # Every token is one step of the group here, and the first error is behind the right prefix
            advantages = batch["advantages"]
            own = slice(*(len(advantages) * (trainer.accelerator.process_index + i) for i in (0, 1)))
            mask = batch["completion_mask"]
            group = Group(
                correct=self._correct[own],
                first_error=torch.nan_to_num(self._prefix[own], nan=0.0).long(),
                lengths=mask.to(advantages.dtype),
            )
            batch["advantages"] = self.method.credit(group, advantages)
        return batch


def _floats(values: Sequence[float | None]) -> torch.Tensor:
    """A float32 vector, NaN for None."""
    return torch.tensor([float("nan") if value is None else value for value in values])
