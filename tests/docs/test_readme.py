"""README.md is short, shows a picture of the repository, and prints what its code prints."""

from __future__ import annotations

import re

import pytest

from sciml.numerics.random import seeded
from tests.docs.pages import PAGES, REPOSITORY, page

README = page("README.md")
PAPERS = ("2205.10763", "2210.00124", "2205.02902", "2106.01680", "2402.13412", "2410.11247", "2410.01153")
MOST_LINES, MOST_BYTES, MOST_ROWS = 190, 400_000, 12


def test_it_has_at_most_190_lines() -> None:
    assert len(README.text.splitlines()) <= MOST_LINES


def test_each_command_of_the_first_ten_minutes_says_how_long_it_takes_and_all_are_a_few_minutes() -> None:
    block = next(block for block in README.blocks("sh") if "sciml precondition" in block)
    told = re.findall(r"^sciml .*#.* (\d+) (s|min)\b", block, re.MULTILINE)
    silent = [line for line in block.splitlines() if not re.search(r"# \d+ (s|min)\b", line)]
    assert [line.split()[:3] for line in silent] == [["sciml", "list", "configs"]]
    assert sum(int(number) * (60 if unit == "min" else 1) for number, unit in told) <= 300


def test_its_picture_is_in_the_repository_and_small() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README.text)
    assert pictures
    for picture in pictures:
        assert (REPOSITORY / picture).stat().st_size <= MOST_BYTES


def test_the_seven_methods_have_a_state_and_a_paper() -> None:
    rows = [row for row in README.text.splitlines() if row.startswith("|") and "arxiv.org/abs/" in row]
    assert [re.search(r"abs/([\d.]+)", row)[1] for row in rows] == list(PAPERS)
    assert [row.split("|")[-2].strip() for row in rows] == ["complete; paper-scale run pending"] * 4 + [
        "in progress",
        "complete; paper-scale run pending",
        "in progress",
    ]


def test_the_home_page_gives_the_same_states_and_none_is_complete_while_its_published_run_is_not() -> None:
    state = re.compile(r"^\| .* \| (complete|in progress|planned)(.*) \|$", re.MULTILINE)
    tables = [state.findall(page(name).text) for name in ("README.md", "docs/index.md")]
    assert tables[0] == tables[1] and len(tables[0]) == 8
    for name in ("dcdm", "insr", "lpinn", "cgs"):
        assert re.search(r"not(\s+been)?\s+run|not\s+trained", page(f"docs/methods/{name}.md").text)


def test_no_page_says_that_every_result_has_a_competitor(repository) -> None:
    rows = (repository / "docs" / "results" / "index.md").read_text(encoding="utf-8").splitlines()
    assert any(" | – | " in row for row in rows)  # some have none
    for each in PAGES:
        text = " ".join(each.prose().split())
        assert not re.search(r"in every row|[Ee]very (row|result) names", text), each.name


def test_its_scoreboard_has_at_most_ten_rows() -> None:
    board = README.text.split("<!-- scoreboard -->")[1].split("<!-- /scoreboard -->")[0]
    assert 1 <= len([row for row in board.splitlines() if row.startswith("| ")]) - 2 <= MOST_ROWS


def test_its_code_prints_about_what_it_shows(capsys) -> None:
    code, (shown,) = README.blocks("python")[0], README.blocks("text")
    with seeded(0):
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    told, printed = shown.splitlines(), capsys.readouterr().out.splitlines()
    assert told[1:] == printed[1:] == ["SciPy agrees: True"]
    expected, found = (re.fullmatch(r"converged in (\d+) iterations", lines[0]) for lines in (told, printed))
    assert int(found[1]) == pytest.approx(int(expected[1]), abs=1)
