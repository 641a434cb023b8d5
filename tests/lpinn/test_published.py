"""The published method: its loss, what is wrong in it, its read-out and errors, and ``sciml solve`` of it."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sciml.errors import CharacteristicCrossingError, ConfigError, InputError
from sciml.lpinn import Convection, SolidBodyRotation, StandardBurgers, VariableConvection, ViscousBurgers
from sciml.lpinn.published.form import LabelDiffusion, PublishedNetwork, SoftCharacteristics, label_diffusion_floor
from sciml.lpinn.published.task import InterpolatedField, PublishedLagrangian, spectral_error
from sciml.lpinn.readout import relative_error
from sciml.mesh import read_series
from sciml.numerics.derivatives import Jet, coordinates, jet_of
from sciml.numerics.random import seeded
from sciml.reference.burgers_cole_hopf import periodic_burgers
from sciml.training.config import Config, config_from_values, load_config
from sciml.training.run import evaluate, load_task, train

TURN = 2 * math.pi


@pytest.fixture(scope="module", autouse=True)
def quick():
    """One thread, and errors at few points."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.lpinn.readout.error_norms.EVALUATION", {1: (64, 9)})
        yield
    torch.set_num_threads(threads)


class Known(nn.Module):
    """A function of label (the angle, on a circle of 2 pi) and time in the place of the network."""

    def __init__(self, function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], scale: float = 1.0) -> None:
        super().__init__()
        self.function, self.scale = function, scale

    def forward(self, points: Tensor, order: int = 0, directions: Tensor | None = None) -> Jet:
        def both(at: Tensor) -> Tensor:
            return self.scale * torch.cat(self.function(at[:, :1], at[:, 1:]), 1)

        return jet_of(both, points, order, directions)


def drifting(speed: float, viscosity: float = 0.0) -> Known:
    """What is added to the label, and the state, of convection and diffusion from a sine."""
    return Known(lambda label, time: (speed * time, torch.exp(-viscosity * time) * torch.sin(label)))


# The network


def test_the_trunk_of_the_official_code_has_three_layers_and_one_output_for_both():
    network = PublishedNetwork()
    assert sum(weight.numel() for weight in network.parameters()) == (3 + 1) * 50 + 2 * 51 * 50 + 51
    first, second, third = network.branches[0]
    points = torch.rand(7, 2)
    hidden = torch.cat([torch.cos(points[:, :1]), torch.sin(points[:, :1]), points[:, 1:]], 1)
    hidden = torch.tanh(second(torch.tanh(first(hidden))))
    position = network.last[0](hidden)
    for _ in range(3):
        hidden = torch.tanh(third(hidden))
    assert torch.allclose(network(points), torch.cat([position, network.last[0](hidden)], 1), atol=1e-6)


def test_two_branches_have_no_common_weights():
    network = PublishedNetwork(shared=False).double()
    assert sum(weight.numel() for weight in network.parameters()) == 2 * (4 * 50 + 51) + (1 + 4) * 51 * 50
    points = torch.rand(5, 2, dtype=torch.float64)
    position, state = network(points).sum(0)
    for value, ours in ((position, network.branches[0]), (state, network.branches[1])):
        weights = list(network.branches.parameters())
        grads = torch.autograd.grad(value, weights, retain_graph=True)
        used = {id(weight) for weight, grad in zip(weights, grads, strict=True) if bool(grad.any())}
        assert used == {id(weight) for weight in ours.parameters()}


@pytest.mark.parametrize("shared", [True, False])
def test_derivatives_of_the_network_are_those_of_differentiation(shared):
    network = PublishedNetwork(width=9, shared=shared).double()
    points = torch.rand(6, 2, dtype=torch.float64)
    directions = torch.tensor([[1.0, 0.0], [0.3, -1.0]], dtype=torch.float64)
    found, known = network(points, 2, directions), jet_of(network, points, 2, directions)
    assert torch.allclose(found.rows, known.rows, atol=1e-12)


