"""Flows in a periodic square for an operator: instances without solutions, their terms, and bases that obey better."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.data.formats import DataField, DatasetWriter, Description, open_dataset
from sciml.data.generation import generate
from sciml.errors import ConfigError, DataFormatError, InputError
from sciml.hcmoe.families.sorption_cases import SorptionCases
from sciml.hcmoe.families.vorticity import VorticityFamily
from sciml.hcmoe.families.vorticity_cases import VorticityCases, solutions, starts
from sciml.hcmoe.operator_task import ConstrainedOperator
from sciml.hcmoe.periodic_grid import resampled
from sciml.mesh import Grid
from sciml.nets.time_polynomials import PolynomialsInTime
from sciml.numerics.random import generator, seeded
from sciml.training.settings import Phase, Training

SHAPE = (8, 16, 16)


def flows(**given: object) -> VorticityFamily:
    return VorticityFamily(SHAPE, duration=1.0, viscosity=5e-3, **given)


def cases_of(count: int, draws: torch.Generator) -> tuple[dict[str, Tensor], Tensor]:
    """Return instances and their solutions at the times of the family."""
    family = flows()
    u = resampled(solutions(starts(32, count, family.length, draws), family.viscosity, family.grid.t), 16)
    return {"start": u[:, 0]}, u


def network(outputs: int) -> PolynomialsInTime:
    with seeded(0):
        return PolynomialsInTime(VorticityFamily.channels, outputs, modes=[4, 4], widths=[8, 8, 8], degree=4, head=16)


def outputs_of(net: PolynomialsInTime, family: VorticityFamily, instances: dict[str, Tensor]) -> Tensor:
    return net(family.inputs(instances).float())


def residual(family: VorticityFamily, u: Tensor, instances: dict[str, Tensor]) -> float:
    return float(family.squares(u, instances)["residual"])


def ones(experts: int, functions: int) -> Tensor:
    return torch.ones(1, experts, functions, dtype=torch.float64)


def test_instances_are_starts_of_mean_zero_and_no_solutions() -> None:
    drawn = flows().sample(3, generator(1))
    assert set(drawn) == {"start"}
    assert drawn["start"].shape == (3, 16, 16)
    assert drawn["start"].mean((1, 2)).abs().max() < 1e-14
    assert torch.equal(drawn["start"], flows().sample(3, generator(1))["start"])
    assert not torch.allclose(drawn["start"][0], drawn["start"][1], atol=0.1)


def test_cases_are_the_solutions_of_the_instances_that_the_same_generator_draws() -> None:
    family = flows()
    instances, u = cases_of(2, generator(1))
    assert torch.allclose(instances["start"], family.sample(2, generator(1))["start"], atol=1e-12)
    assert torch.equal(u[:, 0], instances["start"])
    kept = (u - u[:, :1]).flatten(1).norm(dim=1) / u[:, :1].flatten(1).norm(dim=1)
    assert kept.min() > 0.3  # the flow moves
    still = residual(family, u[:, :1].expand_as(u), instances)
    assert residual(family, u, instances) < 0.02 * still


def test_the_third_input_is_the_rate_at_the_start() -> None:
    family = flows()
    instances, u = cases_of(1, generator(2))
    seen = family.inputs(instances)
    assert seen.shape == (1, *SHAPE, family.channels)
    assert torch.equal(seen[0, 3, ..., 1], instances["start"][0])
    rate = family.grid.time_derivative(u)[0, 0]
    assert (seen[0, 5, ..., 2] - rate).norm() < 0.05 * rate.norm()
    assert torch.allclose(seen[0, :, 0, 0, 0], family.grid.t)


def test_fields_start_exactly_whatever_the_outputs_are() -> None:
    family = flows()
    instances = family.sample(2, generator(3))
    u = family.unconstrained(torch.randn(2, *SHAPE, 3, generator=generator(4)), instances)
    assert torch.allclose(u[:, 0], instances["start"], atol=1e-15)
    assert u.mean((2, 3)).abs().max() < 1e-13


def test_hard_constraints_leave_less_residual_than_the_sum_and_experts_less_than_one() -> None:
    family, net = flows(), network(4)
    instances = family.sample(2, generator(5))
    with torch.no_grad():
        outputs = outputs_of(net, family, instances)
        fields = [family.unconstrained(outputs, instances)]
        for experts, count in ((False, 1), (True, 4)):
            objective = family.objective(experts=experts)
            assert objective.fields == (count, 0)
            fields.append(objective(outputs, instances, generator(0), ones(count, 4)).u)
    soft, hard, experts = (residual(family, u, instances) for u in fields)
    assert experts < 0.98 * hard
    assert hard < 0.95 * soft


@pytest.mark.parametrize("experts", [None, False, True])
def test_an_operator_learns_without_solutions(experts: bool | None) -> None:
    family, net = flows(training_times=4), network(3)
    held_out, u = cases_of(2, generator(7))
    optimizer, draws, guess = torch.optim.Adam(net.parameters(), lr=1e-2), generator(8), ones(4 if experts else 1, 3)

    def error() -> float:
        with torch.no_grad():
            outputs = outputs_of(net, family, held_out)
            if experts is None:
                return float((family.unconstrained(outputs, held_out) - u).norm() / u.norm())
            return float((family.objective(experts=experts)(outputs, held_out, draws, guess).u - u).norm() / u.norm())

    before = error()
    for _ in range(30):
        instances = family.sample(2, draws)
        outputs = outputs_of(net, family, instances)
        if experts is None:
            terms = family.squares(family.unconstrained(outputs, instances), instances)
        else:
            terms, _ = family.objective(experts=experts, training=True).squares(outputs, instances, draws, guess)
        assert set(terms) == set(family.terms)
        optimizer.zero_grad()
        terms["residual"].backward()
        optimizer.step()
    assert error() < 0.85 * before


@pytest.mark.parametrize("mode", ["soft", "hard", "experts"])
def test_the_task_learns_flows_and_its_solutions_start_as_they_have_to(mode: str) -> None:
    task = ConstrainedOperator(flows(training_times=4, training_solves=3), network(2), mode, batch_size=2)
    task.prepare(Training([Phase(1)]), 0)
    batch = task.sample(0)
    assert set(batch) == {"start"}
    terms = task.loss(batch)
    gradients = torch.autograd.grad(terms["residual"], list(task.network.parameters()))
    assert all(bool(each.isfinite().all()) for each in gradients) and any(bool(each.any()) for each in gradients)
    with torch.no_grad():
        u = task(batch)
    assert torch.allclose(u[:, 0], batch["start"], atol=1e-14) and u.mean((2, 3)).abs().max() < 1e-13
    held_out, truth = cases_of(1, generator(2))
    with torch.no_grad():
        found = task.validate({**held_out, "u": truth, "times": task.family.grid.t})
    assert 0 < float(found["relative_l2"]) < 2 and float(found["residual"]) > residual(task.family, truth, held_out)


def test_solutions_of_a_data_set_are_compared_with_on_their_own_grid(tmp_path: Path) -> None:
    source, output = tmp_path / "flows.h5", tmp_path / "out.h5"
    options = {"size": "32", "steps": "5", "duration": "1.0", "viscosity": "5e-3", "resolution": "32"}
    generate("vorticity", 2, source, options=options)
    family, exact = flows(), []

    def operator(instances: dict[str, Tensor]) -> Tensor:
        fine = resampled(instances["start"], 32)
        exact.append(resampled(solutions(fine, family.viscosity, family.grid.t), 16))
        return exact[-1]

    found = family.predict(source, output, operator)
    assert found["samples"] == 2 and found["relative_l2"] < 0.02
    with open_dataset(output) as data:
        written = data.read("vorticity", 1)
        assert written.shape == SHAPE and np.allclose(written, exact[1][0].numpy(), atol=1e-6)
        assert np.abs(data.read("residual", 1)).max() < 1.0
    batches = list(VorticityCases(path=str(source)).test_dataloader())
    assert len(batches) == 2
    for batch in batches:
        assert batch["u"].shape == (1, 5, 32, 32) and batch["u"].mean((2, 3)).abs().max() < 1e-14
        assert batch["viscosity"].tolist() == [5e-3]


def test_solutions_of_another_viscosity_are_refused_and_those_of_old_files_read(tmp_path: Path) -> None:
    source = tmp_path / "flows.h5"
    options = {"size": "16", "steps": "5", "duration": "1.0", "viscosity": "6e-3", "resolution": "32"}
    generate("vorticity", 1, source, options=options)
    task = ConstrainedOperator(flows(), network(1), "soft")
    (batch,) = VorticityCases(path=str(source)).test_dataloader()
    with pytest.raises(InputError, match=r"is of viscosity 0\.006, expected 0\.005, that of the operator"):
        task.validate(batch)
    with pytest.raises(InputError, match=r"generate vorticity with viscosity=0\.005"):
        task.predict_file(source, tmp_path / "out.h5")
    with h5py.File(source, "a") as file:  # as earlier versions wrote it
        about = json.loads(file.attrs["sciml_description"])
        file.attrs["sciml_description"] = np.bytes_(json.dumps({**about, "parameters": []}))
        del file["scalars/viscosity"]
    (batch,) = VorticityCases(path=str(source)).test_dataloader()
    assert set(batch) == {"start", "times", "u"}
    with torch.no_grad():
        assert float(task.validate(batch)["relative_l2"]) > 0


def written(path: Path, start: np.ndarray) -> Path:
    """Return a data set of starts alone."""
    place = Grid(start.shape[1:], periodic=True)
    about = Description("flows", place, np.zeros(1), (DataField("vorticity", dtype="float64"),), len(start))
    with DatasetWriter(path, about) as writer:
        for each in start:
            writer.append({"vorticity": each[None]})
    return path


def test_starts_alone_are_enough_for_a_prediction_and_not_for_a_test(tmp_path: Path) -> None:
    start, task = starts(24, 2, 0.8, generator(3)), ConstrainedOperator(flows(), network(1), "soft")
    source = written(tmp_path / "starts.h5", start.numpy())
    assert task.predict_file(source, tmp_path / "out.h5") == {"samples": 2.0}
    with open_dataset(tmp_path / "out.h5") as data:
        assert np.allclose(data.read("vorticity", 1)[0], resampled(start[1], 16).numpy(), atol=1e-6)
    with pytest.raises(DataFormatError, match="at different times, or not from 0 on"):
        VorticityCases(path=str(source)).test_dataloader()


def test_flows_at_rest_are_refused_where_errors_are_relative_to_them(tmp_path: Path) -> None:
    source = tmp_path / "flows.h5"
    options = {"size": "16", "steps": "2", "duration": "0.1", "viscosity": "5e-3", "resolution": "32"}
    generate("vorticity", 1, source, options=options)
    with h5py.File(source, "a") as file:
        file["t0_fields/vorticity"][...] = 0.0
    with pytest.raises(DataFormatError, match="is 0 everywhere, expected solutions"):
        VorticityCases(path=str(source)).test_dataloader()


def test_starts_that_the_grid_of_the_operator_or_of_the_file_does_not_hold_are_refused(tmp_path: Path) -> None:
    task, axis = ConstrainedOperator(flows(), network(1), "soft"), np.arange(32) / 32
    waves = np.sin(18 * np.pi * axis)[:, None] * np.ones(32)  # nine along x, more than 16 places hold
    source = written(tmp_path / "fine.h5", waves[None])
    with pytest.raises(InputError, match="32 x 32 places has waves that 16 x 16 places, those of the operator, do not"):
        task.predict_file(source, tmp_path / "out.h5")
    coarse = written(tmp_path / "coarse.h5", starts(16, 1, 0.8, generator(3)).numpy()[:, ::2, ::2])
    with pytest.raises(DataFormatError, match="at least 15, which resolve the starts"):
        task.predict_file(coarse, tmp_path / "out.h5")
    with pytest.raises(InputError, match="places is 8, expected a whole number of at least 15"):
        VorticityCases(places=8)


def test_data_of_another_problem_are_refused_before_the_training() -> None:
    task = ConstrainedOperator(flows(), network(1), "soft")
    task.check_data(VorticityCases(duration=1.0, viscosity=5e-3))
    with pytest.raises(ConfigError, match="expected VorticityCases, the data of VorticityFamily"):
        task.check_data(SorptionCases())
    with pytest.raises(ConfigError, match=r"the viscosity of the data is 0\.0001, expected 0\.005, that of the family"):
        task.check_data(VorticityCases(duration=1.0))
    with pytest.raises(ConfigError, match="the length of the data is"):
        task.check_data(VorticityCases(duration=1.0, viscosity=5e-3, length=0.7))
    with pytest.raises(ConfigError, match="the duration of the data is 2 s, expected at most 1 s"):
        task.check_data(VorticityCases(duration=2.0, viscosity=5e-3))


def test_shifts_put_vortices_back_that_an_operator_has_in_the_wrong_places() -> None:
    instances, u = cases_of(1, generator(5))
    grid = flows().grid
    t = (grid.t / grid.duration)[:, None, None]
    displaced = u - 0.02 * t * grid.term("x", grid.spectrum(u))
    outputs = ((displaced - u[:, :1]) / t.clamp_min(1e-3))[..., None]
    before, errors = (displaced - u).norm(), []
    for shifts in (0, 1):
        objective = flows(shifts=shifts).objective(experts=True)
        assert objective.fields == (4, 2 * shifts)
        guess = ones(4, 1 + 2 * shifts)
        basis = objective._basis(outputs, instances["start"])
        assert torch.allclose(objective.layer.assembled(basis, instances["start"], guess), displaced, atol=1e-12)
        errors.append(float((objective(outputs, instances, generator(0), guess).u - u).norm() / before))
    assert errors[1] < 0.3 < 0.6 < errors[0], errors


def test_the_sum_of_the_outputs_is_trained_in_the_first_epochs() -> None:
    task = ConstrainedOperator(flows(), network(3), "hard", batch_size=1, soft_epochs=1)
    task.prepare(Training([Phase(2)]), 0)
    batch = task.sample(0)
    with torch.no_grad():
        terms, outputs = task.loss(batch), outputs_of(task.network, task.family, batch)
    sums = task.family.squares(task.family.unconstrained(outputs, batch), batch)
    assert float(terms["residual"]) == pytest.approx(float(sums["residual"]), rel=1e-4)


def test_batches_of_training_are_counters_and_those_of_tests_solutions() -> None:
    data = VorticityCases(3, cases=1, times=4, places=16, duration=0.5, viscosity=5e-3, resolution=32)
    assert list(data.train_dataloader()) == [0, 1, 2]
    solved = [*data.val_dataloader(), *data.test_dataloader()]
    assert len(solved) == 3
    for each in solved:
        assert each["u"].shape == (1, 4, 16, 16) and each["viscosity"].tolist() == [5e-3]
        assert torch.equal(each["start"], each["u"][:, 0]) and each["times"].tolist()[-1] == 0.5
    assert all(not torch.allclose(one["start"], other["start"], atol=0.1) for one, other in pairwise(solved))


def test_starts_that_are_no_vorticities_of_the_family_are_refused(tmp_path: Path) -> None:
    task, start = ConstrainedOperator(flows(), network(1), "soft"), starts(16, 1, 0.8, generator(3)).numpy()
    with pytest.raises(DataFormatError, match=r"has a mean of 0\.5, expected 0, as that of a periodic flow is"):
        task.predict_file(written(tmp_path / "mean.h5", start + 0.5), tmp_path / "out.h5")
    with pytest.raises(InputError, match=r"a start has the root mean square .*, expected at most 3: that of"):
        task.predict_file(written(tmp_path / "strong.h5", 100 * start), tmp_path / "out.h5")


def test_solutions_that_the_resolution_does_not_hold_are_refused() -> None:
    with pytest.raises(InputError, match=r"in the smallest scales, expected at most 0\.02; choose resolution=32"):
        VorticityCases(cases=1, times=4, places=16, duration=5.0, viscosity=1e-8, resolution=16).val_dataloader()


def test_data_sets_of_something_else_are_refused(tmp_path: Path) -> None:
    generate("heat", 1, tmp_path / "heat.h5")
    with pytest.raises(DataFormatError, match="no field vorticity in time on the periodic unit square"):
        VorticityCases(path=str(tmp_path / "heat.h5")).test_dataloader()


def test_grids_that_do_not_resolve_the_starts_or_the_reference_are_refused() -> None:
    with pytest.raises(InputError, match="16 and 18 places along x and y, expected equal numbers of at least 15"):
        VorticityFamily((8, 16, 18))
    with pytest.raises(InputError, match="8 and 8 places"):
        VorticityFamily((8, 8, 8))
    with pytest.raises(InputError, match="the axis of x has 16 places for 3 experts"):
        VorticityFamily(SHAPE, experts=(3, 2))
    with pytest.raises(InputError, match="9 times are to be drawn, expected at most the 8"):
        VorticityFamily(SHAPE, training_times=9)
    with pytest.raises(InputError, match="the viscosity"):
        VorticityFamily(SHAPE, viscosity=0.0)
