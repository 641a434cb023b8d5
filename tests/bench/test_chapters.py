"""The chapters of the demo: how they are found, and what a small run of each comes to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sciml import bench
from sciml.bench.chapters import (
    Chapter,
    Settings,
    chapter_names,
    demo_command,
    load_chapter,
    load_chapters,
    one_thread,
    solve_command,
)
from sciml.errors import InputError

PLUG_IN = """
from sciml.bench.chapters import Chapter, Story

class Extra(Chapter):
    title, about, minutes, position = "Extra", "About", 0.1, 0

    def run(self, folder, progress):
        return Story("done")

CHAPTER = Extra
"""


class Quiet:
    """Progress that is remembered."""

    def __init__(self) -> None:
        self.lines, self.shown = [], []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def show(self, text: str) -> None:
        self.shown.append(text)


def run(name: str, folder: Path, **settings):
    progress = Quiet()
    story = load_chapter(name)(Settings(quick=True, **settings)).run(folder, progress)
    assert progress.lines and story.failure is None
    assert len(story.pictures) == 4
    for picture in story.pictures:
        assert picture.path.read_bytes().startswith(b"\x89PNG") and picture.alt and picture.caption
    assert all(path.is_file() for path in story.files)
    assert all(len(row) == len(table.columns) for table in story.tables for row in table.rows)
    return story


def test_the_chapters_are_the_subpackages_that_have_one():
    folder = Path(bench.__file__).parent
    assert chapter_names() == sorted(path.parent.name for path in folder.glob("*/chapter.py"))
    assert {"insr", "lpinn", "poisson"} <= set(chapter_names())
    assert [chapter.position for chapter in load_chapters().values()] == sorted(
        chapter.position for chapter in load_chapters().values()
    )
    assert list(load_chapters(["lpinn"])) == ["lpinn"]


def test_each_chapter_states_what_the_reader_needs_beforehand():
    chapters = load_chapters().values()
    assert sum(chapter.minutes for chapter in chapters) <= 4.0
    for chapter in chapters:
        assert issubclass(chapter, Chapter) and chapter.title and len(chapter.about) > 40


def test_a_new_subpackage_brings_its_chapter_without_being_named_anywhere(tmp_path, monkeypatch):
    for name in ("extra", "no_chapter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "extra" / "chapter.py").write_text(PLUG_IN)
    (tmp_path / "loose.py").touch()
    monkeypatch.setattr(bench, "__path__", [*bench.__path__, str(tmp_path)])
    assert "extra" in chapter_names() and "no_chapter" not in chapter_names()
    try:
        assert next(iter(load_chapters())) == "extra"
    finally:
        for name in ("sciml.bench.extra.chapter", "sciml.bench.extra"):
            sys.modules.pop(name, None)


def test_finding_the_chapters_imports_none_of_them():
    code = (
        "import sys; from sciml.bench.chapters import chapter_names; chapter_names();"
        "print([m for m in sys.modules if m.endswith('.chapter') or m in ('torch', 'matplotlib', 'numba')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_chapter_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(InputError, match=r"'isnr', expected one of .*insr.*did you mean 'insr'"):
        load_chapter("isnr")


def test_the_tunnel_refuses_sizes_before_anything_is_computed():
    with pytest.raises(InputError, match="--size is 4, expected a whole number of at least 8"):
        load_chapter("poisson")(Settings(size=4))


def test_the_wind_is_made_free_of_divergence_and_the_solvers_agree(tmp_path):
    metrics = run("poisson", tmp_path, size=16).metrics
    assert next(iter(metrics)) == "divergence" and metrics["divergence"] <= 1e-6
    assert metrics["difference_to_pyamg"] < 1e-5
    assert metrics["largest_speed"] > 1.0, "the air that cannot go through goes faster around"


def test_insr_is_accurate_and_the_spectral_method_more_so(tmp_path):
    story = run("insr", tmp_path)
    metrics = story.metrics
    assert metrics["relative_l2"] < 1e-4
    assert metrics["fourier_relative_l2"] < metrics["relative_l2"]
    assert metrics["fourier_relative_l2"] < metrics["central_relative_l2"] < 1e-3 < metrics["upwind_relative_l2"]
    assert "classical method wins" in " ".join(story.text)


def test_lpinn_finds_the_shock_that_finite_volumes_smear(tmp_path):
    metrics = run("lpinn", tmp_path).metrics
    assert metrics["relative_l2"] < 1e-6
    assert 1e-3 < metrics["weno_fine_relative_l2"] < metrics["weno_coarse_relative_l2"] < 0.1


def test_cgs_finds_hidden_laws_and_a_better_coarse_grid(tmp_path):
    metrics = run("cgs", tmp_path).metrics
    assert 0 < metrics["mean_square_error"] < 0.2 * metrics["textbook_mean_square_error"]
    assert 0 < metrics["learned_rate_error"] < metrics["extended_rate_error"] < metrics["averages_rate_error"]


def test_coupled_experts_resolve_the_front_and_independent_ones_jump(tmp_path):
    metrics = run("hcmoe", tmp_path).metrics
    assert next(iter(metrics)) == "relative_l2" and metrics["relative_l2"] < 1e-3 * metrics["single_relative_l2"]
    assert metrics["coupled_jump"] < 1e-9 < 0.1 < metrics["independent_jump"]
    assert metrics["coupled_relative_l2"] < 0.5 * metrics["independent_relative_l2"]


def test_an_inversion_fits_the_records_and_needs_a_start(tmp_path):
    metrics = run("gfi", tmp_path).metrics
    assert next(iter(metrics)) == "mean_absolute_error" and 0 < metrics["misfit_ratio"] < 0.5
    assert 0 < metrics["full_band_mean_absolute_error"] < metrics["start_mean_absolute_error"]
    assert metrics["mean_absolute_error"] < metrics["rising_mean_absolute_error"]


def test_an_ensemble_from_one_frame_lies_between_the_solver_and_the_frame_itself(tmp_path):
    metrics = run("text2pde", tmp_path).metrics
    assert next(iter(metrics)) == "energy_score"
    for name in ("energy_score", "unknown_energy_score"):
        assert metrics["solver_energy_score"] < metrics[name] < 0.7 * metrics["persistence_energy_score"]


def test_the_command_of_a_run_can_be_pasted_whatever_its_folder_is_called():
    assert demo_command(Path("my runs/x")) == "sciml demo --only x -o 'my runs' --overwrite"
    assert solve_command("a/b", ["steps=2"], Path("my runs/x")) == "sciml solve a/b steps=2 -o 'my runs/x' --overwrite"


def test_one_thread_is_given_back():
    import torch

    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
