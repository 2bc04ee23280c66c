"""The learned judge: what it reads, what it learns, its cache, and whether it could do the student's work."""

from dataclasses import dataclass, fields, replace

import pytest
import torch

from spo_theory import InputError
from toy_llm.evaluation import Evaluation
from toy_llm.judging.exact import Verdict
from toy_llm.judging.learned import (
    HALF,
    JudgeSpec,
    LearnedJudge,
    learned_judge,
    train_judge,
    train_twin,
)
from toy_llm.judging.report import judge_beside_student, judge_report
from toy_llm.judging.step_judge import JudgeSource
from toy_llm.problems.chain import ChainTask
from toy_llm.problems.traces import imperfect
from toy_llm.training.loop import TrainConfig, make_policy, updates

SPEC = JudgeSpec(layers=2, width=32, heads=2, updates=250, batch=128, learning_rate=5e-3)
TINY = JudgeSpec(layers=1, width=8, heads=1, updates=3, batch=4)
TASK = ChainTask(2, 5)
STEP, END = 5, 6


@dataclass(frozen=True)
class Echo:
    """Write the prompt's two numbers, each followed by STEP, then END; as a free-form task of two-token steps."""

    vocabulary: int = 7
    prompt_length: int = 2
    response_length: int = 6
    end: int = END

    def questions(self, stream, seed, start, count):
        prompts, _ = ChainTask(1, 5).questions(stream, seed, start, count)
        ones = torch.ones(count, 1, dtype=torch.int64)
        first, second = prompts[:, :1], prompts[:, 1:2]
        return prompts[:, :2], torch.cat([first, STEP * ones, second, STEP * ones, END * ones, END * ones], 1)

    def answer_steps(self, answers):
        return torch.tensor([0, 0, 1, 1, 2, -1]).expand_as(answers)

    def judge(self, responses, answers):
        q, g, t = responses.shape
        closes = (responses == STEP) | (responses == END)
        before = ((responses == END).long().cumsum(-1) - (responses == END).long()) == 0
        step = ((closes & before).long().cumsum(-1) - (closes & before).long()).clamp(max=t - 1)
        lengths = torch.zeros(q, g, t, dtype=torch.int64).scatter_add(-1, step, before.long())
        steps = (lengths > 0).sum(-1)
        first = torch.zeros(q, g, dtype=torch.int64)
        for i in range(q):
            for j in range(g):
                wrong = [step[i, j, k] for k in range(t) if before[i, j, k] and responses[i, j, k] != answers[i, k]]
                first[i, j] = min([*wrong, steps[i, j]])
        correct = (responses == answers[:, None]).all(-1)
        return Verdict(correct, first, steps, lengths, before, step)


def scripted(outputs):
    """A judge whose network says ``outputs`` ``(T, V)``, whatever it reads."""
    return LearnedJudge(lambda tokens, last: (outputs.expand(len(tokens), -1, -1), None))


def knowing(task, by):
    """A judge whose network finds the true token rightest by ``by`` nats; it knows the answers of "held out"."""
    prompts, answers = task.questions("held out", 0, 0, 400)
    known = {tuple(p): a for p, a in zip(prompts.tolist(), answers, strict=True)}

    def model(tokens, last):
        true = torch.stack([known[tuple(row)] for row in tokens[:, : task.prompt_length].tolist()])
        return torch.nn.functional.one_hot(true, task.vocabulary) * 2 * by - by, None

    return LearnedJudge(model)


