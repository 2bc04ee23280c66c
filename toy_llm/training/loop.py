"""Group-relative policy optimization of a tiny transformer, or of a tabular policy, with sampled groups.

One update: sample a group of responses to each of ``questions`` questions, judge every step, let the update rule turn
the groups into the advantage of every token, then maximize the value of the rule's objective: by default the clipped
surrogate, summed over tokens and averaged over responses,
``mean_i sum_t min(ratio_it A_it, clip(ratio_it, 1 - clip_low, 1 + clip_high) A_it) - kl_coef k3_it``.
All questions are fresh. The sum over tokens is what the theory describes; other aggregations are options.
"""

from collections.abc import Iterator

import pandas as pd
from tqdm import tqdm

from toy_llm.config import TrainConfig
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.network.policy import Policy
from toy_llm.threads import threads
from toy_llm.training import checkpoint
from toy_llm.training.checkpoint import Row, RunRecord, State
from toy_llm.training.costs import NO_COSTS, costs, with_resampling
from toy_llm.training.divergence import NotFinite, TrainingDiverged, check_policy
from toy_llm.training.history import history_of
from toy_llm.training.judges import make_judge
from toy_llm.training.losses import policy_loss
from toy_llm.training.metrics import kl_is_due, measure
from toy_llm.training.offline import stored_rollouts
from toy_llm.training.policies import load_policy, make_policy
from toy_llm.training.resampling import delivered
from toy_llm.training.rollout import Batch, Judged, collect, sample_and_judge, score, with_start_log_probs
from toy_llm.training.steps import NO_STEP, make_optimizer, take_steps

__all__ = [
    "Policy",
    "TrainConfig",
    "TrainingDiverged",
    "collect",
    "load_policy",
    "make_judge",
    "make_policy",
    "policy_loss",
    "train",
    "updates",
]


def updates(
    config: TrainConfig,
    policy: Policy,
    state: State | None = None,
    judge: JudgeSource | None = None,
) -> Iterator[Row]:
    """Train ``policy`` in place on its task; yields a row of metrics per update, and one of the final policy.

    A row is measured before the parameters move, on fresh rollouts: those of its update or, offline, those that
    online training would have used. ``state``: where to continue; its rows are not repeated. ``judge``: tells the
    rule where responses go wrong (None: the exact truth). Writes the checkpoint as ``config`` says. Raises
    `TrainingDiverged`, and `OSError` if the checkpoint cannot be written.
    """
    # The start policy stays as it is: stored rollouts come from it, and the divergence is measured from it.
    start = policy.frozen_copy()
    kept = stored_rollouts(config, policy, judge) if config.mode == "offline" else []
    optimizer = make_optimizer(config, list(policy.module.parameters()))
    run = RunRecord(config, policy.module, start.module, optimizer, state)
    update_rule = config.make_rule()
    always = config.kl_coef > 0 or update_rule.objective.uses_reference

    def prepared(judged: Judged, needs_start: bool) -> Batch:
        batch = score(policy.task, update_rule, judged)
        return with_start_log_probs(batch, start, config.temperature) if needs_start else batch

    def resampled(judged: Judged, step: int) -> tuple[Batch, float]:
        """The groups to learn from where the rule's sampler replaces some, and the rollouts that they took."""

        def another(number: int) -> Judged:
            return sample_and_judge(policy, config.sampling(), f"train, batch {number}", step, judge)

        groups, batches = delivered(policy.task, update_rule, judged, another)
        learnt = prepared(groups, needs_start=always)
        return learnt, float(batches * config.questions * config.group_size)

    stored = [prepared(judged, needs_start=always) for judged in kept]
    history = history_of(config, policy.task, None if state is None else state.history)
    for step in range(run.step, config.updates + 1):
        # Questions are fresh, or those of a pool that the history of the run has left in it.
        remembered = history.state()
        questions = history.ask(config.questions)

        # Roll out, judge and score: a group of responses to each question, what the rule makes of them.
        update_rule = config.rule_in(step)
        judged = sample_and_judge(policy, config.sampling(), "train", step, judge, questions)
        history.record(judged.verdict.correct.all(-1))
        batch = prepared(judged, needs_start=always or kl_is_due(config, step))

        # Measure before the parameters move, and save before a step can go wrong; the final policy takes none.
        row: Row = {"step": step, **measure(batch)}
        row |= costs(batch) if config.mode == "online" else NO_COSTS
        try:
            check_policy(row["success_exact"])
            run.save_if_due(step, remembered)
            learnt = stored[step % len(stored)] if stored else batch
            if update_rule.sampler.resamples and not stored and step < config.updates:
                learnt, rollouts = resampled(judged, step)
                row |= with_resampling(row, learnt, rollouts)
            row |= take_steps(config, policy, optimizer, learnt, step) if step < config.updates else NO_STEP
        except NotFinite as error:
            raise run.diverged(str(error), step) from error
        yield run.add(row)


def train(config: TrainConfig) -> pd.DataFrame:
    """Run a configuration from its warm start, or from its checkpoint if it is to be resumed.

    Returns a tidy DataFrame, one row per update 0..updates; the columns are explained in docs/metrics.md.
    If ``config.checkpoint`` is set, the state of the run is kept there (`toy_llm.training.checkpoint`), and the path
    is in ``frame.attrs["checkpoint"]``. Raises `InputError` for bad settings or a checkpoint of another run before any
    work, `TrainingDiverged` if the policy stops being finite.

    >>> curve = train(TrainConfig(policy="tabular", horizon=2, start_accuracy=0.5, learning_rate=1.0, updates=20))
    >>> curve["success_exact"].iloc[[0, -1]].round(1).tolist()
    [0.2, 0.9]
    """
    config.validate()

    # A checkpoint of another run is refused before the warm start, which may take minutes.
    state = checkpoint.read_for(config)
    policy = make_policy(config)
    rows = [] if state is None else list(state.rows)

    # The rows of a resumed run come first, as if it had never stopped.
    bar = tqdm(total=config.updates + 1, initial=len(rows), disable=not config.progress)
    with bar, threads(config.threads):
        bar.set_description(f"{config.rule} seed {config.seed}")
        for row in updates(config, policy, state, make_judge(config, policy.task)):
            rows.append(row)
            bar.set_postfix_str(live(row))
            bar.update()
    frame = pd.DataFrame(rows)
    if config.checkpoint is not None:
        frame.attrs["checkpoint"] = config.checkpoint
    return frame


def live(row: Row) -> str:
    """What a progress bar shows of a row.

    >>> live({"success_exact": 0.25, "all_negative": 0.5})
    'success 0.250, all-negative 0.500'
    """
    return f"success {row['success_exact']:.3f}, all-negative {row['all_negative']:.3f}"
