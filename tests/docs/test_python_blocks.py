"""Every Python block of a page runs, in order, in a fresh namespace per page, and computes what the page says."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.mesh import read_mesh
from sciml.numerics.random import seeded
from tests.docs.pages import PAGES, Page, page

WITH_PYTHON = [each for each in PAGES if each.blocks("python")]
Check = Callable[[dict, str], None]


def heat_cools_as_it_must(names: dict, printed: str) -> None:
    vertices, time = names["problem"].domain.vertices, names["state"].time
    exact = names["problem"].exact(vertices, time)
    found = names["stepper"].fields(names["state"].weights)("u", vertices)
    assert float((found - exact).norm() / exact.norm()) < 3e-3
    assert len(printed.splitlines()) == 5 and time == pytest.approx(0.8)


def heat_is_in_the_file(names: dict, printed: str) -> None:
    mesh, (field,) = read_mesh("heat.vtu")
    assert field.values == pytest.approx(names["u"][:, 0].numpy())
    assert mesh.n_points == len(names["problem"].domain.vertices)


def the_pulse_is_that_of_the_paper(names: dict, printed: str) -> None:
    exact = names["stepper"].problem.exact(names["x"], names["state"].time)
    assert float((names["values"] - exact).norm() / exact.norm()) < 1e-3
    assert names["jet"].second.shape == (1, 101, 1)


def the_wave_moves_and_decays(names: dict, printed: str) -> None:
    assert names["error"] < 1e-5


def the_wind_carries_its_pulse(names: dict, printed: str) -> None:
    assert float(printed.split()[-1]) < 3e-4
    x = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    u = names["u"](x, 1.0)
    assert float(x[u.argmax()]) == pytest.approx((2 + math.sin(4) / 4) % 1, abs=0.01)
    assert float(u.max()) == pytest.approx(math.exp(-0.5), rel=0.01)


def all_baselines_answer(names: dict, printed: str) -> None:
    rows = [line.split() for line in printed.splitlines()]
    assert len(rows) == 6 and len({row[0] for row in rows}) == 5
    assert all(int(row[1]) <= 40 for row in rows)  # the budget counts updates: the machine plays no part
    for name, _, error in rows:
        assert float(error) < (0.3 if name == "DeepXdePinn" else 1e-3), name


def multigrid_takes_a_handful(names: dict, printed: str) -> None:
    assert names["result"].status == "converged" and names["result"].iterations <= 10


def few_directions_are_enough(names: dict, printed: str) -> None:
    ours, published, learned = (names[name] for name in ("ours", "published", "learned"))
    assert ours.iterations < published.iterations
    assert ours.status == learned.status == published.status == "converged"


def an_own_shape_is_solved(names: dict, printed: str) -> None:
    plate, own = names["plate"], names["own"]
    assert [line.split()[1] for line in printed.splitlines()] == ["converged"] * 2
    fluid = plate.fluid
    residual = (names["load"] - plate.matvec(own.x))[fluid]
    assert np.linalg.norm(residual) <= 1.01e-4 * np.linalg.norm(names["load"][fluid])
    assert own.x[fluid].min() > 0  # the maximum principle


def a_good_conductor_is_nearly_isothermal(names: dict, printed: str) -> None:
    found = names["temperature"]
    assert found.status == "converged" and found.iterations <= 12
    assert found.x.min() > 0 and np.ptp(found.x[names["sphere"]]) < 0.02 * np.ptp(found.x)


def a_run_is_a_field(names: dict, printed: str) -> None:
    u, field = (names["u"], names["field"]) if "field" in names else (None, names["u"])
    assert field.names == ("u",) and field.times == (0.0, pytest.approx(0.5))
    assert np.abs(names["residual"]).max() < 0.02  # of terms of size 1; the time step is 0.1
    assert u is None or "polynomials of degree 3 between them" in printed


def a_field_is_differentiated_further(names: dict, printed: str) -> None:
    points, field = names["points"].detach(), names["field"]
    ahead, back = (0.05 * field.gradient("u", points, 0.4 + side).square().mean() for side in (1e-4, -1e-4))
    assert float(names["by_time"]) == pytest.approx(float((ahead - back) / 2e-4), rel=1e-3)
    assert names["by_points"].shape == points.shape


def gradients_are_those_of_the_unrolled_iteration(names: dict, printed: str) -> None:
    arguments = [names[name].detach().requires_grad_() for name in "wb"]
    for name, exact in zip("wb", torch.autograd.grad(names["picard"](*arguments).sum(), arguments), strict=True):
        torch.testing.assert_close(names[name].grad, exact, rtol=1e-8, atol=0)


def the_hidden_law_is_found(names: dict, printed: str) -> None:
    diameter, length = names["law"].linear.weight[0].tolist()
    assert diameter == pytest.approx(2.5, abs=0.02) and length == pytest.approx(-0.5, abs=0.02)
    assert float((names["pressure"] - names["measured"]).abs().max()) < 1e-3


def coarse_pressures_fall_from_left_to_right(names: dict, printed: str) -> None:
    p = names["p"]
    assert p.shape == (8, 8) and 0 < p.min() < p.max() < 1 and (np.diff(p.mean(axis=1)) < 0).all()


def positive_weights_stay_within_the_bounds(names: dict, printed: str) -> None:
    assert names["problem"].negative > 0 and names["exact"].max() > 1.02
    assert names["learned"].min() >= 0 and names["learned"].max() <= 1 + 1e-9
    assert len(names["losses"]) == 100 and all(math.isfinite(loss) for loss in names["losses"])


def fixed_points_are_slow_where_factors_are_not(names: dict, printed: str) -> None:
    assert names["network"].n_pores == 737 and 11_000 < math.log(1e-8) / math.log(names["radius"]) < 13_000
    assert names["info"].method == "direct" and 0 < names["info"].error_bound.max() < 1e-10
    np.testing.assert_allclose(names["x"], names["network"].pressures(), atol=1e-9)


def start_and_mass_hold(names: dict, printed: str) -> None:
    assert "1 dependent" in printed
    grid = names["fields"].reshape(3, names["times"], names["cells"])
    np.testing.assert_allclose(grid[:, 0], names["start"].expand(3, -1), rtol=0, atol=1e-13)
    np.testing.assert_allclose(grid.mean(-1), 0.5, rtol=0, atol=1e-13)


def the_energy_holds(names: dict, printed: str) -> None:
    np.testing.assert_allclose(names["velocity"].square().mean(-1), 1, rtol=1e-13)


def heat_decays_at_the_rate(names: dict, printed: str) -> None:
    middle = math.exp(-0.1 * (math.pi**2 + 3.0))
    assert float(names["middle"].detach()) == pytest.approx(middle, rel=1e-6)
    assert float(names["rate"].grad[0]) == pytest.approx(-0.1 * middle, rel=1e-5)


def the_front_is_that_of_ablowitz_and_zeppetella(names: dict, printed: str) -> None:
    assert float(names["error"]) < 1e-3


def a_refined_map_is_nearer_to_the_truth(names: dict, printed: str) -> None:
    refined, start, truth = names["refined"], names["start"], names["truth"]
    assert refined.misfit < 0.05 * refined.start_misfit
    assert np.abs(refined.map - truth).mean() < 0.9 * np.abs(start - truth).mean()


# What is checked after the block of a page that holds a text.
def the_ball_rolls_to_both_sides(names: dict, printed: str) -> None:
    places, left = names["places"], names["left"]
    assert float(left.float().mean()) == pytest.approx(0.5, abs=0.08)
    assert float(places[left].mean()) == pytest.approx(-1.2, abs=0.1)
    assert float(places[~left].mean()) == pytest.approx(1.2, abs=0.1)
    assert float(places.abs().std()) < 0.3


def methods_have_their_orders(names: dict, printed: str) -> None:
    slopes = [math.log2(errors[-2] / errors[-1]) for errors in names["errors"].values()]
    assert slopes == pytest.approx([1, 2, 2, 2], abs=0.25)  # the third order starts with lower ones


def two_prompts_say_the_same(names: dict, printed: str) -> None:
    first, second = names["prompt"].flow, names["same"].flow
    assert first.outline == second.outline and first.reynolds() == pytest.approx(2 / 3 * 1.2 * 0.09 / 1e-3)
    assert first.velocity() == pytest.approx(second.velocity()) and "9 cm wide" in printed


def pulses_have_ensembles(names: dict, printed: str) -> None:
    found = names["evaluate"]("runs/pulses")
    pulses = names["pulse"]  # of the last one: it moves, by 0.02 to 0.06 of its box in each step
    still = np.linalg.norm(pulses[1:] - pulses[0]) / np.linalg.norm(pulses[1:])
    assert found["energy_score"] < 0.5 * still and found["spread_skill"] > 0.1
    assert f"'energy_score': '{found['energy_score']:.2f}'" in printed


CHECKS: dict[tuple[str, str], Check] = {
    ("README.md", "load_field"): a_run_is_a_field,
    ("docs/training.md", "print(field)"): a_run_is_a_field,
    ("docs/training.md", "torch.autograd.grad"): a_field_is_differentiated_further,
    ("docs/implicit.md", "x.sum().backward()  # w.grad"): gradients_are_those_of_the_unrolled_iteration,
    ("docs/constraints.md", "LinearConstraints("): start_and_mass_hold,
    ("docs/constraints.md", "nearest_point("): the_energy_holds,
    ("docs/generative.md", "class Velocity"): the_ball_rolls_to_both_sides,
    ("docs/generative.md", "ExactGaussian("): methods_have_their_orders,
    ("docs/methods/insr.md", "Pade22()"): the_pulse_is_that_of_the_paper,
    ("docs/methods/insr.md", "class HeatOnDisk"): heat_cools_as_it_must,
    ("docs/methods/insr.md", "heat.vtu"): heat_is_in_the_file,
    ("docs/methods/lpinn.md", "Convection(speed=50.0"): the_wave_moves_and_decays,
    ("docs/methods/lpinn.md", "class PulsatingWind"): the_wind_carries_its_pulse,
    ("docs/methods/lpinn.md", "DeepXdePinn"): all_baselines_answer,
    ("docs/methods/cgs.md", "radius ="): fixed_points_are_slow_where_factors_are_not,
    ("docs/methods/cgs.md", "def pipes"): the_hidden_law_is_found,
    ("docs/methods/cgs.md", "learned_transmissibilities(k)"): coarse_pressures_fall_from_left_to_right,
    ("docs/methods/cgs.md", "def sheared"): positive_weights_stay_within_the_bounds,
    ("docs/methods/hcmoe.md", "class Decay"): heat_decays_at_the_rate,
    ("docs/methods/hcmoe.md", "class Fisher"): the_front_is_that_of_ablowitz_and_zeppetella,
    ("docs/methods/text2pde.md", "same = read_prompt("): two_prompts_say_the_same,
    ("docs/methods/gfi.md", "refined = refine("): a_refined_map_is_nearer_to_the_truth,
    ("docs/methods/text2pde.md", "pulses.h5"): pulses_have_ensembles,
    ("docs/methods/linalg.md", "VoxelPoisson.from_cells(cells"): multigrid_takes_a_handful,
    ("docs/methods/linalg.md", "M.update"): multigrid_takes_a_handful,
    ("docs/methods/dcdm.md", "own = solve"): an_own_shape_is_solved,
    ("docs/methods/linalg.md", "temperature = solve"): a_good_conductor_is_nearly_isothermal,
    ("docs/methods/dcdm.md", "faithful=True"): few_directions_are_enough,
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small networks on a busy machine are fastest on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("each", WITH_PYTHON, ids=lambda each: each.name)
def test_the_python_blocks_of_a_page_run_in_order(each: Page, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in each.files().items():
        Path(name).write_text(text, encoding="utf-8")
    names: dict = {"__name__": "__main__"}
    with seeded(0):
        for number, code in enumerate(each.blocks("python")):
            exec(compile(code, f"{each.name}, block {number}", "exec"), names)
            printed = capsys.readouterr().out
            for (where, text), check in CHECKS.items():
                if where == each.name and text in code:
                    check(names, printed)


@pytest.mark.parametrize(("where", "text"), list(CHECKS), ids=lambda word: word)
def test_what_is_checked_is_on_its_page(where: str, text: str) -> None:
    assert any(text in code for code in page(where).blocks("python"))


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("docs/methods/dcdm.md", "own = solve"),
        ("docs/methods/insr.md", "class HeatOnDisk"),
        ("docs/methods/linalg.md", "temperature = solve"),
        ("docs/methods/lpinn.md", "class PulsatingWind"),
        ("docs/methods/cgs.md", "def pipes"),
        ("docs/methods/hcmoe.md", "class Fisher"),
        ("docs/methods/gfi.md", "refined = refine("),
        ("docs/methods/text2pde.md", "pulses.h5"),
    ],
)
def test_a_problem_of_ones_own_has_at_most_25_lines(where: str, text: str) -> None:
    (title,) = re.findall(r"^## A problem of your own: (.*)$", page(where).text, re.MULTILINE)
    code = page(where).block(text)
    imports = [node for node in ast.parse(code).body if isinstance(node, ast.Import | ast.ImportFrom)]
    lines = [line for line in code.splitlines() if line.strip()]
    assert title.endswith("in 25 lines")
    assert len(lines) - sum(node.end_lineno - node.lineno + 1 for node in imports) <= 25