def spoilt(task, accuracy, stream, seed, start, count):
    """Attempts at echoes: of a wrong step one token, any of them, is replaced by any other."""
    prompts, answers = task.questions(stream, seed, start, count)
    generator = torch.Generator().manual_seed(seed * 10_000_019 + start)
    step = task.answer_steps(answers)
    wrong = torch.rand(count, int(step.max()) + 1, generator=generator) >= accuracy
    luck = torch.rand(answers.shape, generator=generator)  # the largest of a step says which token to replace
    same = (step[:, :, None] == step[:, None, :]) & (luck[:, :, None] < luck[:, None, :])
    hit = ~same.any(-1) & (step >= 0) & wrong.gather(1, step.clamp(min=0))
    other = torch.randint(1, task.vocabulary, answers.shape, generator=generator)
    traces = torch.where(hit, (answers + other) % task.vocabulary, answers)
    ended = (traces == END).long().cumsum(-1) - (traces == END).long() > 0
    return prompts, answers, torch.where(ended, END, traces)


def attempts(task, accuracy=0.5, count=400, seed=0):
    traces = spoilt if isinstance(task, Echo) else imperfect
    prompts, answers, responses = traces(task, accuracy, "held out", seed, 0, count)
    return prompts, responses[:, None], answers, task.judge(responses[:, None], answers)


def test_a_network_that_knows_the_answers_judges_exactly():
    for task in (TASK, Echo()):
        batch = attempts(task)
        judge = knowing(task, 10.0)
        assert torch.equal(judge(*batch), batch[-1].first_error)
        assert (judge_report(judge, *batch).set_index("step").accuracy.dropna() == 1).all()
        assert (batch[-1].correct.any(), (~batch[-1].correct).any()) == (True, True)


def test_a_step_is_as_right_as_all_its_tokens():
    task = Echo()
    prompts, answers = task.questions("test", 0, 0, 1)
    outputs = torch.randn(6, 7, generator=torch.Generator().manual_seed(0))
    responses = torch.tensor([[[1, 2, STEP, 3, END, END]]])
    verdict = task.judge(responses, answers)
    assert verdict.step_lengths[0, 0, :3].tolist() == [3, 2, 0]
    found = scripted(outputs).log_right(prompts, responses, verdict)[0, 0]
    p = outputs.gather(1, responses[0, 0, :, None]).sigmoid()[:, 0]
    assert found[:2].exp().tolist() == pytest.approx([float(p[0] * p[1] * p[2]), float(p[3] * p[4])], rel=1e-5)
    assert (found[2:] == 0).all()  # the second END is not part of the response


def test_later_tokens_change_no_verdict():
    judge = LearnedJudge(TINY.build(ChainTask(4)))
    prompts, responses, _, verdict = attempts(ChainTask(4))
    changed = responses.clone()
    changed[..., 2] = (changed[..., 2] + 1) % 10
    one, other = (judge.log_right(prompts, r, verdict) for r in (responses, changed))
    assert torch.equal(one[..., :2], other[..., :2])
    assert (one[..., 2:] != other[..., 2:]).any(-1).float().mean() > 0.9


def test_report_by_hand():
    prompts, answers = TASK.questions("test", 0, 0, 1)
    true = answers[0]
    wrong = (true + 1) % 5
    rows = [torch.stack([a, b]) for a, b in ((true[0], true[1]), (true[0], wrong[1]), (wrong[0], true[1]))]
    responses = torch.stack(rows)[None]
    verdict = TASK.judge(responses, answers)
    outputs = torch.full((3, 2, 6), 3.0)  # passes every token ...
    outputs[0, 1] = -3.0  # ... but for one right step, the second of the first response,
    outputs[2, 0] = -3.0  # and one wrong step, the first of the third
    judge = LearnedJudge(lambda tokens, last: (outputs, None))
    report = judge_report(judge, prompts, responses, answers, verdict).set_index("step")
    assert report.steps.tolist() == [5, 3, 2]  # the third response is over after its first step
    assert report.accuracy.tolist() == pytest.approx([3 / 5, 1.0, 0.0])
    assert report.miss.tolist() == pytest.approx([1 / 2, 0.0, 1.0])
    assert report.false_alarm.tolist() == pytest.approx([1 / 3, 0.0, 1.0])


