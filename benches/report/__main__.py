"""Writes docs/performance.md and its charts from what the benchmarks have measured.

    python3 benches/report collect TARGET    reads the results below cargo's folder TARGET into
                                             docs/charts/figures.json, and then writes the page
    python3 benches/report                   writes the page anew from docs/charts/figures.json
    python3 benches/report check             whether the page is what would be written
"""

import pathlib
import sys

import charts
import figures
import page
import tables

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
FIGURES = DOCS / "charts" / "figures.json"


def main(arguments):
    match arguments:
        case ["collect", target]:
            found = figures.collect(pathlib.Path(target))
            tables.complain_of_forgotten_rows(found)
            figures.save(found, FIGURES)
            write(outputs())
        case []:
            write(outputs())
        case ["check"]:
            stale = [str(path) for path, text in outputs().items() if path.read_text() != text]
            if stale:
                sys.exit(f"not what figures.json says: {', '.join(stale)}")
        case _:
            sys.exit(__doc__)


def outputs():
    """The files to write, and their text."""
    found = figures.load(FIGURES)
    path = DOCS / "performance.md"
    texts = {path: page.with_figures(path.read_text(), tables.sections(found))}
    for name, text in charts.all_of_them(found).items():
        texts[DOCS / "charts" / f"{name}.svg"] = text
    return texts


def write(texts):
    for path, text in texts.items():
        path.write_text(text)


main(sys.argv[1:])
