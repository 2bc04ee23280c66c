"""A language model as step judge: any OpenAI-compatible endpoint, asked for the first wrong step of a response."""

import asyncio
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spo_theory.feedback.cache import Answer, AnswerCache
from spo_theory.feedback.verdict import Judgement, Task, messages, read_verdict, response_format, vote
from spo_theory.validation import InputError, check, is_number, is_whole, problem, refuse

if TYPE_CHECKING:
    import openai

INSTALL = "pip install 'spectral-policy-lab[judge]'"


@dataclass(frozen=True)
class Endpoint:
    """Which model to ask, where, and how patiently.

    model: name that the server knows. base_url: of the OpenAI-compatible API (vLLM, Ollama, llama.cpp, a provider).
    key_variable: environment variable with the API key; local servers need none. temperature: of the answers, 0 for
    one vote. timeout: seconds a call may take. retries: further tries after a time-out, a dropped connection, a rate
    limit or a server error, with growing pauses. concurrency: calls at the same time. answer_tokens: the longest
    answer, thinking included. Raises `InputError` for values out of range.
    """

    model: str
    base_url: str = "http://localhost:8000/v1"
    key_variable: str = "OPENAI_API_KEY"
    temperature: float = 0.0
    timeout: float = 60.0
    retries: int = 4
    concurrency: int = 8
    answer_tokens: int = 2048

    def __post_init__(self) -> None:
        url = isinstance(self.base_url, str) and self.base_url.startswith(("http://", "https://"))
        warm = is_number(self.temperature) and 0 <= self.temperature <= 2
        patient = is_number(self.timeout) and self.timeout > 0
        whole = {"retries": 0, "concurrency": 1, "answer_tokens": 1}
        refuse(
            problem(isinstance(self.model, str) and self.model != "", "model", self.model, "the name of a model")
            + problem(url, "base_url", self.base_url, "an address that starts with http:// or https://")
            + problem(warm, "temperature", self.temperature, "a number from 0 to 2")
            + problem(patient, "timeout", self.timeout, "a number of seconds above 0")
        )
        for name, least in whole.items():
            value = getattr(self, name)
            check(is_whole(value, least), name, value, f"a whole number, at least {least}")


@dataclass
class Usage:
    """What judging has cost so far: answered calls and their tokens; answers from the cache; votes without a judgement.

    without: number of votes for each reason why they are no judgement.
    """

    calls: int = 0
    tokens: int = 0
    cached: int = 0
    without: dict[str, int] = field(default_factory=dict)


