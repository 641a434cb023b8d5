"""``sciml demo`` and ``sciml list`` through the real entry point, and the surfaces they find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sciml.bench.chapters import Chapter, Settings, Story, Table
from sciml.cli import demo
from sciml.config_files import shipped_configs
from sciml.data.generators import GENERATORS
from sciml.linalg import VoxelPoisson
from sciml.linalg.sparse_files import read_system
from sciml.mesh import make_mesh, read_mesh, read_series, shipped, write_mesh
from sciml.reference.poisson_cases import CASES
from sciml.reference.wind_tunnel import WindTunnel
from sciml.weights import shipped as shipped_weights

SIZE = 16
FILES = {"environment.json", "poisson", "report.html", "result.json"}
OF_CHAPTER = {"comparison.png", "flow.h5", "flow.xdmf", "system.npz", "table.md"}


def command(repository: Path, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sciml", *map(str, words)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=3600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tour(repository, tmp_path_factory) -> tuple[Path, str]:
    """The folder and the output of a small tour around a ball."""
    folder = tmp_path_factory.mktemp("tour")
    write_mesh(folder / "ball.vtu", make_mesh("sphere", 2))
    done = command(repository, folder, "demo", "ball.vtu", "--size", SIZE, "--only", "poisson", "-o", "out")
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "out", done.stdout


def test_the_tour_leaves_every_file_it_announces(tour):
    folder, said = tour
    assert {path.name for path in folder.iterdir()} == FILES
    assert {path.name for path in (folder / "poisson").iterdir()} >= OF_CHAPTER
    assert all(name in said for name in [*(FILES - {"poisson"}), "flow.xdmf", "system.npz", "comparison.png"])
    assert (folder / "poisson" / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_the_flow_that_is_written_solves_the_system_that_is_written(tour):
    folder, _ = tour
    system = read_system(folder / "poisson" / "system.npz")
    problem = VoxelPoisson.from_cells(system.cells, spacing=system.spacing, outside=system.outside)
    series = read_series(folder / "poisson" / "flow.xdmf")
    assert series.on.shape == (SIZE,) * 3
    assert np.array_equal(series["cells"].values, system.cells)
    pressure = series["pressure"].values.astype(float)
    residual = np.linalg.norm(system.b - problem.matvec(pressure)) / np.linalg.norm(system.b)
    assert residual < 1e-5, "the fields are float32"
    tunnel = WindTunnel(system.cells == 2, system.spacing[0])
    velocity = tunnel.project(tunnel.start(), pressure)
    assert np.abs(tunnel.at_centres(velocity) - series["velocity"].values).max() < 1e-5
    assert not series["velocity"].values[tunnel.solid].any()


def test_the_obstacle_is_the_ball_in_the_middle(tour):
    folder, _ = tour
    solid = read_system(folder / "poisson" / "system.npz").cells == 2
    volume = solid.sum() / SIZE**3
    # a ball of diameter 0.55, grown by up to half a cell
    assert np.pi / 6 * 0.5**3 < volume < np.pi / 6 * (0.55 + 1 / SIZE) ** 3
    assert np.array_equal(solid, solid[:, ::-1]) and np.array_equal(solid, solid.transpose(1, 0, 2))


def test_the_result_says_that_the_wind_is_free_of_divergence_and_all_solvers_agree(tour):
    result = json.loads((tour[0] / "result.json").read_text())
    metrics = {name.removeprefix("poisson/"): value for name, value in result["metrics"].items()}
    assert result["status"] == "finished"
    assert next(iter(metrics)) == "divergence"
    assert metrics["divergence"] <= 1e-6
    assert metrics["difference_to_pyamg"] < 1e-5
    assert metrics["multigrid_iterations"] < metrics["pyamg_sa_cg_iterations"] < metrics["plain_cg_iterations"]
    assert all(value <= 1e-6 for name, value in metrics.items() if name.endswith("true_residual"))
    assert result["config"] == {"surface": "ball.vtu", "size": SIZE, "quick": False, "chapters": ["poisson"]}


def test_the_table_has_a_row_for_each_solver(tour):
    lines = (tour[0] / "poisson" / "table.md").read_text().splitlines()
    assert lines[0].startswith("| method | threads | iterations |")
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| multigrid", "| PyAMG SA + CG", "| plain CG"]


def test_the_command_that_the_tour_recommends_works(tour, repository, tmp_path):
    folder, said = tour
    assert "sciml precondition out/poisson/system.npz" in said
    done = command(repository, tmp_path, "precondition", folder / "poisson" / "system.npz", "--json")
    assert json.loads(done.stdout)["status"] == "converged"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["ball.vtu", "--size", "4", "-o", "new"], "--size"),
        (["ball.vtu", "-o", "full"], "is not empty"),
        (["absent.stl", "-o", "new"], "absent.stl"),
        (["flat.vtu", "-o", "new"], "surface"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_two_and_nothing_is_written(repository, tmp_path, words, reason):
    write_mesh(tmp_path / "ball.vtu", make_mesh("sphere", 1))
    write_mesh(tmp_path / "flat.vtu", make_mesh("cube", 1))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    done = command(repository, tmp_path, "demo", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("sciml: ")
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_surface_with_a_hole_is_closed_and_the_tour_says_so(tmp_path):
    from sciml.bench.poisson.chapter import tunnel_around
    from sciml.mesh import Mesh

    notes = []

    ball = make_mesh("sphere", 2)
    write_mesh(tmp_path / "open.vtu", Mesh(ball.points, {"triangle": ball.cells["triangle"][1:]}))
    write_mesh(tmp_path / "ball.vtu", Mesh(ball.points, {"triangle": ball.cells["triangle"]}))
    opened, closed = (tunnel_around(tmp_path / name, SIZE, notes)[2].solid for name in ("open.vtu", "ball.vtu"))
    assert notes[0].startswith("Warning: open.vtu is open. Each of its holes is closed with a cone of triangles")
    assert not any(note.startswith("Warning") for note in notes[1:])
    assert np.count_nonzero(opened != closed) <= 0.02 * np.count_nonzero(closed)


def test_a_flat_surface_is_warned_of_in_the_report_too(tmp_path):
    from sciml.bench.poisson.chapter import WindTunnelChapter
    from sciml.mesh import Mesh

    square = make_mesh("square", 3)
    sheet = np.column_stack([0.5 * np.ones(len(square.points)), square.points])
    write_mesh(tmp_path / "sheet.vtu", Mesh(sheet, {"triangle": square.cells["triangle"]}))

    class Silent:
        def say(self, line: str) -> None: ...

        def show(self, text: str) -> None: ...

    story = WindTunnelChapter(Settings(tmp_path / "sheet.vtu", SIZE)).run(tmp_path, Silent())
    warnings = [text for text in story.text if text.startswith("Warning: sheet.vtu is ")]
    assert len(warnings) == 2 and "is open" in warnings[0] and "is flat. Its thickness is 0 of a cell" in warnings[1]


def test_the_surface_of_the_tour_is_found_in_a_clone_and_among_installed_files(repository, tmp_path, monkeypatch):
    if not (repository / "datasets").is_dir():
        pytest.skip("this is no clone")
    found = shipped.shipped_surfaces()["trefoil"]
    assert found.is_file()

    class Installed(type(Path("share/sciml/surfaces/trefoil.ply"))):
        def locate(self) -> Path:
            return found

    monkeypatch.setattr(shipped, "_CLONE", tmp_path / "absent")
    listed = [Installed("share/sciml/surfaces/README.md"), Installed("share/sciml/surfaces/trefoil.ply")]
    monkeypatch.setattr(shipped.metadata, "files", lambda name: listed)
    assert shipped.shipped_surfaces() == {"trefoil": found}
    assert read_mesh(found)[0].n_cells == 7680


def test_the_lists_name_what_there_is(repository, tmp_path):
    done = command(repository, tmp_path, "list")
    assert (done.returncode, done.stderr) == (0, "")
    first_words = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    assert {
        "linear",
        "multigrid",
        "amg",
        "configs:",
        "Poisson",
        *CASES,
        "datasets",
        "trefoil",
        *GENERATORS,
    } <= first_words
    for config in shipped_configs():  # once, with its verb and what it takes
        rows = [line.split() for line in done.stdout.splitlines() if line.split()[:1] == [config]]
        assert len(rows) == 1 + (config in shipped_weights()) and rows[0][1] in ("solve", "train")
    assert "multigrid" not in command(repository, tmp_path, "list", "cases").stdout
    assert command(repository, tmp_path, "list", "everything").returncode == 2


class Fine(Chapter):
    title, about, minutes, position = "Fine", "A chapter that works", 0.1, 1

    def run(self, folder, progress):
        progress.say("working")
        (folder / "out.txt").write_text("x")
        return Story("It worked.", tables=[Table(("a", "b"), [("x", 1.0)])], metrics={"error": 0.5})


class Broken(Fine):
    title, position = "Broken", 2

    def run(self, folder, progress):
        raise RuntimeError("no luck")


class Poor(Fine):
    title, position = "Poor", 3

    def run(self, folder, progress):
        return Story("It did not converge.", failure="CG ended with the status maxiter", metrics={"error": 9.0})


class Stopped(Fine):
    title, position = "Stopped", 4

    def run(self, folder, progress):
        raise KeyboardInterrupt


@pytest.fixture
def small_demo(monkeypatch, tmp_path):
    """Run the demo with these chapters in a folder, and return its exit code and output."""

    def run(*chapters: type[Chapter]):
        monkeypatch.setattr(
            "sciml.bench.chapters.load_chapters", lambda names: {each.title.lower(): each for each in chapters}
        )
        return CliRunner().invoke(demo.app, ["-o", str(tmp_path / "out")])

    return run


def test_a_chapter_that_fails_does_not_lose_the_others(small_demo, tmp_path):
    done = small_demo(Fine, Broken, Poor, type("After", (Fine,), {"title": "After"}))
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    page = (tmp_path / "out" / "report.html").read_text()
    assert done.exit_code == 1
    assert (result["status"], result["failed"]) == ("failed", ["broken", "poor"])
    assert result["metrics"] == {"fine/error": 0.5, "poor/error": 9.0, "after/error": 0.5}
    assert "RuntimeError: no luck" in page and "2 of 4 chapters" in page and "status maxiter" in page
    assert "Failed: broken, poor" in done.output


def test_chapters_that_all_work_leave_report_tables_and_code_zero(small_demo, tmp_path):
    done = small_demo(Fine)
    assert done.exit_code == 0 and "working" in done.output
    assert json.loads((tmp_path / "out" / "result.json").read_text())["status"] == "finished"
    assert (tmp_path / "out" / "fine" / "table.md").read_text().startswith("| a | b |")
    assert "1 of 1 chapters" in (tmp_path / "out" / "report.html").read_text()


def test_an_interrupt_keeps_the_report_of_the_finished_chapters(small_demo, tmp_path):
    done = small_demo(Fine, Stopped)
    assert done.exit_code != 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "It worked." in page and "has not been run, because the demo was interrupted" in page
    assert not (tmp_path / "out" / "result.json").exists()
