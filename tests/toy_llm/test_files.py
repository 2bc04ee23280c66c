"""Files are written whole or not at all, only regular ones, and never one for two uses."""

import os
import stat

import pytest
import torch

from spo_theory.validation import InputError
from toy_llm.files import check_different, check_file, load, read_regular, save, write_atomic


def test_links_are_followed_and_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "table.csv"
    link = tmp_path / "link.csv"
    link.symlink_to("folder/table.csv")
    check_file("out", link)
    assert not target.exists()
    for text in (b"one", b"two"):
        write_atomic(link, text)
        assert link.is_symlink()
        assert target.read_bytes() == text
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    write_atomic(path, b"old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=f"No space.*{path.name}"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_names_of_temporary_files_cannot_be_guessed_and_links_there_are_not_followed(tmp_path, monkeypatch):
    names = []
    opened = os.open

    def watched(path, flags, *mode, **options):
        if flags & os.O_CREAT:
            names.append(str(path))
            assert flags & os.O_EXCL
        return opened(path, flags, *mode, **options)

    monkeypatch.setattr("os.open", watched)
    for _ in range(3):
        write_atomic(tmp_path / "table.csv", b"text")
    random = {name.rpartition("-")[2] for name in names}
    assert len(random) == 3
    assert all(len(part) >= 16 for part in random)


def odd_files(folder):
    """What is no regular file, by name."""
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "to_pipe").symlink_to("pipe")
    (folder / "loop").symlink_to("loop")
    return {name: folder / name for name in ("pipe", "folder", "to_pipe", "loop")} | {
        "device": "/dev/null",
        "empty": "",
    }


@pytest.mark.parametrize("kind", ["pipe", "folder", "to_pipe", "loop", "device", "empty"])
def test_only_regular_files_and_new_names_are_taken(kind, tmp_path):
    path = odd_files(tmp_path)[kind]
    with pytest.raises(InputError, match=r"^out = '.*' is not allowed: out must be a (new name|file that can)"):
        check_file("out", path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "to_pipe", "loop", "device"])
def test_only_regular_files_are_read(kind, tmp_path):
    with pytest.raises(OSError):
        read_regular(odd_files(tmp_path)[kind])


def test_a_check_leaves_nothing_behind(tmp_path):
    check_file("out", None)
    check_file("out", tmp_path / "new.csv")
    assert not list(tmp_path.iterdir())
    old = tmp_path / "old.csv"
    old.write_text("step\n")
    check_file("out", old)
    assert old.read_text() == "step\n"


def test_one_file_for_two_uses_is_refused(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("")
    os.link(one, tmp_path / "hard")
    (tmp_path / "soft").symlink_to("one")
    (tmp_path / "dangling").symlink_to("new")
    check_different([("out", one), ("checkpoint", other), ("table", None), ("picture", None)])
    for a, b in ((one, "hard"), (one, "soft"), (tmp_path / "new", "dangling"), (one, "x/../one")):
        with pytest.raises(InputError, match=r"^checkpoint = .* must be another file than out$"):
            check_different([("out", a), ("checkpoint", tmp_path / b)])


def test_a_file_belongs_to_its_owner(tmp_path):
    path = tmp_path / "state.pt"
    save(path, {"a": torch.ones(2)}, owner="mine")
    assert torch.equal(load(path, owner="mine")["a"], torch.ones(2))
    with pytest.raises(InputError, match="checksum"):
        load(path, owner="another's")
    with pytest.raises(InputError, match="checksum"):
        load(path)
    assert stat.S_IMODE(path.stat().st_mode) & 0o444
