"""One run at a time writes to the folder of results, and a reader never sees files of two runs."""

import os
import shutil
import subprocess
import sys

import pytest

from paper_repro import results_folder as folders
from paper_repro.results_folder import check_free, publishing, results_folder
from spo_theory.validation import InputError

NAMES = ("report.html", "claims.csv", "data/curves.parquet", "figures/escape.png")


def write_set(out, text, names=NAMES):
    with publishing(out) as stage:
        for name in names:
            (stage / name).parent.mkdir(exist_ok=True)
            (stage / name).write_text(text)


def read_set(out, names=NAMES):
    """What a reader finds at each name; nothing for a file that is not there."""
    return {(out / name).read_text() for name in names if (out / name).exists()}


@pytest.fixture
def out(tmp_path):
    out = tmp_path / "out"
    with results_folder(out):
        yield out


def test_a_set_replaces_the_one_before_and_leaves_nothing_behind(out):
    write_set(out, "one")
    write_set(out, "two", NAMES[:3])
    assert read_set(out, NAMES[:3]) == {"two"}
    assert not os.path.lexists(out / NAMES[3])
    store = out / ".published"
    assert {path.name for path in store.iterdir()} == {"current", os.readlink(store / "current")}
    moved = shutil.move(out, out.with_name("elsewhere"))
    assert read_set(moved, NAMES[:3]) == {"two"}
    os.rename(moved, out)


@pytest.mark.parametrize("old", ["nothing", "a set", "files of an earlier version", "a set with one file replaced"])
def test_at_every_step_a_reader_sees_one_run(out, old, monkeypatch):
    """The folder is read after every single change that publishing makes to it."""
    if old == "files of an earlier version":
        for name in NAMES:
            (out / name).write_text("old")
    elif old != "nothing":
        write_set(out, "old")
    if old.endswith("replaced"):
        (out / NAMES[1]).unlink()
        (out / NAMES[1]).write_text("old")

    seen = []

    def watched(change):
        def changed(*arguments, **options):
            done = change(*arguments, **options)
            seen.append(read_set(out))
            return done

        return changed

    monkeypatch.setattr(folders.os, "replace", watched(os.replace))
    monkeypatch.setattr(folders, "_link", watched(folders._link))
    monkeypatch.setattr(folders, "_delete", watched(folders._delete))
    write_set(out, "new")
    assert len(seen) >= 3
    assert all(len(found) <= 1 for found in seen)
    assert read_set(out) == {"new"}


@pytest.mark.parametrize("step", range(3))
def test_a_publication_that_fails_changes_nothing(out, step, monkeypatch):
    write_set(out, "old")
    before = sorted(path.relative_to(out) for path in out.rglob("*"))
    kept = folders._turn

    def full(path, target):
        if len(turned) == step:
            raise OSError(28, "No space left on device", str(path))
        turned.append(path)
        kept(path, target)

    turned = []
    monkeypatch.setattr(folders, "_turn", full)
    with pytest.raises(OSError, match="No space"):
        write_set(out, "new", [*NAMES, "figures/more.png", "figures/most.png"])
    assert read_set(out) == {"old"}
    assert sorted(path.relative_to(out) for path in out.rglob("*")) == before


def test_files_of_the_user_stay(out, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.move(out / "figures", elsewhere)
    (out / "figures").symlink_to(elsewhere)
    mine = [out / "notes.txt", out / "data" / "mine.parquet", elsewhere / "mine.png"]
    for path in mine:
        path.write_text("mine")
    (out / "figures" / "link").symlink_to("nowhere")
    write_set(out, "one")
    write_set(out, "two")
    assert {path.read_text() for path in mine} == {"mine"}
    assert (elsewhere / "link").is_symlink()
    assert read_set(out) == {"two"}


def test_what_killed_processes_left_is_removed(tmp_path):
    out = tmp_path / "out"
    with results_folder(out) as parts:
        write_set(out, "one")
        (out / ".published" / "half").mkdir()
        (out / ".report.html.0123").symlink_to(".published/current/report.html")
        (parts / ".tiny-0-0123456789ab.parquet.7-0badcafe").write_bytes(b"half a file")
    with results_folder(out) as parts:
        assert not list(parts.iterdir())
        write_set(out, "two")
    assert not (out / ".published" / "half").exists()
    assert {path.name for path in out.iterdir()} == {
        "data", "figures", "code", ".published", "report.html", "claims.csv"
    }  # fmt: skip


HOLD = """
import sys
from pathlib import Path
from paper_repro.results_folder import results_folder
with results_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_run_is_refused_until_the_first_is_gone(tmp_path):
    """The refusal names the process; a lock that a killed process left is taken over."""
    out = tmp_path / "out"
    command = [sys.executable, "-c", HOLD, str(out)]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "held\n"
    stray = out / "data" / "parts" / ".tiny-0-0123456789ab.parquet.7-0badcafe"
    stray.write_bytes(b"half a file")
    refusal = rf"^out = '.*out' is not allowed: .*no other run writes to \(process {first.pid} on .+ does\)$"
    with pytest.raises(InputError, match=refusal), results_folder(out):
        pass
    with pytest.raises(InputError, match=refusal):
        check_free(out)
    assert stray.exists()
    first.kill()
    first.communicate()
    check_free(out)
    check_free(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with results_folder(out):
        assert not stray.exists()
        assert str(os.getpid()) in (out / ".lock").read_text()
    assert not (out / ".lock").exists()
