"""A diagnosis in words, for a terminal."""

import math

from spo_theory.diagnosis.findings import Diagnosis
from spo_theory.diagnosis.signal import Signal


def summary(found: Diagnosis) -> str:
    """The diagnosis as lines of text."""
    rollouts, groups = found.rollouts, found.groups
    sizes = sorted(set(groups.size.tolist()))
    of = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    lines = [f"{rollouts.source}: {len(rollouts):,} responses, {len(groups.size):,} groups of {of}"]
    lines += [f"  assumed: {note}" for note in rollouts.notes]
    for reason, (number, named) in rollouts.bad.items():
        lines.append(
            f"  left out: {number} rows, {reason} ({', '.join(named)}{', ...' if number > len(named) else ''})"
        )
    lines += ["", "groups, with 95 % intervals over questions"]
    counts = (groups.all_wrong, groups.all_right, groups.mixed, groups.equal)
    for (name, estimate), flags in zip(found.shares.items(), counts, strict=True):
        lines.append(f"  {name:<14} {int(flags.sum()):>8,}  {estimate.percent()}")
    lines += ["", *_meaning(found)]
    if found.parts:
        lines += ["", "over time         groups  all wrong          mixed"]
        for part in found.parts:
            steps = f"step {part.first}" if part.first == part.last else f"steps {part.first}-{part.last}"
            wrong, mixed = part.shares["all wrong"].percent(), part.shares["mixed"].percent()
            lines.append(f"  {steps:<14} {part.groups:>8,}  {wrong:<18} {mixed}")
    lines += ["", "other group sizes, from the responses that are there (unbiased; all wrong is 1 - pass@k)"]
    for size in found.sizes:
        shares = f"all wrong {size.all_wrong.percent():<18} mixed {size.mixed.percent():<18}"
        lines.append(f"  G = {size.k:<5} {shares} {size.useful:.1f} useful groups in 1,000 responses")
    return "\n".join(lines + _signal(found) + _remedies(found) + _logged(found))


def _meaning(found: Diagnosis) -> list[str]:
    """What the shares come to."""
    taught = found.taught_nothing / len(found.rollouts)
    resampling = "never: none is mixed" if math.isinf(found.resampling) else f"{found.resampling:.1f} groups"
    lines = [
        f"{found.taught_nothing:,} responses ({100 * taught:.0f} %) are in groups of equal rewards: they teach nothing",
        f"dynamic sampling would sample, for one mixed group: {resampling}",
        f"success of questions: mean {found.success:.3f}, spread {found.spread:.3f}; "
        f"without spread {100 * found.independent:.1f} % of groups would be all wrong",
    ]
    if found.repeated:
        lines.append(
            f"of {found.repeated:,} questions asked again, {found.stuck_wrong:,} were always all wrong and "
            f"{found.stuck_right:,} always all right"
        )
    drift = found.drift
    if math.isfinite(drift.value):
        lines.append(
            f"length of wrong responses: {drift.value:+.1f} [{drift.low:+.1f}, {drift.high:+.1f}] over the run"
        )
    return lines


def _signal(found: Diagnosis) -> list[str]:
    """Signal to noise at other group sizes."""
    if not found.outcome_signal:
        return ["", "signal to noise: not known, no group has two responses"]
    lines = [
        "",
        "signal to noise of a batch of 1,000 rollouts at other group sizes (unbiased signal and noise; +: best size)",
        "  outcomes alone, rise of the log-odds of success",
        *_signal_of_rules(found.outcome_signal),
    ]
    if found.step_signal:
        lines.append("  judged steps, rise of the log-odds of right steps where a fresh response takes them")
        lines += _signal_of_rules(found.step_signal)
    largest = found.outcome_signal[-1].k
    return [*lines, f"  of groups larger than {largest} these responses say nothing without a model of difficulty"]


def _signal_of_rules(signals: list[Signal]) -> list[str]:
    """A line for each rule and size."""
    lines = []
    for name in dict.fromkeys(one.name for one in signals):
        mine = [one for one in signals if one.name == name]
        top = max((one.batch.value for one in mine if math.isfinite(one.batch.value)), default=math.nan)
        for one in mine:
            value = one.batch
            mark = f"+ in {100 * one.best:.0f} % of resamples" if value.value == top != 0 else ""
            numbers = f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"
            lines.append(f"    {name:<26} G = {one.k:<4} {numbers:<24} {mark}".rstrip())
    return lines


def _remedies(found: Diagnosis) -> list[str]:
    """What rules would do to the all-wrong groups."""
    if not found.remedies:
        return ["", "remedies by colouring: not known, no step judgements (columns first_error and steps)"]
    lines = [
        "",
        "what rules do to groups whose steps were judged: all-wrong groups woken, mean weights of right and of wrong",
        "steps in these, then of correct responses in mixed groups",
    ]
    for one in found.remedies:
        weights = f"right {one.right:+.3f}  wrong {one.wrong:+.3f}  correct {one.mixed:+.3f}"
        praise = f"  wrong steps praised in {100 * one.praised:.0f} %" if one.praised else ""
        lines.append(f"  {one.name:<26} {one.woken.percent():<18} {weights}{praise}")
    return lines


def _logged(found: Diagnosis) -> list[str]:
    """What is to be said of the logged advantages."""
    logged = found.logged
    if logged is None:
        return ["", "advantages: none logged"]
    others = f" (the same as {', '.join(logged.names[1:4])})" if len(logged.names) > 1 else ""
    fits = "follow" if logged.off == 0 else f"are nearest to, but for {100 * logged.off:.1f} % of groups,"
    lines = [
        "",
        f"logged advantages {fits} convention {logged.names[0]}{others}; largest difference {logged.furthest:.2g}",
    ]
    if logged.of_equal:
        lines.append(
            f"  {logged.of_equal} groups of equal rewards have advantages up to {logged.largest_of_equal:.2g}: rounding"
        )
    lines.append(f"  phantom advantages (tiny differences of reward at full size): {logged.phantom} groups")
    return lines