def test_traces_of_a_chain_are_right_as_often_as_asked_and_carry_errors_on():
    task = ChainTask(3)
    _, responses, answers, verdict = attempts(task, 0.7, 20_000)
    for h in range(3):
        reached = verdict.first_error >= h
        share = (verdict.first_error > h)[reached].double()
        assert share.mean().item() == pytest.approx(0.7, abs=4 * (0.21 / len(share)) ** 0.5)
    off = (responses[:, 0, 0] - answers[:, 0]) % 10
    still = ((responses[:, 0, 1] - answers[:, 1] - off) % 10 == 0)[off > 0].double()
    assert still.mean().item() == pytest.approx(0.7, abs=4 * (0.21 / len(still)) ** 0.5)


class Split(ChainTask):
    """Two additions modulo 5; a fifth of all prompts is asked in the stream "held out" and in no other."""

    def questions(self, stream, seed, start, count):
        prompts, _ = super().questions(stream, seed, start, count)
        held = -2 * (prompts[:, 0] + 2 * prompts[:, 1]) % 5  # the last number of the held-out prompt
        if stream == "held out":
            prompts[:, 2] = held
        prompts[:, 2] = torch.where((prompts[:, 2] == held) & (stream != "held out"), (held + 1) % 5, prompts[:, 2])
        return prompts, prompts[:, :3].cumsum(1)[:, 1:] % 5


def test_it_learns_to_judge_responses_to_held_out_questions():
    task = Split(2, 5)
    asked, held = (task.questions(stream, 0, 0, 2000)[0] for stream in ("judge", "held out"))
    assert not {tuple(row) for row in asked.tolist()} & {tuple(row) for row in held.tolist()}
    judge = train_judge(SPEC, task)
    batch = attempts(task, 0.5, 2000)
    report = judge_report(judge, *batch).set_index("step")
    assert (report.accuracy > 0.95).all()
    untrained = judge_report(LearnedJudge(SPEC.build(task)), *batch).set_index("step")
    assert untrained.accuracy[0] < 0.7
    assert torch.equal(judge(*batch), judge(*batch))


def test_it_learns_free_form_responses():
    task = Echo()
    report = judge_report(train_judge(SPEC, task, spoilt), *attempts(task, 0.6, 500)).set_index("step")
    assert report.accuracy[0] > 0.97
    assert report.steps[1] == 500


def test_twin_starts_as_the_judge_and_learns_to_solve():
    once = replace(SPEC, updates=1, learning_rate=1e-30)
    weights = [train(once, TASK).model.head.weight for train in (train_judge, train_twin)]
    assert torch.equal(*weights)
    twin = train_twin(SPEC, TASK)
    prompts, answers = TASK.questions("held out", 0, 0, 500)
    written = twin.sample(prompts, answers, 1, torch.Generator().manual_seed(0), 1e-3).responses
    assert TASK.judge(written, answers).correct.double().mean() > 0.97


def test_twin_learns_nothing_from_wrong_steps():
    """All traces go wrong in the same way at the second step: easy to copy, if it were learnt from."""

    def misled(answers):
        same = answers[:, :1] == answers[:, 1:]
        return torch.stack([answers[:, 0], answers[:, 0]], 1) + torch.tensor([0, 1]) * same

    def misleading(task, accuracy, *place):
        prompts, answers = task.questions(*place)
        return prompts, answers, misled(answers)

    twin = train_twin(SPEC, TASK, misleading)
    prompts, answers = TASK.questions("held out", 0, 0, 500)
    written = twin.sample(prompts, answers, 1, torch.Generator().manual_seed(0), 1e-3).responses[:, 0]
    assert (written[:, 0] == answers[:, 0]).double().mean() > 0.97
    assert (written[:, 1] == misled(answers)[:, 1]).double().mean() < 0.6


