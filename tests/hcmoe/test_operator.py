"""Operators that learn from an equation: what a batch of training holds, what the loss measures, refusals."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from sciml import hcmoe
from sciml.config_errors import Where
from sciml.data import DataField, DatasetWriter, Description, generate, open_dataset
from sciml.errors import ConfigError, DataFormatError, InputError
from sciml.hcmoe import (
    BatchedSettings,
    ConstrainedOperator,
    ConstraintSettings,
    PeriodicSettings,
    SorptionCases,
    SorptionFamily,
    VorticityCases,
)
from sciml.hcmoe.families.cases import each_case
from sciml.hcmoe.families.sorption_data import NAMES
from sciml.hcmoe.families.sorption_instances import instances_of
from sciml.mesh import Grid
from sciml.nets.fno import FourierNeuralOperator
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.numerics.random import generator, seeded
from sciml.reference.diffusion_sorption import Sorption, cell_centres, extrapolated
from sciml.training.config import Config, config_from_values
from sciml.training.run import finished, train
from sciml.training.settings import Phase, Training
from sciml.typed_values import TypedValues

MODES = ["soft", "hard", "experts"]
OWN = {"diffusivity": 4e-4, "coefficient": 5e-4}  # of instances that nothing generated
FINE = 400  # cells of reference solutions


def family(name: str = "paper", start: str = "grid", coupling: str = "windows", **options) -> SorptionFamily:
    settings = ConstraintSettings(start=start, coupling=coupling)
    return SorptionFamily(name, **{"times": 10, "cells": 12, "experts": (1, 2), "constraint": settings, **options})


def operator(mode: str = "soft", given: SorptionFamily | None = None, **options) -> ConstrainedOperator:
    given = given or family()
    with seeded(0):
        network = FourierNeuralOperator(options.pop("inputs", given.channels), 3, [3, 3], [6, 6, 6], 8)
    task = ConstrainedOperator(given, network, mode, **{"batch_size": 2, **options})
    task.prepare(Training([Phase(1)]), 0)
    return task


def solutions(given: SorptionFamily, starts: list[float]) -> tuple[dict, torch.Tensor]:
    """Return instances of the published family and their solutions by finite volumes on its grid."""
    times = given.problem.seconds * given.s.numpy() ** 2
    cells, found = np.concatenate([[0.0], cell_centres(FINE)]), []
    for start in starts:
        u = np.pad(extrapolated(start, FINE, times), ((0, 0), (1, 0)), constant_values=1.0)
        u[0, 0] = start
        found.append(CubicSpline(cells, u, 1)(given.y.numpy()))
    return instances_of([(start, Sorption()) for start in starts], given.y), torch.from_numpy(np.stack(found))


@pytest.mark.parametrize("name", ["paper", "wide"])
def test_there_is_no_solution_in_a_batch_of_training(name):
    data = SorptionCases(batches_per_epoch=3, family=name, cases=1, times=5, cells=9)
    assert list(data.train_dataloader()) == [0, 1, 2]
    task = operator(given=family(name))
    batch = task.sample(0)
    assert sorted(batch) == ["coefficient", "diffusivity", "exponent", "left", "start"]
    assert batch["start"].shape == (2, 12)
    assert ((batch["start"] > 0) & (batch["start"] < 0.2)).all()
    again = operator(given=family(name)).sample(7)  # a function of seed and update alone
    assert all(torch.equal(batch[each], again[each]) for each in batch)
    channels = task.family.inputs(batch)
    assert channels.shape == (2, 10, 12, task.family.channels) and float(channels.abs().max()) <= 1 + 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_the_named_terms_and_a_gradient(mode):
    task = operator(mode)
    terms = task.loss(task.sample(0))
    assert list(terms) == list(task.family.terms)
    gradients = torch.autograd.grad(sum(terms.values()), list(task.network.parameters()))
    assert all(bool(each.isfinite().all()) for each in gradients) and any(bool(each.any()) for each in gradients)


def test_experts_do_at_least_as_well_as_one_and_one_as_the_sum():
    """The sets of combinations contain one another; iterations are to the end."""
    given = family(training_solves=50)
    batch = given.sample(3, generator(0))
    sums = [sum(operator(mode, given).loss(batch).values()).detach() for mode in MODES]
    assert sums[2] < sums[1] < sums[0]


@pytest.mark.parametrize("mode", ["hard", "experts"])
@pytest.mark.parametrize("coupling", ["windows", "faces"])
def test_the_loss_has_the_derivative_of_the_least_sum_of_squares(mode, coupling):
    """Against differences of the minimum itself, along a random direction."""
    task = operator(mode, family(coupling=coupling, training_solves=60))
    batch, objective = task.sample(0), task._objectives["trained"]
    with torch.no_grad():
        outputs = task.network(task._inputs(batch)).double()
    draws = torch.randn(outputs.shape, dtype=torch.float64, generator=generator(1))

    def least(step: float) -> torch.Tensor:
        moved = (outputs + step * draws).requires_grad_()
        terms, _ = objective.squares(moved, batch, generator(0), task.guess)
        return sum(terms.values()), moved

    value, leaf = least(0.0)
    slope = float((torch.autograd.grad(value, leaf)[0] * draws).sum())
    step = 1e-5
    difference = float(least(step)[0] - least(-step)[0]) / (2 * step)
    assert slope == pytest.approx(difference, rel=1e-4)


def test_the_loss_measures_the_equation_and_not_the_trivial_solution():
    losses = []
    for times, cells in [(14, 16), (40, 48)]:
        given = family(times=times, cells=cells, start="rows")
        instances, exact = solutions(given, [0.05, 0.15])
        constant = instances["start"][:, None].expand_as(exact)
        still, solved = (sum(given.squares(u, instances).values()) for u in (constant, exact))
        assert float(still) > 50  # of the value at x = 0, which is missed by 0.9, with a weight of 100
        losses.append(float(solved))
    assert losses[1] < losses[0] / 1.5


def test_several_experts_begin_where_one_ended():
    one, several = operator("hard"), operator("experts", single_epochs=1)
    batch = one.sample(0)
    for task in (one, several):
        sum(task.loss(batch).values()).backward()
        task.on_before_optimizer_step(None)
    assert several.guess.shape[1] == 2
    assert torch.equal(several.guess, one.guess.expand_as(several.guess))
    pairs = zip(one.network.parameters(), several.network.parameters(), strict=True)
    assert all(torch.equal(first.grad, second.grad) for first, second in pairs)
    several.single_epochs = 0  # as after that epoch
    assert sum(several.loss(batch).values()) < sum(one.loss(batch).values())


@pytest.mark.parametrize("mode", ["hard", "experts"])
def test_an_unseen_solution_is_found_among_combinations_of_others(mode):
    """Exact solutions stand for what a network might propose."""
    given = family(times=32, cells=48)
    known, basis = solutions(given, [0.02, 0.09, 0.19])
    basis = basis - known["start"][:, None]
    task = operator(mode, given)
    task.guess[..., :-1] = 1 / 3
    task.network.forward = lambda fields: basis.permute(1, 2, 0).expand(len(fields), -1, -1, -1)
    instances, exact = solutions(given, [0.05, 0.16])
    with torch.no_grad():
        u = task(instances)
    torch.testing.assert_close(u[:, 0], instances["start"], rtol=1e-13, atol=0)
    assert float((u - exact).norm() / exact.norm()) < 0.05  # a linear combination of three comes to 0.03
    assert all(float(each.max() - each.min()) > 0.8 for each in u)


def test_the_start_holds_in_the_soft_mode_too_unless_it_is_a_row():
    for start, holds in (("grid", True), ("lift", True), ("rows", False)):
        task = operator("soft", family(start=start))
        batch = task.sample(0)
        with torch.no_grad():
            assert torch.equal(task(batch)[:, 0], batch["start"]) == holds


def test_training_does_not_see_what_lies_after_its_last_time():
    given = family(trained_until=300.0)
    assert given.seen == 7 and float(500 * given.s[6] ** 2) <= 300 < float(500 * given.s[7] ** 2)
    for mode in MODES:
        task = operator(mode, given)
        batch = task.sample(0)
        outputs = task.network(task._inputs(batch)).detach()
        other = outputs.clone()
        other[:, given.seen :] = 7.0
        values = []
        for each in (outputs, other):
            task.network.forward = lambda fields, each=each: each
            values.append(sum(task.loss(batch).values()))
        assert values[0] == values[1]
        with torch.no_grad():
            assert task(batch).shape == (2, 10, 12)


def config(mode: str, epochs: int = 2) -> Config:
    return config_from_values(
        {
            "title": "sorption",
            "seed": 0,
            "task": {
                "class_path": "sciml.hcmoe.ConstrainedOperator",
                "init_args": {
                    "family": {
                        "class_path": "sciml.hcmoe.SorptionFamily",
                        "init_args": {"times": 10, "cells": 12, "experts": [1, 2]},
                    },
                    "network": {
                        "class_path": "sciml.nets.FourierNeuralOperator",
                        "init_args": {"inputs": 3, "outputs": 3, "modes": [3, 3], "widths": [6, 6, 6], "head": 8},
                    },
                    "mode": mode,
                    "batch_size": 2,
                    "soft_epochs": 1,
                },
            },
            "data": {
                "class_path": "sciml.hcmoe.SorptionCases",
                "init_args": {"batches_per_epoch": 2, "cases": 1, "times": 4, "cells": 12},
            },
            "training": {"phases": [{"optimizer": "adam", "learning_rate": 1e-3, "epochs": epochs}]},
        },
        "a test",
    )


@pytest.mark.parametrize(("name", "options"), [("Sorption", {"times": 10, "cells": 12}), ("Vorticity", {})])
@pytest.mark.parametrize("given", [None, {}, {"hessian": "gauss_newton"}, {"iteration": {"max_solves": 7}}])
def test_settings_of_a_constraint_that_a_config_leaves_out_are_those_of_the_family(name, options, given):
    section = {"class_path": f"sciml.hcmoe.{name}Family", "init_args": {**options, "constraint": given}}
    values = config("soft").values
    values["task"]["init_args"]["family"] = section
    typed = TypedValues(Where("a test"))
    checked = typed.check(ConstrainedOperator, values["task"]["init_args"], "task")["family"]["init_args"]
    made = typed.construct(getattr(hcmoe, f"{name}Family"), checked, "family").settings
    default = getattr(hcmoe, f"{name}Family")(**options).settings
    expected = {"iteration": BatchedSettings(max_solves=7)} if "iteration" in (given or {}) else given or {}
    assert made == replace(default, **expected)
    own = {"Sorption": ConstraintSettings("windows", "grid"), "Vorticity": PeriodicSettings(ridge=1e-4)}
    assert default == own[name]


@pytest.mark.parametrize("mode", ["soft", "experts"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(mode, tmp_path, monkeypatch):
    class Stopped(BaseException):
        pass

    calls = []
    loss = ConstrainedOperator.loss

    def stop(task: ConstrainedOperator, batch: dict) -> dict:
        calls.append(0)
        if len(calls) == 6:  # in the third epoch of two updates
            raise Stopped
        return loss(task, batch)

    train(config(mode, 3), tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(ConstrainedOperator, "loss", stop)
        with pytest.raises(Stopped):
            train(config(mode, 3), tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "copy", ignore=shutil.ignore_patterns(".lock"))
    train(config(mode, 3), tmp_path / "copy", resume=True)
    assert finished(tmp_path / "copy")["metrics"] == finished(tmp_path / "whole")["metrics"]


def test_errors_are_those_against_solutions_at_their_own_times_and_places():
    (batch,) = SorptionCases(cases=2, times=6, cells=48).val_dataloader()
    given = family(times=40, cells=48)
    task = operator(given=given)
    exact = torch.stack([solutions(given, [float(each[0])])[1][0] for each in batch["start"]])
    task.forward = lambda instances: exact
    assert float(task.validate(batch)["relative_l2"]) < 0.01  # of the interpolation at the corner
    task.forward = lambda instances: 1.1 * exact
    assert float(task.validate(batch)["relative_l2"]) == pytest.approx(0.1, abs=0.01)
    assert [len(each["u"]) for each in each_case(batch)] == [1, 1]


@pytest.mark.parametrize("name", ["paper", "wide"])
def test_a_file_of_solutions_is_tested_on_and_applied_to(name, tmp_path):
    source, target = tmp_path / "ds.h5", tmp_path / "out.h5"
    options = {"family": name, "size": "16", "steps": "5", "scheme": "consistent"}
    generate("diffusion_sorption", 2, source, options=options, seed=1)
    (batch,) = SorptionCases(path=str(source)).test_dataloader()
    assert batch["u"].shape == (2, 5, 16) and batch["start"].shape == (2, 16)
    task = operator("experts", family(name))
    found = task.predict_file(source, target)
    with open_dataset(target) as written, torch.no_grad():
        instances = task.family.instances(batch)
        u = task(instances)
        np.testing.assert_allclose(written.read("u", 1), u[1].numpy(), rtol=1e-5, atol=1e-6)
        residual = task.family.residual(u, instances)
        np.testing.assert_allclose(written.read("residual", 0), residual[0].numpy(), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(written.times(0), 500 * task.family.s.numpy() ** 2)
    assert found["relative_l2"] == pytest.approx(float(task.validate(batch)["relative_l2"]), rel=1e-4)


def test_starts_alone_are_enough_for_a_prediction_and_not_for_a_test(tmp_path):
    source, target, numbers = tmp_path / "mine.h5", tmp_path / "out.hdf5", dict.fromkeys(NAMES, 0.8) | OWN
    about = Description(
        *("mine", Grid((16,), centring="cell"), np.zeros(1), (DataField("u", dtype="float64", location="cells"),), 1),
        parameters=dict.fromkeys(NAMES, np.zeros(0)),
    )
    start = 0.1 + 0.05 * np.cos(np.pi * cell_centres(16))
    with DatasetWriter(source, about) as writer:
        writer.append({"u": start[None]}, numbers)
    task = operator(given=family("wide"))
    assert task.predict_file(source, target) == {"samples": 1.0}
    with open_dataset(target) as data:
        np.testing.assert_allclose(data.read("u", 0)[0], np.interp(task.family.y, cell_centres(16), start), atol=1e-3)
        assert data.description.parameters["diffusivity"].tolist() == [OWN["diffusivity"]]
    with pytest.raises(DataFormatError, match="has 1 time from 0 on, expected 2 or more from 0 on"):
        SorptionCases(path=str(source)).test_dataloader()


@pytest.mark.parametrize("name", ["out.npz", "out.vtu", "out"])
def test_predictions_take_the_ending_of_a_data_set(tmp_path, name):
    (tmp_path / name).write_text("older")
    with pytest.raises(InputError, match=r"expected \.h5 or \.hdf5"):
        operator().predict_file(tmp_path / "missing.h5", tmp_path / name)
    assert (tmp_path / name).read_text() == "older"


def test_an_operator_of_the_published_family_refuses_other_instances():
    (wide,) = SorptionCases(family="wide", cases=1, times=4, cells=9).val_dataloader()
    with pytest.raises(InputError, match=r"instance 0 has the diffusivity .* train one with family=wide"):
        operator().validate(wide)
    (paper,) = SorptionCases(cases=1, times=4, cells=9).val_dataloader()
    sloped = {**paper, "start": paper["start"] + 0.01 * paper["x"]}
    with pytest.raises(InputError, match="instance 0 starts from values that differ by"):
        operator().validate(sloped)


def test_constraints_move_to_the_device_of_the_operator():
    task = operator("experts").to("meta")
    assert all(each.layer.lattice.x.device.type == "meta" for each in task._objectives.values())
    assert task.guess.device.type == "meta"


def test_solutions_after_the_end_and_instances_beyond_the_ranges_are_refused():
    (longer,) = SorptionCases(cases=1, times=4, cells=9, duration=600.0).val_dataloader()
    with pytest.raises(InputError, match="go on until 600 s, expected at most 500 s"):
        operator().validate(longer)
    (wide,) = SorptionCases(family="wide", cases=1, times=4, cells=9).val_dataloader()
    with pytest.raises(InputError, match="an instance has the coefficient 0, expected one from"):
        operator(given=family("wide")).validate({**wide, "coefficient": 0 * wide["coefficient"]})


def test_the_last_time_of_training_stands_for_its_own_share():
    given = family(trained_until=300.0)
    shares = given._lattice(True, torch.device("cpu")).shares[0]
    torch.testing.assert_close(shares[1:-1], shares[1:-1].mean().expand(given.seen - 2))
    assert float(shares[-1]) == pytest.approx(float(shares[1]))


def test_data_of_another_class_and_tests_that_are_missing_are_refused_before_the_training(tmp_path):
    with pytest.raises(ConfigError, match="data is a VorticityCases, expected SorptionCases, the data of SorptionFam"):
        operator().check_data(VorticityCases())
    for cases in (SorptionCases, VorticityCases):
        cases().prepare_data()
        with pytest.raises(DataFormatError, match=r"there is no file .*missing\.h5"):
            cases(path=str(tmp_path / "missing.h5")).prepare_data()


def test_a_file_of_something_else_is_refused(tmp_path):
    source = tmp_path / "flow.h5"
    generate("heat", 1, source, options={"size": "16"}, seed=0)
    with pytest.raises(DataFormatError, match="has no field u in time on cells"):
        SorptionCases(path=str(source)).test_dataloader()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inputs": 2}, "the network has 2 inputs, expected 3, the channels of the family"),
        ({"mode": "both"}, "the mode is 'both', expected one of soft, hard, experts"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"soft_epochs": -1}, "soft_epochs is -1"),
        ({"single_epochs": -1}, "single_epochs is -1"),
    ],
)
def test_wrong_settings_of_an_operator_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        operator(**options)
    assert issubclass(ConfigError, InputError)


def test_a_network_on_another_number_of_axes_than_the_grid_is_refused():
    given = family()
    with pytest.raises(ConfigError, match="the number of axes of the network is 3, expected 2, that of the grid"):
        ConstrainedOperator(given, FourierNeuralOperator(given.channels, 3, [3, 3, 3], [6, 6], 8), "soft")
    with pytest.raises(ConfigError, match="the number of axes of the network is 4, expected 2"):
        ConstrainedOperator(given, PolynomialsInTime(given.channels, 3, [3, 3, 3], [6, 6], 3, 8), "soft")


def test_polynomials_in_time_refuse_the_times_of_the_sorption_family():
    task = operator()
    with seeded(0):
        task.network = PolynomialsInTime(3, 3, [3], [6, 6], 4, 8)
    with pytest.raises(InputError, match="the first input, the time of polynomials, are outside"):
        task.loss(task.sample(0))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("optimizer", ["lbfgs", "least_squares"])
def test_line_searches_are_refused_where_the_loss_depends_on_a_running_mean(mode, optimizer):
    settings = Training([Phase(1), Phase(1, optimizer)])
    task = operator(mode)
    if mode == "soft" and optimizer == "lbfgs":
        task.prepare(settings, 0)
        return
    words = "has no residuals" if optimizer == "least_squares" else f"in the mode {mode} is trained by lbfgs"
    with pytest.raises(ConfigError, match=words):
        task.prepare(settings, 0)


def test_the_guess_follows_the_mean_over_the_ranks(monkeypatch):
    task = operator("experts")
    monkeypatch.setattr("sciml.hcmoe.operator_task.mean_over_ranks", lambda values: values + 10)
    before, found = task.guess.clone(), torch.full_like(task.guess, 3.0)
    task._found = found
    task.on_before_optimizer_step(torch.optim.SGD(task.network.parameters()))
    torch.testing.assert_close(task.guess, 0.9 * before + 0.1 * 13.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "narrow"}, "the family is 'narrow', expected one of paper, wide"),
        ({"order": 3}, "the order is 3, expected one of 2, 4, 6, 8"),
        ({"order": 10, "times": 20, "cells": 20}, "the order is 10, expected one of 2, 4, 6, 8"),
        ({"times": 3}, "the number of times of the grid is 3"),
        ({"experts": (1, 5)}, "has 12 points for 5 experts, expected a multiple of 5"),
        ({"trained_until": 600.0}, "trained_until is 600"),
        ({"trained_until": 1.0}, "training sees 1 times until 1 s, expected at least 6"),
        ({"constraint": ConstraintSettings(over_ranks=True)}, "over_ranks is set in the constraint of a family"),
        ({"training_solves": 0}, "training_solves is 0"),
        ({"duration": -1.0}, "the duration in seconds is -1"),
    ],
)
def test_wrong_settings_of_a_family_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        family(**options)