# The loss


@pytest.mark.parametrize("viscosity", [0.0, 0.1])
def test_the_loss_of_exact_characteristics_vanishes_if_the_label_is_added(viscosity):
    form = SoftCharacteristics(Convection(50.0, viscosity), adds_label=True, labels=16, times=5)
    terms = form.terms(drifting(50.0, viscosity), form.lattice())
    assert list(terms) == ["position", "state", "start"]
    assert all(float(term) < 1e-11 for term in terms.values())


def test_without_the_label_no_network_meets_the_start_at_the_wrap():
    form, bound = SoftCharacteristics(Convection(50.0), labels=64, times=4), math.sqrt(2) * math.pi
    for seed in range(5):
        with seeded(seed):
            network = PublishedNetwork(width=8).double()
        for weight in network.parameters():
            weight.data *= 3
        assert float(form.terms(network, form.lattice())["start"].detach()) >= bound - 1e-9

    # all the other labels can be met: the bound is reached by half the circle at the wrap
    def best(angle: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        at_wrap = (torch.cos(angle) > 1 - 1e-12).to(angle)
        return torch.atan2(-torch.sin(angle), -torch.cos(angle)) * (1 - at_wrap) + math.pi, torch.sin(angle)

    assert float(form.terms(Known(best), form.lattice())["start"]) == pytest.approx(bound, abs=1e-9)


def test_norms_are_not_squared():
    form = SoftCharacteristics(Convection(0.0), adds_label=True, labels=16, times=5)

    def off(angle: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sin(angle) * (0.3 + time), torch.sin(angle) + torch.cos(angle) * (0.1 + time)

    def doubled(angle: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        position, state = off(angle, time)
        return 2 * position, 2 * state - torch.sin(angle)

    once, twice = (form.terms(Known(function), form.lattice()) for function in (off, doubled))
    for name, term in once.items():
        assert float(term) > 0.1 and float(twice[name]) == pytest.approx(2 * float(term), rel=1e-12)
    labels = form.lattice()[:16, 0].numpy()
    known = 0.3 * np.linalg.norm(np.sin(labels)) + 0.1 * np.linalg.norm(np.cos(labels))
    assert float(once["start"]) == pytest.approx(known, rel=1e-12)


def test_burgers_solves_the_equations_of_physical_diffusion_and_not_those_by_label():
    problem, moment = ViscousBurgers(0.5, 0.1), 0.7

    def touching(label: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Labels in any order but one, which move with the exact solution at one moment, and carry it."""
        here = label + 0.3 * torch.sin(label)
        position = here + (time - moment) * problem.exact(here, moment)
        return position - label, periodic_burgers(position, time, 0.1, problem.initial_series)

    labels = torch.linspace(0.5, 6.0, 12, dtype=torch.float64)[:, None]
    points = torch.cat([labels, torch.full_like(labels, moment)], 1)
    for diffusion, least, most in (("physical", 0.0, 1e-10), ("label", 1e-2, 1.0)):
        form = SoftCharacteristics(problem, diffusion, adds_label=True)
        moved, changed = form.residuals(form.motion(Known(touching), points, 2))
        assert float(moved.abs().max()) < 1e-12
        assert least <= float(changed.abs().max()) < most


def test_diffusion_by_label_is_right_where_the_speed_is_constant():
    for diffusion in ("label", "physical"):
        form = SoftCharacteristics(Convection(3.0, 0.2), diffusion, adds_label=True, labels=16, times=5)
        moved, changed = form.residuals(form.motion(drifting(3.0, 0.2), form.lattice(), 2))
        assert float(moved.abs().max()) < 1e-12 and float(changed.abs().max()) < 1e-12


def test_lengths_of_the_circle_and_sources_count():
    class Fed(StandardBurgers):
        def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
            return 0 * x + 2.0

    form = SoftCharacteristics(Fed(0.1), adds_label=True, labels=9, times=4)
    assert form.length == 2.0 and form.lattice()[:9, 0].tolist() == pytest.approx(np.linspace(-1, 1, 9))
    waves = Known(lambda angle, time: (0 * angle, torch.cos(angle)))
    _, changed = form.residuals(form.motion(waves, form.lattice(), 2))
    assert torch.allclose(changed, -2 + 0.1 * math.pi**2 * torch.cos(math.pi * (form.lattice()[:, :1] + 1)))


# What diffusion by label leaves


@pytest.mark.parametrize(("viscosity", "error"), [(0.1, 5.45e-2), (0.05, 3.70e-2), (0.01, 1.26e-2)])
def test_diffusion_by_label_is_off_by_some_per_cent_for_burgers(viscosity, error):
    assert label_diffusion_floor(ViscousBurgers(0.0, viscosity), times=21) == pytest.approx(error, rel=5e-3)


def test_its_closed_form_solves_its_equations():
    problem = ViscousBurgers(0.7, 0.05, cosines=(0.1, 0.2), sines=(0.5,))
    form, solution = SoftCharacteristics(problem, adds_label=True), LabelDiffusion(problem)
    points = torch.rand(9, 2, dtype=torch.float64)

    def known(label: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        decay = [torch.exp(-0.05 * number**2 * time) for number in (1, 2)]
        waves = (0.1 * torch.cos(label) + 0.5 * torch.sin(label), 0.2 * torch.cos(2 * label))
        shift = sum((1 - d) / (0.05 * n**2) * wave for n, d, wave in zip((1, 2), decay, waves, strict=True))
        return 0.7 * time + shift, 0.7 + decay[0] * waves[0] + decay[1] * waves[1]

    moved, changed = form.residuals(form.motion(Known(known), points, 2))
    assert float(moved.abs().max()) < 1e-12 and float(changed.abs().max()) < 1e-12
    labels = points[:, :1]
    added, carried = known(labels, torch.full_like(labels, 0.6))
    position, state = solution.follow(labels, 0.6)
    assert torch.allclose(position, labels + added, atol=1e-13) and torch.allclose(state, carried, atol=1e-13)
    assert torch.allclose(solution(position, 0.6), state, atol=1e-13)


def test_without_viscosity_it_is_exact_until_characteristics_cross():
    solution = LabelDiffusion(ViscousBurgers(2.0, 0.0, duration=1.5))
    points = torch.linspace(0, 6, 50, dtype=torch.float64)[:, None]
    assert relative_error(solution, [0.3, 0.9], points) < 1e-9
    with pytest.raises(CharacteristicCrossingError, match=r"crossed before t = 1\.2: the smallest J is -0\.2"):
        solution(points, 1.2)
    with pytest.raises(InputError, match="for ViscousBurgers, got Convection"):
        LabelDiffusion(Convection())


# The read-out


def bent(labels: int, readout: str, adds_label: bool = True) -> InterpolatedField:
    """X = label + 0.4 sin label, and a wave on it."""
    function = Known(lambda angle, time: (0.4 * torch.sin(angle), torch.sin(angle + 0.3)))
    return InterpolatedField(SoftCharacteristics(Convection(0.0), "label", adds_label, labels), function, readout)


@pytest.mark.parametrize(("readout", "order", "slack"), [("linear", 2, 0.2), ("spline", 4, 0.3)])
def test_the_read_out_has_its_order(readout, order, slack):
    labels = torch.linspace(0, TURN, 1001, dtype=torch.float64)[:, None]
    points = labels + 0.4 * torch.sin(labels)
    known = torch.sin(labels + 0.3)
    errors = [float((bent(n + 1, readout)(points, 0.5) - known).norm()) for n in (64, 128, 256)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=slack)


@pytest.mark.parametrize("readout", ["linear", "spline"])
def test_the_read_out_is_periodic_and_nothing_is_extrapolated(readout):
    form = SoftCharacteristics(Convection(50.0), adds_label=True, labels=512)
    field = InterpolatedField(form, drifting(50.0), readout)
    points = torch.linspace(0, TURN, 97, dtype=torch.float64)[:, None]
    for time in (0.0, 0.37, 1.0):
        assert torch.allclose(field(points, time), form.problem.exact(points, time), atol=3e-5)
        assert torch.allclose(field(points + TURN, time), field(points, time), atol=1e-12)


def test_characteristics_that_cross_are_a_sentence_unless_they_are_sorted_as_published():
    inviscid = Known(lambda angle, time: (time * torch.sin(angle), torch.sin(angle)))
    points = torch.linspace(0, 6, 5, dtype=torch.float64)[:, None]
    for readout in ("linear", "spline"):
        form = SoftCharacteristics(ViscousBurgers(0.0, 0.0, duration=2.0), adds_label=True, labels=129)
        field = InterpolatedField(form, inviscid, readout)
        assert field.crossed(0.9) == 0 and field.stretch(0.9) == pytest.approx(0.1)
        field(points, 0.9)
        with pytest.raises(CharacteristicCrossingError, match=r"crossed before t = 1\.5 near the label 3\.093"):
            field(points, 1.5)
    wrapped = bent(65, "linear", adds_label=False)
    assert wrapped.crossed(0.0) == 0.5  # what goes up comes down
    assert bool(wrapped(points, 0.0).isfinite().all())
    with pytest.raises(CharacteristicCrossingError):
        bent(65, "spline", adds_label=False)(points, 0.0)


def test_the_published_error_is_the_largest_singular_value_of_the_inner_points():
    form = SoftCharacteristics(Convection(1.0), adds_label=True, labels=64, times=12)
    field = InterpolatedField(form, Known(lambda angle, time: (time, torch.sin(angle) * (1 + 0.1 * time))))
    points, times = form.lattice()[2:62, :1], np.linspace(0, 1, 12)
    exact = torch.cat([form.problem.exact(points, time) for time in times], 1)
    off = torch.cat([field(points, time) for time in times], 1) - exact
    largest = [math.sqrt(float(torch.linalg.eigvalsh(matrix @ matrix.T).max())) for matrix in (off, exact)]
    assert spectral_error(field) == pytest.approx(largest[0] / largest[1], rel=1e-9)
    assert spectral_error(field) == pytest.approx(relative_error(field, list(times), points), rel=0.5)


# The task


def values_of(seed: int = 0, phases: list[dict[str, Any]] | None = None, **arguments: Any) -> dict[str, Any]:
    task = {
        "problem": {"class_path": "sciml.lpinn.Convection", "init_args": {"speed": 1.0}},
        "network": {"class_path": "sciml.lpinn.PublishedNetwork", "init_args": {"width": 12, "state_layers": 3}},
        "labels": 24,
        "times": 5,
        "output": {"grid": [40], "times": 3, "animation": False},
        **arguments,
    }
    adam = {"epochs": 2, "optimizer": "adam", "learning_rate": 0.01, "options": {"amsgrad": True}}
    lbfgs = {"epochs": 2, "optimizer": "lbfgs", "learning_rate": 0.01, "options": {"line_search_fn": None}}
    weights = {"position": 10.0, "state": 1.0, "start": 1000.0}
    return {
        "title": "as published",
        "seed": seed,
        "task": {"class_path": "sciml.lpinn.PublishedLagrangian", "init_args": task},
        "training": {"updates_per_batch": 5, "weights": weights, "phases": phases or [adam, lbfgs]},
        "trainer": {"accelerator": "cpu"},
    }


def config_of(**arguments: Any) -> Config:
    return config_from_values(values_of(**arguments), "published.yaml")


def state_of(folder: Path) -> dict[str, bytes]:
    found = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {name: value.numpy().tobytes() for name, value in found["state_dict"].items()}


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr(PublishedLagrangian, "draw", lambda *arguments: None)
    monkeypatch.setattr("sciml.plots.training_history", lambda *arguments, **words: None)


def test_a_short_training_comes_near_a_slow_wave(tmp_path):
    phases = [{"epochs": 2, "optimizer": "adam", "learning_rate": 0.01, "options": {"amsgrad": True}}]
    values = values_of(phases=phases)
    values["training"]["updates_per_batch"] = 200
    metrics = train(config_from_values(values, "published.yaml"), tmp_path / "run")["metrics"]
    assert next(iter(metrics)) == "relative_l2"
    assert 0 < metrics["relative_l2"] < 0.4 and 0 < metrics["relative_spectral"] < 0.4  # nothing at all would have 1
    assert 0 < metrics["largest_share_crossed"] < 0.4 and metrics["smallest_stretch"] < 0  # the wrap
    assert metrics["loss/start"] > math.sqrt(2) * math.pi
    assert {path.name for path in (tmp_path / "run" / "figures").iterdir()} == {
        "characteristics.png",
        "history.png",
        "u.png",
    }
    assert read_series(tmp_path / "run" / "fields.xdmf")["u"].values.shape == (3, 40)
    task = load_task(tmp_path / "run")
    assert {weight.dtype for weight in task.parameters()} == {torch.float32}
    assert task.lattice.dtype == torch.float64
    assert evaluate(tmp_path / "run")["relative_spectral"] == metrics["relative_spectral"]


class Stopped(BaseException):
    """Stands for a kill: nothing of ours catches it."""


DECAYING = {"class_path": "sciml.lpinn.Convection", "init_args": {"speed": 0.5, "viscosity": 0.1}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(config_of(problem=DECAYING), folder)
    return folder


@pytest.mark.parametrize("evaluation", [7, 12, 140])  # of the loss: in Adam, in L-BFGS after 10, in its second epoch
def test_both_phases_go_on_to_the_same_bits(whole, tmp_path, no_pictures, evaluation):
    real, calls = SoftCharacteristics.terms, []

    def counted(self, *arguments):
        calls.append(1)
        if len(calls) == evaluation:
            raise Stopped
        return real(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SoftCharacteristics, "terms", counted)
        with pytest.raises(Stopped):
            train(config_of(problem=DECAYING), tmp_path / "run")
    assert state_of(tmp_path / "run") != state_of(whole)
    train(config_of(problem=DECAYING), tmp_path / "run", resume=True)
    assert state_of(tmp_path / "run") == state_of(whole)


@pytest.mark.parametrize("diffusion", ["label", "physical"])
def test_both_precisions_and_the_corrections_run(tmp_path, no_pictures, diffusion):
    arguments = {"adds_label": True, "diffusion": diffusion, "readout": "spline", "problem": DECAYING}
    values = values_of(phases=[{"epochs": 2, "optimizer": "adam"}], **arguments)
    values["task"]["init_args"]["network"]["init_args"]["shared"] = False
    losses = []
    for precision in ("32-true", "64-true"):
        values["trainer"]["precision"] = precision
        config = config_from_values(values, "published.yaml")
        train(config, tmp_path / precision)
        rows = list(csv.DictReader((tmp_path / precision / "metrics.csv").open()))
        losses.append([float(row["loss/start"]) for row in rows])
        assert {w.dtype for w in load_task(tmp_path / precision).parameters()} == {
            torch.float32 if precision == "32-true" else torch.float64
        }
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-3)


def test_a_problem_without_a_solution_is_watched_by_its_loss(tmp_path, no_pictures, monkeypatch):
    monkeypatch.setattr(VariableConvection, "exact", lambda self, x, t: None)
    problem = {"class_path": "sciml.lpinn.VariableConvection", "init_args": {"duration": 0.5}}
    metrics = train(config_of(problem=problem), tmp_path / "run")["metrics"]
    assert "relative_spectral" not in metrics and metrics["val/loss"] > 0


def test_what_is_wrong_is_told_before_training():
    wrap, law = "wrong by half of that at both ends", "off by 1 to 5 % for Burgers' equation"
    assert wrap in PublishedLagrangian(Convection()).describe()
    assert "Note" not in PublishedLagrangian(Convection(50.0, 0.1), adds_label=True).describe()
    assert law in PublishedLagrangian(ViscousBurgers()).describe()
    right = PublishedLagrangian(ViscousBurgers(), diffusion="physical", adds_label=True).describe()
    assert right == "ViscousBurgers as published, 256 labels at 100 times"


WRONG = {
    "unknown diffusion": ({"diffusion": "labels"}, "diffusion"),
    "physical diffusion of a periodic position": (
        {"diffusion": "physical", "problem": {"class_path": "sciml.lpinn.ViscousBurgers"}},
        "X_xi = 0 somewhere, by which physical diffusion divides; set adds_label to true",
    ),
    "two dimensions": (
        {"problem": {"class_path": "sciml.lpinn.SolidBodyRotation"}, "output": None},
        "expected a periodic interval, as the published form requires; use SpaceTimeFitting",
    ),
    "few labels": ({"labels": 3}, "labels is 3, expected a whole number of at least 4"),
    "few times": ({"times": 1}, "times is 1, expected a whole number of at least 4"),
    "unknown readout": ({"readout": "cubic"}, "readout"),
    "no layers": (
        {"network": {"class_path": "sciml.lpinn.PublishedNetwork", "init_args": {"position_layers": 0}}},
        "position_layers of a network is 0, expected a whole number of at least 1",
    ),
    "diagnostics": ({"output": {"diagnostics": True}}, "no diagnostics, which only SpaceTimeFitting provides"),
}


@pytest.mark.parametrize(("changes", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_go_together_is_refused_before_the_run(changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as refused:
        config_of(**changes).build_task()
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_what_python_is_given_is_checked_too():
    with pytest.raises(InputError, match="diffusion is 'heat', expected one of label, physical"):
        SoftCharacteristics(Convection(), "heat")
    with pytest.raises(InputError, match="the read-out is 'cubic', expected one of linear, spline"):
        PublishedLagrangian(Convection(), readout="cubic")
    with pytest.raises(InputError, match="expected a periodic interval"):
        SoftCharacteristics(SolidBodyRotation())


@pytest.mark.parametrize("name", ["convection_paper", "convection_paper_cpu"])
def test_the_shipped_cases_are_as_published(name):
    config = load_config(f"lpinn/{name}", [])
    task, training = config.build_task(), config.training
    assert isinstance(task, PublishedLagrangian)
    assert not task.form.adds_label and task.form.diffusion == "label" and task.readout == "linear"
    assert training.weights == {"position": 10, "state": 1, "start": 1000}
    adam, lbfgs = training.phases
    assert (adam.learning_rate, adam.options, lbfgs.learning_rate) == (0.01, {"amsgrad": True}, 0.01)
    assert lbfgs.options["line_search_fn"] is None and lbfgs.epochs * training.updates_per_batch == 100
    assert config.trainer["precision"] == "32-true"
    assert sum(weight.numel() for weight in task.parameters()) == 5351
    if name == "convection_paper":
        assert (task.form.labels, task.form.times, task.form.problem.speed) == (256, 100, 50)
        assert adam.epochs * training.updates_per_batch == 1_000_000
    terms = task.loss(0)
    assert all(math.isfinite(float(term.detach())) and term.dtype == torch.float32 for term in terms.values())


def test_the_lattice_begins_with_the_start_and_has_both_ends():
    lattice = SoftCharacteristics(Convection(), labels=5, times=4).lattice()
    assert lattice.shape == (20, 2) and bool((lattice[:5, 1] == 0).all())
    assert lattice[:5, 0].tolist() == pytest.approx([0, TURN / 4, TURN / 2, 3 * TURN / 4, TURN])
    assert lattice[-1].tolist() == pytest.approx([TURN, 1])
    assert torch.equal(coordinates(lattice, 0).value, lattice)