def test_cache_is_used_and_a_corrupt_file_is_refused(tmp_path):
    one, again = (learned_judge(TINY, TASK, tmp_path) for _ in range(2))
    (file,) = tmp_path.iterdir()
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), again.model.parameters(), strict=True))
    assert not any(p.requires_grad for judge in (one, again) for p in judge.model.parameters())
    learned_judge(TINY, ChainTask(2, 6), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match="corrupt"):
        learned_judge(TINY, TASK, tmp_path)


def test_every_setting_is_part_of_the_key():
    for field in fields(TINY):
        value = getattr(TINY, field.name)
        other = replace(TINY, **{field.name: value + 1 if isinstance(value, int) else value * 0.5})
        assert other.key(TASK) != TINY.key(TASK), field.name


def test_bad_settings_are_named_together(tmp_path):
    with pytest.raises(InputError) as error:
        learned_judge(replace(TINY, width=0, accuracy=1.0, learning_rate=-1.0), TASK, tmp_path)
    assert all(name in str(error.value) for name in ("width = 0", "accuracy = 1.0", "learning_rate = -1.0"))
    assert not list(tmp_path.iterdir())


def test_correct_responses_are_not_read():
    prompts, answers = TASK.questions("test", 0, 0, 3)
    verdict = TASK.judge(answers[:, None], answers)
    for judge in (scripted(torch.full((2, 6), -9.0)), LearnedJudge(TINY.build(TASK))):
        assert judge(prompts, answers[:, None], answers, verdict).tolist() == [[2]] * 3


def test_half_is_where_right_and_wrong_are_as_likely():
    outputs = torch.full((2, 6), 1e-3)
    prompts, answers = TASK.questions("test", 0, 0, 1)
    verdict = TASK.judge((answers[:, None] + 1) % 5, answers)
    asked = prompts, (answers[:, None] + 1) % 5, answers, verdict
    assert scripted(outputs)(*asked).tolist() == [[2]]
    assert scripted(-outputs)(*asked).tolist() == [[0]]
    assert scripted(outputs * 0).log_right(*asked[:2], verdict).tolist()[0][0] == pytest.approx([HALF, HALF])


@pytest.mark.slow
def test_a_judge_that_solves_next_to_nothing_teaches_a_student_that_solves_most(tmp_path):
    """It learnt from traces as bad as the student's first attempts, which hardly ever show it a late step."""
    task = ChainTask(4, 5)
    spec = JudgeSpec(width=32, heads=2, accuracy=0.4, updates=200, batch=64, learning_rate=1e-2)
    config = TrainConfig(
        horizon=4,
        modulus=5,
        width=32,
        heads=2,
        output_scale=6.0,
        questions=32,
        updates=60,
        learning_rate=0.01,
        cache_dir=str(tmp_path),
    )
    judge, twin = train_judge(spec, task), train_twin(spec, task)
    start = make_policy(config)
    student = make_policy(config)
    list(updates(config, student, judge=JudgeSource("learned", lambda stream, index: judge)))
    settings = Evaluation(questions=128, samples=16, resamples=200)
    found = judge_beside_student(judge, twin, [start], [student], settings)
    solving = found.solving.set_index("who")
    assert list(solving.index) == ["judge", "judge's twin", "student at start", "student trained"]
    assert solving.high[["judge", "judge's twin"]].max() < 0.15
    assert solving.low["student trained"] > 0.8
    assert found.rates.first_error > 0.7  # on the student's first attempts
    assert found.judging.set_index("step").accuracy[1] > 0.9


def test_comparison_counts_the_judge_on_the_students_own_responses():
    network = TINY.build(TASK)
    twin = train_twin(TINY, TASK)
    found = judge_beside_student(LearnedJudge(network), twin, [twin], [twin, twin], Evaluation(16, 8, resamples=20))
    assert found.rates.responses <= found.judging.steps[0]
    assert found.judging.steps[1] == 16 * 8
    assert found.solving.seeds.tolist() == [1, 1, 1, 2]
