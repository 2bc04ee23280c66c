"""`spo judge-report`: how well a language model finds first errors, and whether colouring with it pays."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from paper_repro.cli.command import Command, Values, options_of
from spo_theory.validation import check, problem, refuse

if TYPE_CHECKING:
    from spo_theory.feedback.report import JudgeReport
    from spo_theory.feedback.verdict import Task


@dataclass(frozen=True)
class JudgeReportOptions:
    """Options of `spo judge-report`."""

    labelled: Annotated[
        Path,
        "JSONL file, one response a line: problem, first_error (right steps before the first wrong one; all steps if "
        "none is wrong), and steps (a list of texts) or response (one text, which is cut); reference is optional.",
    ]
    model: Annotated[str, "Model to ask, by the name that the server knows."]
    base_url: Annotated[str, "OpenAI-compatible address: vLLM, Ollama, llama.cpp or a provider."] = (
        "http://localhost:8000/v1"
    )
    key_variable: Annotated[str, "Environment variable that holds the key, if the server wants one."] = "OPENAI_API_KEY"
    cut: Annotated[str, "How a response is cut into steps: auto, tags, numbered, lines, sentences."] = "auto"
    votes: Annotated[int, "Answers for each response; the majority counts. More than 1 needs a temperature."] = 1
    temperature: Annotated[float, "Of the answers, 0 to 2."] = 0.0
    concurrency: Annotated[int, "Calls at the same time, at least 1."] = 8
    max_calls: Annotated[int | None, "Budget of answered calls."] = None
    max_tokens: Annotated[int | None, "Budget of tokens, prompts included; calls in flight may exceed it."] = None
    cache: Annotated[Path, "File of all answers; one that is there is not asked for again."] = Path("judgements.db")
    horizon: Annotated[int | None, "Steps of the chain for the last lines (default: the median of the file)."] = None
    group_size: Annotated[int, "Responses in a group, for the last lines, at least 2."] = 8


def report(values: Values) -> None:
    """Ask the judge about every labelled response and print its error rates; ``values`` of the options, by name.

    Raises `InputError` for bad options and for lines that cannot be read, before any call.
    """
    from spo_theory.feedback.judge import Endpoint, LanguageModelJudge
    from spo_theory.feedback.report import judge_report

    # All of the file is read and checked before the first call costs anything
    o = JudgeReportOptions(**values)
    endpoint = Endpoint(o.model, o.base_url, o.key_variable, o.temperature, concurrency=o.concurrency)
    tasks, labels = read_labelled(o.labelled, o.cut)
    judge = LanguageModelJudge(endpoint, o.cache, o.votes, o.max_calls, o.max_tokens)

    judgements = judge.judge(tasks)
    found = judge_report(judgements, labels, [len(task.steps) for task in tasks])
    for line in rates(found):
        print(line)

    # What the answers cost, and why some were none
    usage = judge.usage
    print(f"\n{usage.calls} calls, {usage.tokens} tokens; {usage.cached} answers from {o.cache}")
    for reason, number in sorted(usage.without.items()):
        print(f"  no judgement: {number} x {reason}")
    for line in advice(found, o.horizon or median([len(task.steps) for task in tasks]), o.group_size):
        print(line)


def read_labelled(path: Path, cut: Any) -> tuple[list["Task"], list[int]]:
    """Tasks and true first errors of a JSONL file; raises `InputError` naming the first line that cannot be read."""
    from spo_theory.feedback.text import steps_of_text
    from spo_theory.feedback.verdict import Task

    check(path.is_file(), "labelled", str(path), "a file that exists")
    tasks = []
    labels = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        place = f"labelled, line {number},"
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        check(isinstance(row, dict), place, line[:60], "a JSON object")

        # The steps are given, or cut out of the response
        steps = row.get("steps")
        if steps is None:
            check(isinstance(row.get("response"), str), f"{place} response", row.get("response"), "a text, or steps")
            steps = [step.text for step in steps_of_text(row["response"], cut)]
        texts = isinstance(steps, list) and bool(steps) and all(isinstance(step, str) for step in steps)
        check(texts, f"{place} steps", steps, "a list of at least one text")

        # The label must lie inside the response
        error = row.get("first_error")
        inside = type(error) is int and 0 <= error <= len(steps)
        reference = row.get("reference")
        refuse(
            problem(isinstance(row.get("problem"), str), f"{place} problem", row.get("problem"), "a text")
            + problem(inside, f"{place} first_error", error, f"a whole number from 0 to {len(steps)}, its steps")
            + problem(reference is None or isinstance(reference, str), f"{place} reference", reference, "a text")
        )
        tasks.append(Task(row["problem"], tuple(steps), reference))
        labels.append(error)
    check(bool(tasks), "labelled", str(path), "a file with at least one response")
    return tasks, labels


def rates(found: "JudgeReport") -> list[str]:
    """The error rates as lines of text, with exact 95 % intervals."""
    names = {
        "misses": (found.miss, "wrong steps that it read and passed"),
        "false alarms": (found.false_alarm, "right steps that it read and called wrong"),
        "exact": (found.exact, "judged responses whose first error it found"),
        "no judgement": (found.unjudged, "responses without a readable answer"),
    }
    lines = []
    for name, (rate, said) in names.items():
        low, high = rate.interval
        lines.append(f"{name:<13} {rate.share:6.1%}  [{low:.1%}, {high:.1%}]  {rate.found} of {rate.of} {said}")
    return lines


def advice(found: "JudgeReport", horizon: int, group_size: int) -> list[str]:
    """Whether colouring with this judge pays on the stylized chain, as lines of text."""
    from spo_theory.feedback.report import colouring_pays
    from spo_theory.validation import InputError

    try:
        perfect, judged = colouring_pays(found, horizon, group_size)
    except InputError as error:
        return [f"\nno advice: {line}" for line in str(error).splitlines()]
    share = f"{judged / perfect:.0%} of what a perfect judge would add" if perfect > 0 else "a perfect judge would not"
    verdict = "speeds learning up" if judged > 0 else "does not speed learning up"
    return [
        f"\nOn a chain of {horizon} steps, each right with {found.step_success.share:.2f} (the labels), group size "
        f"{group_size}:",
        f"colouring with this judge {verdict}: rate of log success {judged:+.4g} beside GRPO's ({share}).",
    ]


def median(numbers: list[int]) -> int:
    """The lower median of whole numbers.

    Example:
        >>> median([4, 1, 2, 9])
        2
    """
    return sorted(numbers)[(len(numbers) - 1) // 2]


COMMAND = Command(
    description="Ask a language model for the first wrong step of labelled responses, measure its error rates, and say "
    "whether colouring with such a judge speeds learning up. Answers are kept, so a second run costs nothing. "
    "Example: spo judge-report --labelled traces.jsonl --model my-model --base-url http://localhost:8000/v1",
    boxes=lambda: {"": options_of(JudgeReportOptions)},
    run=report,
)
