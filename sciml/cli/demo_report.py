"""The report of ``sciml demo``: one HTML page that holds its pictures and needs nothing beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from sciml.cli.output import cell_text

if TYPE_CHECKING:
    from sciml.bench.chapters import Picture, Story, Table

_KINDS = {".png": "image/png", ".svg": "image/svg+xml"}
_SHORT_COMMIT = 10
_POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]?)(\d+)(?![\w.]*\w)")
_NUMBER = ' class="number"'


@dataclass(frozen=True)
class Entry:
    """A chapter of the report, run or not.

    Attributes
    ----------
    name : of the chapter on the command line
    title, about : as the chapter states them
    story : what came out; None if the chapter failed or did not run
    problem : why the results are missing or do not hold, one sentence; None if they do
    seconds : wall time
    """

    name: str
    title: str
    about: str
    story: Story | None = None
    problem: str | None = None
    seconds: float = 0.0


def report_page(entries: Sequence[Entry], environment: Mapping[str, Any], seconds: float) -> str:
    """Return the HTML page of the demo.

    Parameters
    ----------
    entries : in the order in which they are shown
    environment : what ``environment.json`` of the folder holds
    seconds : wall time of the demo
    """
    done = sum(entry.problem is None for entry in entries)
    cores = environment.get("cores", "?")
    text = f"{done} of {len(entries)} chapters, {_duration(seconds)} of wall time on {cores} cores."
    return Template(_PAGE).substitute(
        style=_STYLE,
        text=escape(text),
        contents="".join(_contents(entry) for entry in entries),
        chapters="".join(_chapter(number, entry) for number, entry in enumerate(entries, start=1)),
        environment=_environment(environment, seconds),
    )


def _contents(entry: Entry) -> str:
    said = entry.problem or (entry.story.summary if entry.story else "")
    mark = ' class="failed"' if entry.problem else ""
    return f'<li{mark}><a href="#{escape(entry.name)}">{escape(entry.title)}</a><span>{_prose(said)}</span></li>\n'


def _chapter(number: int, entry: Entry) -> str:
    parts = [f"<h2><span>{number}</span> {escape(entry.title)}</h2>", _paragraph(entry.about, "about")]
    if entry.problem:
        parts.append(f'<p class="problem" role="alert">{escape(entry.problem)}</p>')
    if entry.story:
        parts += _story(entry.story)
    if entry.seconds:
        parts.append(_paragraph(f"This chapter took {_duration(entry.seconds)}.", "time"))
    return f'<section id="{escape(entry.name)}">\n' + "\n".join(parts) + "\n</section>\n"


def _story(story: Story) -> list[str]:
    pictures = "\n".join(map(_figure, story.pictures))
    return [
        _paragraph(story.summary, "summary"),
        f'<div class="pictures">\n{pictures}\n</div>' if pictures else "",
        *map(_table, story.tables),
        *map(_paragraph, story.text),
        "<h3>Commands</h3>" if story.commands else "",
        _definitions(story.commands),
        "<h3>Files</h3>" if story.files else "",
        _definitions({str(path): what for path, what in story.files.items()}),
    ]


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}">{_prose(text)}</p>' if kind else f"<p>{_prose(text)}</p>"


def _prose(text: str) -> str:
    """Escape a text, and set powers of ten as such: 8.7e-07 as 8.7 x 10 to the power of -7."""

    def power(found: re.Match[str]) -> str:
        sign = "\u2212" if found[2] == "-" else ""
        return f'<span class="power">{found[1]} × 10<sup>{sign}{int(found[3])}</sup></span>'

    return _POWER.sub(power, escape(text))


def _figure(picture: Picture) -> str:
    """Return the picture as a data URL with its caption."""
    kind = _KINDS[picture.path.suffix.lower()]
    data = base64.b64encode(Path(picture.path).read_bytes()).decode()
    return (
        f'<figure><img src="data:{kind};base64,{data}" alt="{escape(picture.alt)}">'
        f"<figcaption>{_prose(picture.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    rows = [list(row) for row in table.rows]
    numeric = [_is_numeric(row[column] for row in rows) for column in range(len(table.columns))]
    caption = f'<p class="caption">{_prose(table.caption)}</p>' if table.caption else ""
    label = escape(table.caption or "Table")
    head = _row(table.columns, numeric, "th", ' scope="col"')
    body = "\n".join(
        f'<tr><th scope="row">{_prose(cell_text(row[0]))}</th>{_cells(row[1:], numeric[1:], "td", "")}</tr>'
        for row in rows
    )
    return (
        f'{caption}<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead>{head}</thead>\n<tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[Any], numeric: Sequence[bool], tag: str, scope: str) -> str:
    return f"<tr>{_cells(cells, numeric, tag, scope)}</tr>"


def _cells(cells: Sequence[Any], numeric: Sequence[bool], tag: str, scope: str) -> str:
    return "".join(
        f"<{tag}{scope}{_NUMBER if right else ''}>{_prose(cell_text(cell))}</{tag}>"
        for cell, right in zip(cells, numeric, strict=True)
    )


def _is_numeric(cells: Iterable[Any]) -> bool:
    """Return True if a column is set flush right, as its cells are numbers or read as such."""
    return any(isinstance(cell, int | float) or (isinstance(cell, str) and _reads_as_number(cell)) for cell in cells)


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _definitions(terms: Mapping[str, str]) -> str:
    if not terms:
        return ""
    rows = "\n".join(f"<dt><code>{escape(term)}</code></dt><dd>{escape(what)}</dd>" for term, what in terms.items())
    return f"<dl>\n{rows}\n</dl>"


def _environment(environment: Mapping[str, Any], seconds: float) -> str:
    """Return the rows of the table of provenance."""
    changed = " with uncommitted changes" if environment.get("dirty") else ""
    commit = str(environment.get("commit", ""))[:_SHORT_COMMIT]
    packages = {name: version for name, version in environment.get("packages", {}).items() if version}
    rows = {
        "command": environment.get("command"),
        "started": environment.get("started"),
        "wall time": _duration(seconds),
        "sciml": f"{environment.get('sciml')}{f', commit {commit}{changed}' if commit else ''}",
        "Python": environment.get("python"),
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
        "processor": f"{environment.get('processor')}, {environment.get('cores')} cores",
        "system": environment.get("system"),
        "threads": ", ".join(f"{name}={value}" for name, value in environment.get("threads", {}).items()) or "not set",
    }
    return "\n".join(f'<tr><th scope="row">{name}</th><td>{escape(str(what))}</td></tr>' for name, what in rows.items())


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


_STYLE = """
:root { --ink: #22262b; --faint: #626a73; --line: #e1e4e8; --paper: #ffffff; --tint: #f5f6f8; --accent: #c8102e;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --faint: #9aa3ad; --line: #343a42; --paper: #15181c;
  --tint: #1e2227; --accent: #ff6b7d; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 "Source Serif 4", "Iowan Old Style", Charter, Georgia, Cambria, serif; }
main, header, footer { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3.5rem; }
h1, h2, h3, nav, table, figcaption, dl, .time, .caption, .kicker { font-family: system-ui, "Segoe UI", Helvetica, Arial,
  sans-serif; }
h1 { font-size: clamp(1.9rem, 5vw, 2.7rem); line-height: 1.12; letter-spacing: -0.02em; margin: 0.2rem 0 0.8rem; }
h2 { font-size: clamp(1.35rem, 3.5vw, 1.7rem); line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 0.6rem; }
h2 span { color: var(--accent); font-weight: 600; margin-right: 0.35rem; }
h3 { font-size: 1rem; margin: 2rem 0 0.5rem; }
p { margin: 0 0 1rem; max-width: 44rem; }
a { color: inherit; text-decoration-color: var(--accent); text-underline-offset: 0.2em; }
.kicker { color: var(--accent); font-weight: 600; letter-spacing: 0.04em; font-size: 0.875rem; margin: 0; }
.lead { font-size: 1.2rem; color: var(--ink); }
.about, .time, footer { color: var(--faint); }
.time { font-size: 0.875rem; margin-top: 1.5rem; }
.summary { font-size: 1.2rem; line-height: 1.5; border-left: 3px solid var(--accent); padding-left: 1rem;
  margin: 1.3rem 0 1.6rem; }
.problem { background: var(--tint); border-left: 3px solid var(--accent); padding: 0.7rem 1rem;
  overflow-wrap: anywhere; }
nav ol { margin: 1.5rem 0 0; padding: 0; list-style: none; border-top: 1px solid var(--line); }
nav li { padding: 0.8rem 0; border-bottom: 1px solid var(--line); display: grid; gap: 0.15rem 1.5rem;
  grid-template-columns: minmax(0, 16rem) minmax(0, 1fr); }
nav li a { font-weight: 600; }
nav li span { color: var(--faint); font-size: 0.9375rem; line-height: 1.45; overflow-wrap: anywhere; }
nav li.failed span { color: var(--accent); }
section { padding: 3.5rem 0 0; }
.pictures { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr));
  margin: 0 0 1.8rem; }
