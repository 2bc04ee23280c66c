"""Tables and pictures are written whole or not at all, and what cannot be written is refused before work."""

import pandas as pd
import pytest

from paper_repro.cli.kinds import kind_of
from paper_repro.cli.output import check_output, ten_rows, write_table
from spo_theory.validation import InputError

TABLE = pd.DataFrame({"step": range(31), "success": [0.5] * 31})


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_table_is_read_as_it_was_written(ending, tmp_path):
    out = tmp_path / f"table{ending}"
    write_table(TABLE, out)
    read = pd.read_csv(out) if ending == ".csv" else pd.read_parquet(out)
    pd.testing.assert_frame_equal(read, TABLE)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_failed_write_keeps_the_old_table(tmp_path, monkeypatch):
    out = tmp_path / "table.csv"
    write_table(TABLE, out)
    before = out.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_table(TABLE.head(2), out)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_checking_an_output_leaves_nothing_behind_and_keeps_what_is_there(tmp_path):
    check_output(tmp_path / "new.csv")
    assert not list(tmp_path.iterdir())
    old = tmp_path / "old.csv"
    old.write_text("step\n")
    check_output(old)
    assert old.read_text() == "step\n"
    with pytest.raises(InputError, match=r"out = .*a file ending in .csv, .parquet"):
        check_output(tmp_path / "table.png")


def test_ten_rows_hold_the_first_and_the_last():
    shown = [int(line.split()[0]) for line in ten_rows(TABLE).splitlines()[1:]]
    assert shown == list(range(0, 31, 3))
    assert len(ten_rows(TABLE.head(1)).splitlines()) == 2


def test_an_unknown_kind_of_option_is_left_to_the_parser():
    assert kind_of(bool) is None
    assert kind_of(float | int) is None
    assert kind_of(int | None).convert("None") is None
    with pytest.raises(ValueError, match=r"2\.5"):
        kind_of(int).convert("2.5")
