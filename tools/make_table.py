"""Write the tables between the markers of the pages, README.md and sciml/*/README.md, from the raw results.

    python tools/make_table.py           writes the pages
    python tools/make_table.py --check   changes nothing; exit code 1 if a page differs from the results

The marker ``<!-- table:NAME -->`` ... ``<!-- /table -->`` takes the table of ``datasets/results/NAME.json``. A table
stands on one page.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from sciml.bench import table
from sciml.bench.dcdm import table as dcdm_table
from sciml.bench.insr import table as insr_table
from sciml.bench.lpinn import table as lpinn_table
from sciml.bench.results import read_results
from sciml.bench.training import plan as training

REPOSITORY = Path(__file__).resolve().parent.parent
REPORTS = {
    "poisson": table.report,
    "dcdm": dcdm_table.report,
    "insr": insr_table.report,
    "lpinn": lpinn_table.report,
    "training": training.report,
}
MARKED = re.compile(r"(<!-- table:(?P<name>\w+) -->\n)(?P<table>.*?)(<!-- /table -->)", re.DOTALL)


def pages(repository: Path) -> list[Path]:
    """The pages that may hold tables: that of the repository, and those of its rooms."""
    return [repository / "README.md", *sorted((repository / "sciml").glob("*/README.md"))]


def with_tables(text: str, results: Path) -> str:
    """Return the text with every marked table made anew from ``results/NAME.json``.

    Markers with nothing between them wait for results that are not measured yet.
    """

    def made(match: re.Match[str]) -> str:
        name = match["name"]
        path = results / f"{name}.json"
        waiting = not path.exists() and not match["table"].strip()
        return match[0] if waiting else match[1] + REPORTS[name](read_results(path, name)) + match[4]

    return MARKED.sub(made, text)


def stale(readmes: Sequence[Path], results: Path) -> list[str]:
    """Return a sentence about each table that differs from its results, has none, or is shown nowhere or twice."""
    measured, faults, shown = {path.stem for path in results.glob("*.json")}, [], []
    for readme in readmes:
        text = readme.read_text(encoding="utf-8")
        marked = {match["name"]: match["table"].strip() for match in MARKED.finditer(text)}
        page, shown = "/".join(readme.parts[-2:]), [*shown, *marked]
        missing = [name for name in sorted(marked.keys() - measured) if marked[name]]
        faults += [f"{page} shows the table {name}, but there is no results/{name}.json" for name in missing]
        if not missing and with_tables(text, results) != text:
            faults.append(f"the tables of {page} differ from their results; run tools/make_table.py")
    faults += [f"no page has a marker for results/{name}.json" for name in sorted(measured.difference(shown))]
    return faults + [f"{shown.count(name)} pages show the table {name}" for name in {*shown} if shown.count(name) > 1]


def main() -> None:
    """Write the pages, or check them."""
    results = REPOSITORY / "datasets" / "results"
    if "--check" in sys.argv[1:]:
        if faults := stale(pages(REPOSITORY), results):
            sys.exit("\n".join(faults))
        return
    for page in pages(REPOSITORY):
        text = page.read_text(encoding="utf-8")
        made = with_tables(text, results)
        if made != text:
            part = page.with_name("README.md.part")
            part.write_text(made, encoding="utf-8")
            os.replace(part, page)


if __name__ == "__main__":
    main()