figure { margin: 0; min-width: 0; }
figure img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 6px; aspect-ratio: 5 / 4; object-fit: contain; padding: 0.25rem; }
figcaption { font-size: 0.875rem; line-height: 1.45; color: var(--faint); margin-top: 0.5rem; }
.scroll { overflow-x: auto; margin: 0 0 1.5rem; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
table { border-collapse: collapse; font-size: 0.9rem; line-height: 1.35; width: 100%;
  font-variant-numeric: tabular-nums; }
.caption { color: var(--faint); font-size: 0.875rem; margin: 0 0 0.4rem; }
.power { white-space: nowrap; }
sup { font-size: 0.72em; line-height: 0; }
th, td { padding: 0.45rem 1rem 0.45rem 0; text-align: left; border-bottom: 1px solid var(--line); font-weight: 400;
  vertical-align: top; }
.scroll th, .scroll td { white-space: nowrap; }
thead th { color: var(--faint); font-size: 0.8125rem; border-bottom: 1.5px solid var(--ink); vertical-align: bottom; }
.number { text-align: right; }
th:last-child, td:last-child { padding-right: 0; }
.scroll tbody tr:first-child > * { background: var(--tint); }
code { font: 0.875em/1.5 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
dl { margin: 0; font-size: 0.9375rem; }
dt { background: var(--tint); border-radius: 5px; padding: 0.35rem 0.7rem; }
dd { color: var(--faint); margin: 0.2rem 0 0.8rem 0.7rem; font-size: 0.875rem; }
@media (min-width: 48rem) { dl { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 3fr);
  gap: 0.4rem 1.2rem; }
  dd { margin: 0; align-self: center; } }
footer { padding-top: 3.5rem; padding-bottom: 4rem; }
footer h2 { color: var(--ink); }
footer table th { color: var(--ink); white-space: nowrap; }
footer td { overflow-wrap: anywhere; }
@media (max-width: 40rem) { header { padding-top: 2rem; } nav li { grid-template-columns: 1fr; }
  section { padding-top: 2.8rem; } .summary, .lead { font-size: 1.1rem; } }
@media print { section { break-before: page; } figure, tr { break-inside: avoid; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>sciml demo</title>
<style>$style</style>
</head>
<body>
<header>
<p class="kicker">sciml demo</p>
<h1>Neural PDE methods beside the best classical solvers</h1>
<p class="lead">$text</p>
<nav aria-label="Chapters"><ol>
$contents</ol></nav>
</header>
<main>
$chapters</main>
<footer>
<h2>Environment</h2>
<table><tbody>
$environment
</tbody></table>
</footer>
</body>
</html>
"""
