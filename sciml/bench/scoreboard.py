"""The scoreboard: for each method and job one row with the paper's number, ours, and the best competitors.

:func:`pages` makes the pages of ``docs/results`` and :func:`with_scoreboard` the table of the README, both from the raw
results and from nothing else; ``tools/make_results.py`` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from sciml.bench.benchmark import Benchmark
from sciml.bench.headline import Headline
from sciml.bench.report import check_table, joined, markdown
from sciml.bench.results import Raw

MARKED = re.compile(r"(<!-- scoreboard -->\n)(.*?)(<!-- /scoreboard -->)", re.DOTALL)
COMPARED = (
    "Numbers are medians with the range over the seeds; smaller is better, and the best of a row is bold. The best "
    "competitors are those with the smallest number, whatever they cost. Cost is our time over that of the best "
    "classical method, median over median. A dash means not published or not measured."
)


def scoreboard(headlines: Iterable[Headline]) -> str:
    """Return the rows as a Markdown table."""
    heads = ("method", "case: number", "paper", "ours", "best classical", "best neural", "cost", "command")
    return markdown(heads, (headline.cells() for headline in headlines))


def pages(results: Mapping[str, Raw], benchmarks: Sequence[Benchmark]) -> dict[str, str]:
    """Return the pages of the results by file name: ``index.md`` with the scoreboard, and one for each benchmark."""
    measured = [benchmark for benchmark in benchmarks if benchmark.name in results]
    made = {f"{benchmark.name}.md": page(benchmark, results[benchmark.name]) for benchmark in measured}
    rows = [row for benchmark in measured for row in benchmark.headlines(results[benchmark.name])]
    links = "\n".join(f"- [{each.title}]({each.name}.md): `sciml bench {each.name}`" for each in measured)
    tree = "\n".join(("```{toctree}", ":hidden:", "", *(each.name for each in measured), "```"))
    index = joined("# Results", COMPARED, scoreboard(rows), "All measurements:", links, tree)
    return {"index.md": index} | made


def page(benchmark: Benchmark, raw: Raw) -> str:
    """Return the page of one benchmark: command, scoreboard, what was measured, every table, and the provenance."""
    command = (
        f"Measured by `sciml bench {benchmark.name} --publish`; raw results: `datasets/results/{benchmark.name}.json`. "
        f"`sciml bench {benchmark.name} --check` says which limits they keep."
    )
    return joined(
        f"# {benchmark.title}",
        command,
        benchmark.origin(raw),
        "## Scoreboard",
        COMPARED,
        scoreboard(benchmark.headlines(raw)),
        "## Measured quantities",
        check_table(benchmark.checks(raw), limits=False),
        *(section.on_page() for section in benchmark.sections(raw) if section.table),
        *(("## Where others win", " ".join(losses)) if (losses := benchmark.losses(raw)) else ()),
    )


def with_scoreboard(text: str, results: Mapping[str, Raw], benchmarks: Sequence[Benchmark]) -> str:
    """Return the text of the README with the featured rows between its markers."""
    rows = [
        row
        for benchmark in benchmarks
        if benchmark.name in results
        for row in benchmark.headlines(results[benchmark.name])
        if row.featured
    ]
    table = scoreboard(rows)
    return MARKED.sub(lambda match: f"{match[1]}{table}\n{match[3]}", text)
