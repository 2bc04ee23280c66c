"""Makes the pictures of the gallery from the tables of a run: ``python docs/gallery.py out-quick``."""

import json
import sys
from pathlib import Path

from figures import paper
from figures.describe import describe
from paper_repro.claims.verdicts import Tables
from paper_repro.paper_figures import read_tables
from paper_repro.studies.study import Plate, plates

FOLDER = Path(__file__).parent / "images" / "gallery"
TEXTS = FOLDER / "texts.json"


def main(results: Path) -> None:
    """Draw every figure whose tables are in the folder ``results``; those of other figures stay as they are."""
    tables = read_tables(results)
    FOLDER.mkdir(exist_ok=True)
    texts = json.loads(TEXTS.read_text(encoding="utf-8")) if TEXTS.exists() else {}
    for plate in plates():
        figure_texts = still(plate, tables)
        if figure_texts is not None:
            texts[plate.name] = figure_texts

    # Nothing is kept of a figure that is no more
    names = {plate.name for plate in plates()}
    for path in FOLDER.glob("*.webp"):
        if path.stem not in names:
            path.unlink()
    kept = {name: texts[name] for name in sorted(names & set(texts))}
    TEXTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def still(plate: Plate, tables: Tables) -> dict[str, str] | None:
    """Draw one picture of the gallery; returns its caption and what it shows in words, None without its tables."""
    with paper.page():
        figure = plate.figure(tables)
        if figure is None:
            return None

        # Several panels need the width of the page; a single one would be large on it
        several = sum(ax.get_subplotspec() is not None for ax in figure.axes) > 1
        notes = paper.fit(figure, paper.WIDTHS["double" if several else "single"])
        picture = FOLDER / f"{plate.name}.webp"
        figure.savefig(picture, dpi=110 if several else 130, pil_kwargs={"quality": 75, "method": 6})
    caption = " ".join(part for part in (plate.text(tables), notes) if part)
    return {"alt": describe(figure), "caption": caption}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
