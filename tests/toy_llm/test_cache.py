"""Entries of the cache are made once, belong to their name, and are refused when damaged."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

from spo_theory.validation import InputError
from toy_llm.cache import cache_path, cached, cached_model, check_entry


def never():
    pytest.fail("work began")


def model(seed):
    torch.manual_seed(seed)
    return torch.nn.Linear(2, 3)


def test_an_entry_is_made_once(tmp_path):
    path = tmp_path / "entry.pt"
    assert cached(path, lambda: {"made": 1}) == {"made": 1}
    assert cached(path, never) == {"made": 1}
    assert [one.name for one in tmp_path.iterdir()] == ["entry.pt"]


def test_a_model_is_the_same_from_the_cache(tmp_path):
    new, again = (cached_model("key", tmp_path, lambda: model(1), lambda: model(0)) for _ in range(2))
    for one in (new, again):
        assert torch.equal(one.weight, model(0).weight)


def test_an_entry_under_another_name_is_refused(tmp_path):
    cached_model("mine", tmp_path, lambda: model(1), lambda: model(0))
    path = cache_path("other", tmp_path)
    path.write_bytes(cache_path("mine", tmp_path).read_bytes())
    for read in (lambda: cached_model("other", tmp_path, lambda: model(1), never), lambda: check_entry(path)):
        with pytest.raises(InputError, match=r"other\.pt.*corrupt"):
            read()


def test_every_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "entry.pt"
    cached(path, lambda: {"made": torch.ones(2)})
    whole = path.read_bytes()
    for byte in range(0, len(whole), 23):
        damaged = bytearray(whole)
        damaged[byte] ^= 1 << byte % 8
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="corrupt"):
            cached(path, never)


def test_links_and_pipes_in_the_cache_are_refused(tmp_path):
    elsewhere = tmp_path / "elsewhere.pt"
    cached(elsewhere, lambda: 1)
    (tmp_path / "link.pt").symlink_to(elsewhere)
    (tmp_path / "dangling.pt").symlink_to("target.pt")
    os.mkfifo(tmp_path / "pipe.pt")
    for name in ("link.pt", "dangling.pt", "pipe.pt"):
        with pytest.raises(InputError, match=rf"cached file .*{name}.* cannot be read"):
            cached(tmp_path / name, never)
    assert not (tmp_path / "target.pt").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_work():
    with pytest.raises(InputError, match=r"^cache_dir = '/proc/none'"):
        cached_model("key", "/proc/none", never, never)
    with pytest.raises(InputError, match=r"^cache_dir = '/proc/none'"):
        check_entry(cache_path("key", "/proc/none"))


MAKE = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from toy_llm.cache import cached

    def make():
        print("begun", flush=True)
        sys.stdin.readline()
        return {"made": sys.argv[2]}

    print(cached(Path(sys.argv[1]), make), flush=True)
    """
)


def test_two_processes_make_an_entry_once(tmp_path):
    """The second one waits for the first, says so, and reads what that made; one that was killed is not waited for."""
    path = tmp_path / "entry.pt"

    def start(name):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen([sys.executable, "-c", MAKE, str(path), name], text=True, **pipes)

    killed = start("killed")
    assert killed.stdout.readline() == "begun\n"
    killed.kill()
    killed.communicate()
    (tmp_path / ".entry.pt.7-0badcafe0badcafe").write_bytes(b"half an entry")
    first = start("first")
    assert first.stdout.readline() == "begun\n"
    second = start("second")
    assert second.stderr.readline().startswith(f"waiting for process {first.pid} on ")
    out, _ = first.communicate("go\n")
    assert out == "{'made': 'first'}\n"
    out, _ = second.communicate()
    assert out == "{'made': 'first'}\n"
    assert [one.name for one in tmp_path.iterdir()] == ["entry.pt"]
