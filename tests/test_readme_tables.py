"""The tables of README.md and of the rooms are those of the raw results in datasets/results, to the letter."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from sciml.errors import DataFormatError


@pytest.fixture(scope="module")
def make_table(repository: Path):
    location = importlib.util.spec_from_file_location("make_table", repository / "tools" / "make_table.py")
    module = importlib.util.module_from_spec(location)
    location.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tmp_path: Path) -> tuple[Path, Path]:
    """A README with an empty table, and results without a single measurement."""
    results = tmp_path / "results"
    results.mkdir()
    plan = {"small": 64, "medium": 128, "large": 256, "seeds": [100, 102], "jump_seeds": [100, 104], "quick": False}
    packages = dict.fromkeys(("numpy", "scipy", "numba", "pyamg"), "1.0")
    origin = {"processor": "abacus", "cores": 2, "python": "3.11", "packages": packages}
    raw = {"name": "poisson", "environment": origin, "plan": plan, "rtol": 1e-6, "jobs": {}}
    (results / "poisson.json").write_text(json.dumps(raw))
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- table:poisson -->\n<!-- /table -->\nafter\n")
    return readme, results


def test_the_pages_show_what_was_measured(make_table, repository: Path) -> None:
    faults = make_table.stale(make_table.pages(repository), repository / "datasets" / "results")
    assert not faults, "\n".join(faults)


def test_a_table_is_stale_until_it_is_made(make_table, clone) -> None:
    readme, results = clone
    assert "differ" in make_table.stale([readme], results)[0]
    readme.write_text(make_table.with_tables(readme.read_text(), results))
    assert make_table.stale([readme], results) == []
    assert readme.read_text().startswith("before\n") and readme.read_text().endswith("-->\nafter\n")
    assert "iterations, thin walls, 64³ and 128³ | ≤ 13 / 16 | 9 / 10 | not measured" in readme.read_text()


def test_a_number_changed_by_hand_is_found(make_table, clone) -> None:
    readme, results = clone
    readme.write_text(make_table.with_tables(readme.read_text(), results).replace("not measured", "5", 1))
    assert "differ" in make_table.stale([readme], results)[0]


def test_results_without_a_marker_and_a_marker_without_results_are_found(make_table, clone) -> None:
    readme, results = clone
    marked = readme.read_text()
    readme.write_text("no table\n")
    assert "no page has a marker" in make_table.stale([readme], results)[0]
    (results / "poisson.json").unlink()
    assert make_table.stale([readme], results) == []
    readme.write_text(marked)
    assert make_table.stale([readme], results) == []  # nothing is shown, nothing is measured
    readme.write_text(marked.replace("-->\n<!--", "-->\n| 5 |\n<!--"))
    assert "there is no results/poisson.json" in make_table.stale([readme], results)[0]


def test_a_table_stands_on_one_page_which_may_be_that_of_a_room(make_table, clone) -> None:
    readme, results = clone
    room = readme.parent / "sciml" / "linalg" / "README.md"
    room.parent.mkdir(parents=True)
    room.write_text(make_table.with_tables(readme.read_text(), results))
    readme.write_text("no table\n")
    assert make_table.pages(readme.parent) == [readme, room]
    assert make_table.stale([readme, room], results) == []
    room.write_text(room.read_text().replace("not measured", "5", 1))
    (fault,) = make_table.stale([readme, room], results)
    assert "linalg/README.md differ" in fault
    readme.write_text("<!-- table:poisson -->\n<!-- /table -->\n")
    room.write_text(readme.read_text())
    assert "2 pages show the table poisson" in make_table.stale([readme, room], results)


def test_a_file_that_holds_no_results_is_refused(make_table, clone) -> None:
    readme, results = clone
    (results / "poisson.json").write_text('{"name": "poisson"}')
    with pytest.raises(DataFormatError, match="holds no results"):
        make_table.with_tables(readme.read_text(), results)
