"""Write the pages of docs/results and the scoreboard of README.md from the raw results in datasets/results.

python tools/make_results.py           writes the pages
python tools/make_results.py --check   changes nothing; exit code 1 if a page differs from the results
"""

from __future__ import annotations

import sys
from pathlib import Path

from sciml.atomic import write_text
from sciml.bench.registry import load_benchmarks
from sciml.bench.results import read_results, understood
from sciml.bench.scoreboard import MARKED, page, pages, with_scoreboard
from sciml.errors import DataFormatError

REPOSITORY = Path(__file__).resolve().parent.parent


def made(repository: Path) -> dict[Path, str]:
    """Return every generated file with the text that it should have."""
    benchmarks = load_benchmarks()
    files = {each.name: repository / "datasets" / "results" / f"{each.name}.json" for each in benchmarks}
    results = {name: read_results(path, name) for name, path in files.items() if path.exists()}
    for benchmark in (each for each in benchmarks if each.name in results):
        with understood(files[benchmark.name], benchmark.name):
            page(benchmark, results[benchmark.name])
    readme = repository / "README.md"
    texts = {repository / "docs" / "results" / name: text for name, text in pages(results, benchmarks).items()}
    return texts | {readme: with_scoreboard(readme.read_text(encoding="utf-8"), results, benchmarks)}


def faults(repository: Path) -> list[str]:
    """Return a sentence about each file that differs from the results, is missing, or does not belong there."""
    texts = made(repository)
    found = []
    for path, text in texts.items():
        name = path.relative_to(repository)
        if not path.exists():
            found.append(f"{name} is missing; run tools/make_results.py")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{name} differs from the results; run tools/make_results.py")
    if not MARKED.search(texts[repository / "README.md"]):
        found.append("README.md has no markers <!-- scoreboard --> and <!-- /scoreboard -->")
    strangers = sorted({*(repository / "docs" / "results").glob("*.md")} - texts.keys())
    return found + [f"{path.relative_to(repository)} is not made from any results" for path in strangers]


def main() -> None:
    """Write the files, or check them."""
    if "--check" in sys.argv[1:]:
        if found := faults(REPOSITORY):
            sys.exit("\n".join(found))
        return
    for path, text in made(REPOSITORY).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)


if __name__ == "__main__":
    try:
        main()
    except DataFormatError as error:
        sys.exit(str(error))
