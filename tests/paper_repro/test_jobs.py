"""Jobs are kept once finished, whatever is killed, and are repeated only when what they depend on changed."""

import importlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from paper_repro.jobs import backend
from paper_repro.jobs.attempt import attempt
from paper_repro.jobs.backend import Backend
from paper_repro.jobs.job import Job, config_hash
from paper_repro.jobs.part import is_finished, read_part, write_part
from paper_repro.jobs.run import JobError, run_jobs
from spo_theory.validation import InputError
from toy_llm import files

TINY = textwrap.dedent(
    '''
    """Jobs that do nothing but take time and leave a trace."""
    import os, signal, time
    from pathlib import Path
    import pandas as pd

    def work(i, seconds, log):
        with open(log, "a") as f:
            f.write(f"begin {i} {os.getpid()}\\n")
        time.sleep(seconds)
        return pd.DataFrame({"i": [i]})

    def die_once(mark):
        if not Path(mark).exists():
            Path(mark).write_text("")
            os._exit(9)
        return pd.DataFrame({"i": [-1]})

    def interrupt(pid):
        os.kill(pid, signal.SIGINT)
        time.sleep(60)

    def break_(kind):
        if kind == "die":
            os._exit(9)
        raise OSError(28, "No space left on device")
    '''
)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A module of tiny job functions that workers can import, and a place for parts."""
    (tmp_path / "tiny_jobs.py").write_text(TINY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tiny_jobs", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "parts").mkdir()
    return tmp_path


def tiny_job(name: str, function: str = "work", after: tuple[str, ...] = (), **arguments) -> Job:
    return Job(name, "t", getattr(importlib.import_module("tiny_jobs"), function), arguments, after)


def jobs(tmp_path: Path, n: int = 3, seconds: float = 0.0) -> list[Job]:
    log = str(tmp_path / "log")
    made = [tiny_job(f"tiny/{i}", i=i, seconds=seconds, log=log) for i in range(n)]
    return [*made, tiny_job("tiny/last", after=("tiny/0",), i=n, seconds=0.0, log=log)]


def execute(job: Job, parts: Path) -> None:
    table = attempt(job).table
    assert table is not None
    write_part(job, table, parts)


def begun(tmp_path: Path) -> list[int]:
    log = tmp_path / "log"
    return [int(line.split()[1]) for line in log.read_text().splitlines()] if log.exists() else []


def test_all_jobs_run_in_dependency_order_and_only_once(tiny):
    todo, parts = list(reversed(jobs(tiny))), tiny / "parts"
    run_jobs(todo, parts, Backend(workers=1))
    assert all(is_finished(j, parts) for j in todo)
    assert begun(tiny).index(0) < begun(tiny).index(3)
    run_jobs(todo, parts, Backend(workers=1))
    assert sorted(begun(tiny)) == [0, 1, 2, 3]
    frame = pd.read_parquet(todo[0].path(parts))
    assert frame.attrs["job"] == "tiny/last"
    assert frame.attrs["seconds"] >= 0


def test_kill_in_the_middle_then_resume_repeats_nothing_and_completes(tiny):
    """kill -9 of the driver: its workers end too, finished parts stay as they are, the rest is done on resume."""
    script = tiny / "driver.py"
    script.write_text(
        "from pathlib import Path\nfrom paper_repro.jobs.job import Job\nfrom paper_repro.jobs.run import run_jobs\n"
        "from paper_repro.jobs.backend import Backend\n"
        "from tiny_jobs import work\n"
        "if __name__ == '__main__':\n"
        f"    jobs = [Job(f't/{{i}}', 't', work, dict(i=i, seconds=0.4, log={str(tiny / 'log')!r})) "
        "for i in range(6)]\n"
        f"    run_jobs(jobs, Path({str(tiny / 'parts')!r}), Backend(workers=2))\n"
    )
    parts = tiny / "parts"
    driver = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL, env=os.environ.copy())
    deadline = time.time() + 60
    while len(list(parts.glob("*.parquet"))) < 2:
        assert time.time() < deadline
        assert driver.poll() is None
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    workers = {int(line.split()[2]) for line in (tiny / "log").read_text().splitlines()}
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers) and time.time() < deadline:
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers), "a worker outlived its parent"
    finished = {p.name: p.stat().st_mtime_ns for p in parts.glob("*.parquet")}
    assert 2 <= len(finished) < 6
    before = len(begun(tiny))
    subprocess.run([sys.executable, str(script)], check=True, stderr=subprocess.DEVNULL, env=os.environ.copy())
    after = {p.name: p.stat().st_mtime_ns for p in parts.glob("*.parquet")}
    assert len(after) == 6
    assert {k: after[k] for k in finished} == finished
    assert len(begun(tiny)) - before == 6 - len(finished)
    assert {p.name for p in parts.iterdir()} == set(after)


def test_a_failing_job_is_named_and_the_others_are_kept(tiny):
    good = jobs(tiny, n=1)
    bad = tiny_job("tiny/bad", "break_", kind="disk")
    with pytest.raises(JobError, match=r"tiny/bad failed: OSError.*No space left") as caught:
        run_jobs([*good, bad], tiny / "parts", Backend(workers=1))
    assert "break_" in caught.value.detail
    assert all(is_finished(j, tiny / "parts") for j in good)


def test_a_dead_worker_is_an_error_not_a_hang(tiny):
    with pytest.raises(JobError, match="tiny/bad failed: its process died"):
        run_jobs([tiny_job("tiny/bad", "break_", kind="die")], tiny / "parts", Backend(workers=1))


def test_a_killed_worker_loses_only_what_ran(tiny):
    """The job kills its process the first time; it and the one beside it run again, nothing else does."""
    todo, parts = jobs(tiny, n=4), tiny / "parts"
    todo.insert(2, tiny_job("tiny/once", "die_once", mark=str(tiny / "mark")))
    run_jobs(todo, parts, Backend(workers=2))
    assert all(is_finished(job, parts) for job in todo)
    assert len(begun(tiny)) <= 6
    assert set(begun(tiny)) == {0, 1, 2, 3, 4}


def test_ctrl_c_stops_the_workers_and_keeps_what_is_finished(tiny):
    todo, parts = jobs(tiny, n=1), tiny / "parts"
    stop = tiny_job("tiny/stop", "interrupt", pid=os.getpid())
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_jobs([*todo, stop, *jobs(tiny, n=3, seconds=60)[1:]], parts, Backend(workers=2))
    assert time.monotonic() - begin < 50
    assert is_finished(todo[0], parts)


def test_another_version_of_the_code_is_noticed(tiny):
    job = jobs(tiny)[0]
    assert attempt(job, key=job.key).table is not None
    assert attempt(job, key="0" * 12).error == "its worker has another version of the code"


@pytest.fixture
def cluster(tiny):
    """A Dask scheduler and two workers, each a process of its own that nobody starts again; address and workers."""
    pytest.importorskip("distributed")
    started = []

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-P", "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tiny))
        return started[-1]

    try:
        file = tiny / "scheduler.json"
        start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        alone = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--scheduler-file", str(file))
        workers = [start("worker", *alone) for _ in range(2)]
        while not file.exists():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        with distributed_client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, {worker.pid: worker for worker in workers}
    finally:
        for process in started:
            process.kill()
            process.wait()


def distributed_client(address: str):
    from distributed import Client

    return Client(address)


def test_a_dask_cluster_survives_the_death_of_a_worker(tiny, cluster):
    """Two worker processes, one of which is killed in the middle of a job: that job runs again, nothing else does."""
    address, workers = cluster
    parts = tiny / "parts"
    todo = jobs(tiny, n=6, seconds=0.4)
    killed = []

    def kill_one() -> None:
        while not (tiny / "log").exists():
            time.sleep(0.02)
        killed.append(int((tiny / "log").read_text().split()[2]))
        workers[killed[0]].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    run_jobs(todo, parts, Backend("dask", address))
    killer.join()

    # Of the jobs only the one that was killed began twice, and the killed process began no other
    assert [list(read_part(job, parts)["i"]) for job in todo] == [[i] for i in range(7)]
    assert len(begun(tiny)) == 8
    pids = [int(line.split()[2]) for line in (tiny / "log").read_text().splitlines()]
    assert pids.count(killed[0]) == 1
    assert set(pids) == set(workers)


def test_a_job_that_kills_every_process_of_dask_is_an_error(tiny):
    pytest.importorskip("distributed")
    deadly = tiny_job("tiny/bad", "break_", kind="die")
    with pytest.raises(JobError, match="tiny/bad failed: its process died"):
        run_jobs([deadly], tiny / "parts", Backend("dask", workers=1))


def test_backends_that_cannot_run_are_refused(monkeypatch):
    with pytest.raises(InputError, match=r"^backend = 'slurm' .*loky or dask or ray"):
        Backend("slurm").check()
    with pytest.raises(InputError, match=r"^address = "):
        Backend("loky", "tcp://1").check()
    monkeypatch.setattr(backend, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'spectral-policy-lab\[ray\]'"):
        Backend("ray").check()


def test_jobs_that_wait_for_each_other_or_for_nothing_are_refused(tiny):
    a = tiny_job("a", after=("b",))
    b = tiny_job("b", after=("a",))
    with pytest.raises(JobError, match="wait for each other"):
        run_jobs([a, b], tiny / "parts", Backend(workers=1))
    with pytest.raises(JobError, match="not in the list"):
        run_jobs([a], tiny / "parts", Backend(workers=1))


def test_a_write_that_fails_leaves_nothing(tiny, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        execute(jobs(tiny)[0], tiny / "parts")
    assert not list((tiny / "parts").iterdir())


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_part_with_any_damage_is_not_read(tiny):
    """Every byte with one bit flipped, cut off anywhere, lengthened, or with a block of zeros."""
    job, parts = jobs(tiny)[0], tiny / "parts"
    execute(job, parts)
    path = job.path(parts)
    whole = path.read_bytes()
    assert is_finished(job, parts)
    assert list(read_part(job, parts)["i"]) == [0]
    damaged = [flipped(whole, 8 * byte + byte % 8) for byte in range(len(whole))]
    damaged += [whole[:length] for length in (*range(50), *range(50, len(whole), 37))]
    damaged += [whole + b"\0", whole + whole, b"half a file"]
    damaged += [whole[:start] + bytes(64) + whole[start + 64 :] for start in range(0, len(whole) - 64, 61)]
    for content in damaged:
        if content != whole:
            path.write_bytes(content)
            assert not is_finished(job, parts)
            assert read_part(job, parts) is None
    path.write_bytes(whole)
    assert is_finished(job, parts)


def test_a_part_of_another_job_is_not_read(tiny):
    one, other, *_ = jobs(tiny)
    parts = tiny / "parts"
    execute(one, parts)
    other.path(parts).write_bytes(one.path(parts).read_bytes())
    assert is_finished(one, parts)
    assert read_part(other, parts) is None


def test_any_reader_of_parquet_reads_a_part(tiny):
    job = jobs(tiny)[0]
    execute(job, tiny / "parts")
    pd.testing.assert_frame_equal(pd.read_parquet(job.path(tiny / "parts")), read_part(job, tiny / "parts"))


def test_a_damaged_part_runs_again(tiny):
    todo, parts = jobs(tiny), tiny / "parts"
    run_jobs(todo, parts, Backend(workers=1))
    before = {job.name: job.path(parts).read_bytes() for job in todo}
    damaged = todo[1].path(parts)
    damaged.write_bytes(flipped(before[todo[1].name], 8 * (len(before[todo[1].name]) // 2)))
    run_jobs(todo, parts, Backend(workers=1))
    assert sorted(begun(tiny)) == [0, 1, 1, 2, 3]
    assert list(read_part(todo[1], parts)["i"]) == [1]
    assert all(job.path(parts).read_bytes() == before[job.name] for job in todo if job is not todo[1])


def test_the_key_depends_on_the_call(tiny):
    one, same, other, renamed = (tiny_job(name, i=i) for name, i in (("n", 1), ("n", 1), ("n", 2), ("m", 1)))
    assert one.key == same.key
    assert len({one.key, other.key, renamed.key, tiny_job("n", "break_", i=1).key}) == 4
    assert config_hash([one]) != config_hash([other])


def test_a_truncated_part_runs_again(tiny):
    """That it counts as unfinished is not enough: the pool must ask."""
    todo, parts = jobs(tiny), tiny / "parts"
    run_jobs(todo, parts, Backend(workers=1))
    path = todo[1].path(parts)
    path.write_bytes(path.read_bytes()[:-20])
    run_jobs(todo, parts, Backend(workers=1))
    assert begun(tiny).count(1) == 2
    assert sorted(begun(tiny)) == [0, 1, 1, 2, 3]
    assert pd.read_parquet(path)["i"].tolist() == [1]


def test_the_key_depends_on_the_code(tiny):
    """A changed function is another job, although its name and arguments are the same."""
    before = tiny_job("n", i=1).key
    (tiny / "tiny_jobs.py").write_text(TINY.replace("time.sleep(seconds)", "time.sleep(2 * seconds)"))
    code = "from tiny_jobs import work; from paper_repro.jobs.job import Job; print(Job('n', 't', work, {'i': 1}).key)"
    keys = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert keys.strip() != before
