"""The pictures of the gallery are of figures that there are, each with its texts, and together they are small."""

import json
from pathlib import Path

from paper_repro.studies.study import plates

FOLDER = Path(__file__).parents[2] / "docs" / "images" / "gallery"
PICTURES = sorted(FOLDER.glob("*.webp"))


def test_every_picture_is_of_a_figure_and_has_its_texts():
    texts = json.loads((FOLDER / "texts.json").read_text(encoding="utf-8"))
    assert {path.stem for path in PICTURES} == set(texts)
    assert set(texts) <= {plate.name for plate in plates()}
    for said in texts.values():
        assert "against" in said["alt"]
        assert said["caption"].endswith(".")


def test_most_figures_have_a_picture():
    assert len(PICTURES) > 0.8 * len(plates())  # a short run leaves out a few


def test_the_repository_stays_light():
    assert sum(path.stat().st_size for path in PICTURES) < 2_000_000
