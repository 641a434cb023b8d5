"""Write the tables between the markers of README.md from the raw results.

    python tools/make_table.py           writes README.md
    python tools/make_table.py --check   changes nothing; exit code 1 if README.md differs from the results

The marker ``<!-- table:NAME -->`` ... ``<!-- /table -->`` takes the table of ``datasets/results/NAME.json``.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from sciml.bench import dcdm_table, table, training
from sciml.bench.results import read_results

REPOSITORY = Path(__file__).resolve().parent.parent
REPORTS = {"poisson": table.report, "dcdm": dcdm_table.report, "training": training.report}
MARKED = re.compile(r"(<!-- table:(?P<name>\w+) -->\n)(?P<table>.*?)(<!-- /table -->)", re.DOTALL)


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


def stale(readme: Path, results: Path) -> list[str]:
    """Return a sentence about each table that differs from its results, has none, or is not shown."""
    text = readme.read_text(encoding="utf-8")
    marked = {match["name"]: match["table"].strip() for match in MARKED.finditer(text)}
    measured = {path.stem for path in results.glob("*.json")}
    faults = [f"{readme.name} has no marker for results/{name}.json" for name in sorted(measured - marked.keys())]
    missing = [name for name in sorted(marked.keys() - measured) if marked[name]]
    faults += [f"{readme.name} shows the table {name}, but there is no results/{name}.json" for name in missing]
    if not missing and with_tables(text, results) != text:
        faults.append(f"the tables of {readme.name} differ from their results; run tools/make_table.py")
    return faults


def main() -> None:
    """Write README.md, or check it."""
    readme, results = REPOSITORY / "README.md", REPOSITORY / "datasets" / "results"
    if "--check" in sys.argv[1:]:
        if faults := stale(readme, results):
            sys.exit("\n".join(faults))
        return
    part = readme.with_name("README.md.part")
    part.write_text(with_tables(readme.read_text(encoding="utf-8"), results), encoding="utf-8")
    os.replace(part, readme)


if __name__ == "__main__":
    main()
