"""The pages of docs/results and the scoreboard of README.md are those of the raw results, to the letter."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest

from sciml import strict_json, strict_yaml
from sciml.bench.scoreboard import MARKED
from sciml.commands import published
from sciml.errors import DataFormatError


@pytest.fixture(scope="module")
def tool(repository: Path):
    location = importlib.util.spec_from_file_location("make_results", repository / "tools" / "make_results.py")
    module = importlib.util.module_from_spec(location)
    location.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tool, repository: Path, tmp_path: Path, monkeypatch) -> Path:
    """A repository with one benchmark, whose pages are made."""
    results = tmp_path / "datasets" / "results"
    results.mkdir(parents=True)
    shutil.copy(repository / "datasets" / "results" / "training.json", results)
    (tmp_path / "README.md").write_text("before\n<!-- scoreboard -->\n<!-- /scoreboard -->\nafter\n")
    monkeypatch.setattr(tool, "REPOSITORY", tmp_path)
    monkeypatch.setattr("sys.argv", ["make_results.py"])
    tool.main()
    return tmp_path


def test_the_pages_show_what_was_measured(tool, repository: Path) -> None:
    faults = tool.faults(repository)
    assert not faults, "\n".join(faults)


def test_the_readme_has_at_most_twelve_rows_and_every_method(repository: Path) -> None:
    table = MARKED.search((repository / "README.md").read_text())[2]
    rows = table.strip().splitlines()[2:]
    assert 7 <= len(rows) <= 12
    assert {row.split("|")[1].strip() for row in rows} >= {"multigrid", "DCDM", "INSR", "LPINN", "CGS", "HC-MoE", "GFI"}


def test_the_readme_features_no_checks_of_correctness_and_says_which_competitor_was_missing(repository: Path) -> None:
    readme = (repository / "README.md").read_text()
    cases = [row.split("|")[2] for row in MARKED.search(readme)[2].splitlines()[2:]]
    # The Lagrangian frame is exact at a constant speed, and a scheme that does nothing on Taylor-Green vortices.
    assert not [case for case in cases if re.search(r"speed \d+,|Taylor-Green", case)]
    boxes = [case for case in cases if ", box" in case]
    assert boxes and all("among iterative solvers" in case for case in boxes)
    assert "the fast transform" in readme and "faster still" in (repository / "docs/results/dcdm.md").read_text()


def test_rows_that_we_lose_stay_on_the_scoreboard(repository: Path) -> None:
    rows = (repository / "docs" / "results" / "index.md").read_text().splitlines()
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows if row.startswith("| ")][2:]
    lost = {method for method, _, _, ours, classical, *_ in cells if "**" in classical and "**" not in ours}
    assert lost >= {"DCDM", "INSR", "LPINN", "multigrid"}
    for *_, command in cells:
        assert re.fullmatch(r"`sciml bench \w+( --only [\w-]+)*`", command)


def test_pages_are_current_once_they_are_made_and_a_number_changed_by_hand_is_found(tool, clone: Path) -> None:
    assert tool.faults(clone) == []
    readme, page = clone / "README.md", clone / "docs" / "results" / "training.md"
    assert readme.read_text() == "before\n<!-- scoreboard -->\n" + MARKED.search(readme.read_text())[2] + (
        "<!-- /scoreboard -->\nafter\n"
    )
    page.write_text(page.read_text().replace("1.12", "1.02", 1))
    assert tool.faults(clone) == ["docs/results/training.md differs from the results; run tools/make_results.py"]
    tool.main()
    assert tool.faults(clone) == []


def test_missing_pages_strange_pages_and_missing_markers_are_found(tool, clone: Path, monkeypatch) -> None:
    folder = clone / "docs" / "results"
    (folder / "training.md").rename(folder / "learning.md")
    (clone / "README.md").write_text("no table\n")
    faults = "\n".join(tool.faults(clone))
    assert "training.md is missing" in faults and "learning.md is not made from any results" in faults
    assert "README.md has no markers" in faults
    monkeypatch.setattr("sys.argv", ["make_results.py", "--check"])
    with pytest.raises(SystemExit, match=r"training\.md is missing"):
        tool.main()


def test_pages_have_no_limits(repository: Path) -> None:
    for page in (repository / "docs" / "results").glob("*.md"):
        assert "| must |" not in page.read_text()


def test_a_file_that_holds_no_results_is_refused(tool, clone: Path) -> None:
    (clone / "datasets" / "results" / "training.json").write_text(json.dumps({"name": "training"}))
    with pytest.raises(DataFormatError, match="holds no results of 'sciml bench training'"):
        tool.faults(clone)


def test_results_whose_jobs_hold_other_things_are_refused(tool, clone: Path) -> None:
    path = clone / "datasets" / "results" / "training.json"
    raw = json.loads(path.read_text())
    for job in ({}, {"group": []}, {"group": "overhead", "finished": 3}):
        path.write_text(json.dumps(raw | {"jobs": dict.fromkeys(raw["jobs"], job)}))
        with pytest.raises(DataFormatError, match="holds no results of 'sciml bench training'"):
            tool.faults(clone)


def test_what_is_published_names_no_folder_of_the_machine_that_it_was_made_on(repository: Path) -> None:
    results = sorted((repository / "datasets" / "results").glob("*.json"))
    cards = sorted((repository / "sciml").glob("*/weights/*.yaml"))
    assert results and cards
    for path in (*results, *cards):
        values = strict_json.read(path) if path.suffix == ".json" else strict_yaml.read(path)
        command = (values.get("environment") or values)["command"]
        assert command == published(command), f"{path.name}: {command}"
