"""The classes of one's own on README.md and docs/own_problem.md: their files are written and their commands are run."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sciml.cli import main
from sciml.data import open_dataset
from sciml.mesh import read_mesh, read_series
from sciml.training.run import finished
from tests.docs.pages import REPOSITORY, page

PAGES = {"README.md": page("README.md"), "docs/own_problem.md": page("docs/own_problem.md")}


def the_front_follows_the_exact_one(folder: Path) -> None:
    assert finished(folder / "runs" / "fisher")["metrics"]["relative_l2"] < 5e-3
    fast = read_series(folder / "runs" / "fast" / "fields.xdmf")["u"]
    slow = read_series(folder / "runs" / "fisher" / "fields.xdmf")["u"]
    assert fast.values[-1].mean() > slow.values[-1].mean() + 0.05  # it has invaded more


def the_disc_keeps_its_heat(folder: Path) -> None:
    spread = []
    for name in ("disk_heat", "slow"):
        u = read_series(folder / "runs" / name / "fields.xdmf")["u"]
        inside = np.isfinite(u.values[0])
        means = [float(values[inside].mean()) for values in u.values]
        assert means[-1] == pytest.approx(means[0], rel=0.05)
        spread.append(float(u.values[-1][inside].std() / u.values[0][inside].std()))
    assert spread[0] < 0.7 * spread[1] < 0.7
    _, fields = read_mesh(folder / "u.vtu")
    assert [field.name for field in fields] == ["u"]


def the_wind_takes_half_of_it(folder: Path) -> None:
    u = read_series(folder / "runs" / "wind" / "fields.xdmf")["u"].values
    assert u[-1].mean() / u[0].mean() == pytest.approx(np.exp(-0.5), rel=1e-3)


def the_column_fills_at_the_rate_of_its_inlet(folder: Path) -> None:
    mass, late = {}, {}
    for name in ("column", "spread"):
        assert finished(folder / "runs" / name)["metrics"]["start_error"] < 1e-3
        u = read_series(folder / "runs" / name / "fields.xdmf")["u"]
        mass[name] = float(np.trapezoid(u.values[20], u.on.axes()[0]))
        late[name] = float(u.values[20, -1])
        assert u.times[20] == pytest.approx(0.3)
    assert mass["column"] == pytest.approx(0.3, abs=1e-3)  # all that entered is still there
    assert abs(late["column"]) < 1e-4 < 1e-3 < late["spread"]  # the front has not arrived
    assert len(read_series(folder / "u.xdmf").times) == 101


def the_surrogate_predicts(folder: Path) -> None:
    true = open_dataset(folder / "burgers.h5").read("u", 3)
    found = read_series(folder / "forecast.xdmf")["u"].values
    assert found.shape == true.shape and np.array_equal(found[0], true[0])
    one_step = np.linalg.norm(found[1] - true[1]) / np.linalg.norm(true[1] - true[0])
    assert one_step < 0.9  # nearer to the truth than the field before


def the_profiles_are_refined(folder: Path) -> None:
    found, true = np.load(folder / "velocities.npy"), np.load(folder / "others" / "model" / "model1.npy")[:, 0]
    assert found.shape == true.shape and 1500 <= found.min() < found.max() <= 4500
    # Absolute and square deviations over 1500 m/s: about 0.7 for a constant map, as of a network that has not learned.
    assert 0 < finished(folder / "runs" / "profiles")["metrics"]["loss/map"] < 0.4


# Page -> the first word of a file's name -> what is checked after its commands.
CHECKS: dict[tuple[str, str], Callable[[Path], None]] = {
    ("README.md", "fisher"): the_front_follows_the_exact_one,
    ("docs/own_problem.md", "disk_heat"): the_disc_keeps_its_heat,
    ("docs/own_problem.md", "wind"): the_wind_takes_half_of_it,
    ("docs/own_problem.md", "column"): the_column_fills_at_the_rate_of_its_inlet,
    ("docs/own_problem.md", "profiles"): the_profiles_are_refined,
    ("docs/own_problem.md", "surrogate"): the_surrogate_predicts,
}


def commands(where: str, stem: str) -> list[str]:
    """Return the commands of the shell block that names a file."""
    (block,) = (code for code in PAGES[where].blocks("sh") if f"--module {stem}.py" in code)
    return [line.split("  #")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize(("where", "stem"), list(CHECKS), ids=lambda word: word)
def test_the_commands_of_an_example_run(where, stem, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, text in PAGES[where].files().items():
        Path(name).write_text(text, encoding="utf-8")
    handler = signal.getsignal(signal.SIGTERM)
    for command in commands(where, stem):
        with pytest.raises(SystemExit) as left:
            main(shlex.split(command)[1:])
        assert left.value.code == 0, f"{command}: {capsys.readouterr().err}"
    signal.signal(signal.SIGTERM, handler)
    CHECKS[where, stem](tmp_path)
    for run in (tmp_path / "runs").iterdir():
        record = json.loads((run / "result.json").read_text())["config"]["modules"]
        assert [entry["name"] for entry in record] == [stem]
        assert list((run / "figures").glob("*.png")) and (run / "checkpoints" / "last.ckpt").is_file()


def test_every_file_of_the_pages_belongs_to_an_example():
    for where, each in PAGES.items():
        stems = {stem for place, stem in CHECKS if place == where}
        assert each.files().keys() == {f"{stem}.{ending}" for stem in stems for ending in ("py", "yaml")}


@pytest.mark.parametrize(("where", "stem"), list(CHECKS), ids=lambda word: word)
def test_an_example_is_short(where, stem):
    files = PAGES[where].files()
    code = [line for line in files[f"{stem}.py"].splitlines() if line.strip()]
    body = [line for line in code if not line.startswith(("import", "from", "#"))]
    assert len(body) <= 20 and len(files[f"{stem}.yaml"].splitlines()) <= 13


def test_the_picture_of_the_front_is_that_of_the_run():
    assert (REPOSITORY / "docs" / "images" / "fisher.png").stat().st_size < 150_000


@pytest.mark.parametrize("method", ["insr", "lpinn", "dcdm", "hcmoe", "gfi", "text2pde"])
def test_every_section_on_problems_of_ones_own_names_the_option(method):
    text = page(f"docs/methods/{method}.md").text
    section = text.partition("## A problem of your own")[2].partition("\n## ")[0]
    assert "--module" in section