class LanguageModelJudge:
    """Asks a language model for the first wrong step of responses.

    endpoint: which model. cache: file of the answers (None: in memory). Every answer is stored before it is used, so
    a run that is killed pays for none twice. votes: answers for each response, of which the majority counts; more
    than one needs a temperature above 0. max_calls, max_tokens: budget of answered calls and of their tokens (None:
    no limit); it is compared before each call, so the calls in flight may exceed ``max_tokens``. What the budget does
    not cover gets no judgement. usage: a `Usage`.

    An answer that is not exactly what was asked for is no judgement, is counted in ``usage.without``, and is never
    turned into a reward. The key is read from the environment when a call is made, and is neither stored nor shown.
    Raises `InputError` for values out of range, and for an endpoint that refuses the key or does not know the model.
    How to use it: docs/feedback.md.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        cache: str | Path | None = None,
        votes: int = 1,
        max_calls: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        alike = votes == 1 or endpoint.temperature > 0
        calls = max_calls is None or is_whole(max_calls, 0)
        tokens = max_tokens is None or is_whole(max_tokens, 0)
        refuse(
            problem(is_whole(votes, 1), "votes", votes, "a whole number, at least 1")
            + problem(alike, "temperature", endpoint.temperature, f"above 0 with {votes} votes, which are alike else")
            + problem(calls, "max_calls", max_calls, "a whole number, at least 0")
            + problem(tokens, "max_tokens", max_tokens, "a whole number, at least 0")
        )
        self.endpoint = endpoint
        self.votes = votes
        self.max_calls = max_calls
        self.max_tokens = max_tokens
        self.usage = Usage()
        self._cache = AnswerCache(cache)

    def judge(self, tasks: Sequence[Task]) -> list[Judgement]:
        """One judgement for each task, in order. Shows a progress bar on a terminal while it waits for answers."""
        empty = [task for task in tasks if not task.steps]
        check(not empty, "steps", [task.problem for task in empty[:1]], "at least one step for every problem")
        keys = [[self._key(task, ballot) for ballot in range(self.votes)] for task in tasks]

        # Equal questions are asked once, and only those that nobody has answered yet
        questions = {key: (task, i) for task, row in zip(tasks, keys, strict=True) for i, key in enumerate(row)}
        answers = {key: self._cache.get(key) for key in questions}
        missing = {key: asked for key, asked in questions.items() if answers[key] is None}
        self.usage.cached += len(questions) - len(missing)

        reasons: dict[str, str] = {}
        if missing:
            reasons = asyncio.run(self._ask_all(missing, answers))
        return [self._decide(task, row, answers, reasons) for task, row in zip(tasks, keys, strict=True)]

    def close(self) -> None:
        """Close the file of the cache."""
        self._cache.close()

    def _decide(
        self, task: Task, row: list[str], answers: dict[str, Answer | None], reasons: dict[str, str]
    ) -> Judgement:
        """The vote of all answers to one task."""
        ballots = []
        for key in row:
            answer = answers[key]
            missing = Judgement(None, reasons.get(key, "no answer"))
            ballots.append(missing if answer is None else read_verdict(answer.text, len(task.steps)))

        for ballot in ballots:
            if ballot.first_error is None:
                self.usage.without[ballot.problem] = self.usage.without.get(ballot.problem, 0) + 1
        return vote(ballots)

    def _key(self, task: Task, ballot: int) -> str:
        """Names a question: everything that decides the answer, and which of the votes it is."""
        e = self.endpoint
        asked = [e.base_url, e.model, e.temperature, e.answer_tokens, ballot, messages(task)]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    async def _ask_all(self, missing: dict[str, tuple[Task, int]], answers: dict[str, Answer | None]) -> dict[str, str]:
        """Fill in ``answers``; returns why others are still missing."""
        library = _openai()
        from tqdm import tqdm

        reasons: dict[str, str] = {}
        waiting = iter(missing.items())
        bar = tqdm(total=len(missing), desc="judging", unit="answer", disable=None)

        async def work(client: "openai.AsyncOpenAI") -> None:
            """Take one question after the other until none is left."""
            for key, (task, ballot) in waiting:
                if self._spent():
                    reasons[key] = "budget spent"
                    continue
                try:
                    answer = await self._ask(client, task, ballot)
                except (library.AuthenticationError, library.PermissionDeniedError, library.NotFoundError) as error:
                    raise InputError(self._refusal(error.status_code)) from None
                except (library.APIError, ValueError, RecursionError) as error:
                    # The last two: a body that is no completion, such as the page of a gateway
                    reasons[key] = f"no answer ({type(error).__name__})"
                else:
                    # On disk first: what was paid for is kept, whatever happens next
                    self._cache.put(key, answer)
                    answers[key] = answer
                bar.update()

        # An endpoint that refuses everybody stops all workers; the others must not go on asking
        e = self.endpoint
        key = os.environ.get(e.key_variable) or "none"
        with bar:
            async with library.AsyncOpenAI(
                base_url=e.base_url, api_key=key, timeout=e.timeout, max_retries=e.retries
            ) as client:
                try:
                    async with asyncio.TaskGroup() as group:
                        for _ in range(min(e.concurrency, len(missing))):
                            group.create_task(work(client))
                except* InputError as refused:
                    raise refused.exceptions[0] from None
        return reasons

    async def _ask(self, client: "openai.AsyncOpenAI", task: Task, ballot: int) -> Answer:
        """One answered call."""
        e = self.endpoint
        asked: Any = messages(task)
        form: Any = response_format(len(task.steps))
        self.usage.calls += 1
        try:
            completion = await client.chat.completions.create(
                model=e.model,
                messages=asked,
                response_format=form,
                temperature=e.temperature,
                max_completion_tokens=e.answer_tokens,
                seed=ballot,
            )
        except BaseException:
            # The budget counts answers; a call that brought none is given back
            self.usage.calls -= 1
            raise

        # A misbehaving server may leave out anything, so nothing is taken for granted
        choices = getattr(completion, "choices", None) or []
        text = getattr(getattr(choices[0], "message", None), "content", None) if choices else None
        tokens = getattr(getattr(completion, "usage", None), "total_tokens", None)
        self.usage.tokens += tokens if isinstance(tokens, int) else 0
        return Answer(text if isinstance(text, str) else None, tokens if isinstance(tokens, int) else 0)

    def _spent(self) -> bool:
        calls = self.max_calls is not None and self.usage.calls >= self.max_calls
        return calls or (self.max_tokens is not None and self.usage.tokens >= self.max_tokens)

    def _refusal(self, status: int) -> str:
        """One line for an endpoint that will never answer."""
        e = self.endpoint
        if status == 404:
            return f"model = {e.model!r} is not allowed: model must be one that {e.base_url} serves (HTTP 404)"
        return f"{e.key_variable} is not allowed: it must hold a key that {e.base_url} accepts (HTTP {status})"


def _openai() -> Any:
    """The client library; it is optional."""
    try:
        import openai
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"a language model as judge needs {error.name}: {INSTALL}", name=error.name
        ) from error
    return openai
