"""`spo figure` writes picture, data and caption of a run's figures, and refuses before it writes."""

import pandas as pd
import pytest

from paper_repro.cli import main
from paper_repro.studies.colouring import colouring_curves
from paper_repro.studies.study import plates


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The folder of a run that has made one table, and half of those of another figure."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "data").mkdir()
    colouring_curves().to_parquet(folder / "data" / "colouring.parquet")
    pd.DataFrame({"p": [0.5]}).to_parquet(folder / "data" / "two_step_map.parquet")
    return folder


def test_every_figure_is_listed_with_its_title(capsys):
    assert main(["figure", "--list"]) == 0
    listed = capsys.readouterr().out
    assert len(listed.splitlines()) == len(plates())
    for plate, line in zip(plates(), listed.splitlines(), strict=True):
        assert line.split(maxsplit=1) == [plate.name, plate.title]
    assert main(["figure"]) == 0
    assert capsys.readouterr().out == listed


def test_picture_data_and_caption_are_written(results, tmp_path, capsys):
    out = tmp_path / "paper"
    assert main(["figure", "colouring", "--results", str(results), "--out", str(out), "--format", "svg"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["colouring.csv", "colouring.svg", "colouring.txt"]
    assert capsys.readouterr().out.count("written: ") == 3
    read = pd.read_csv(out / "colouring.csv", keep_default_na=False)  # an empty text is not a missing one
    pd.testing.assert_frame_equal(read, pd.read_parquet(results / "data" / "colouring.parquet"), check_dtype=False)
    assert (out / "colouring.txt").read_text().startswith("The colouring curve.\n")
    assert f'width="{3.4 * 72:g}pt"' in (out / "colouring.svg").read_text()


def test_a_file_names_the_format_and_a_style_sheet_is_laid_on_top(results, tmp_path):
    sheet = tmp_path / "mine.mplstyle"
    sheet.write_text("svg.fonttype: none\nfont.family: serif\nbackend: template\n")
    line = ["figure", "colouring", "--results", str(results), "--width", "double"]
    assert main([*line, "--out", str(tmp_path / "fig2.svg"), "--style", str(sheet)]) == 0
    picture = (tmp_path / "fig2.svg").read_text()
    assert "serif" in picture
    assert f'width="{7 * 72:g}pt"' in picture


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("colourng", "name = 'colourng' is not allowed: name must be the name of a figure, such as colouring"),
        ("two_step", "two_step, two_step_boundary is missing"),
        ("colouring --out x.svg --format pdf", "a file ending in .pdf as the format says"),
        ("colouring escape --out x.svg", "a folder for several figures"),
        ("colouring --style nowhere.mplstyle", "a matplotlib style sheet (.mplstyle) that is there"),
        ("colouring --style key.mplstyle", "Bad key no.such"),
        ("colouring --style value.mplstyle", "font.size"),
        ("colouring --style tex.mplstyle", "a style sheet without text.usetex"),
        ("colouring --width half", "width = 'half' is not allowed: width must be single or double"),
        ("colouring --format eps", "format = 'eps'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line_before_work(words, said, results, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no LaTeX there
    for name, line in (("key", "no.such: 1"), ("value", "font.size: huge"), ("tex", "text.usetex: True")):
        (tmp_path / f"{name}.mplstyle").write_text(line + "\n")
    before = sorted(tmp_path.iterdir())
    assert main(["figure", *words.split(), "--results", str(results)]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("content", [None, b"no table"])
def test_a_folder_without_whole_tables_is_refused(content, tmp_path, capsys):
    if content is not None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "colouring.parquet").write_bytes(content)
    assert main(["figure", "colouring", "--results", str(tmp_path)]) == 2
    assert f"results = '{tmp_path}' is not allowed" in capsys.readouterr().err
