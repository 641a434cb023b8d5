"""Constraint layers: exact solutions in the basis are found, experts are coupled, gradients are exact."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError, SingularSystemError
from sciml.hcmoe.bases import ChebyshevBasis, GridBasis, LiftedBasis, NetworkBasis, proper_orthogonal_modes
from sciml.hcmoe.boxes import Boxes, widths
from sciml.hcmoe.layer import ConstraintSettings, ExpertConstraint, HardConstraintLayer
from sciml.hcmoe.problems import Burgers, DiffusionSorption, Heat
from sciml.nets.coordinate import TanhNetwork
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.numerics.derivatives import jet_of
from sciml.numerics.pointwise_least_squares import PointwiseProblem, PointwiseResidual, solve
from sciml.numerics.random import generator, seeded

INDEPENDENT = ConstraintSettings(coupling="independent")


def points(count: int, lower: float = 0.0, upper: float = 1.0) -> Tensor:
    return torch.linspace(lower, upper, count, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


class HeatModes:
    """The two damped sines of which the solution consists, and fields that it does not need."""

    def __init__(self, diffusivity: float = 0.1) -> None:
        self.diffusivity = diffusivity

    def fields(self, at: Tensor) -> Tensor:
        t, x = at[:, :1], at[:, 1:]
        modes = [torch.exp(-self.diffusivity * (k * math.pi) ** 2 * t) * torch.sin(k * math.pi * x) for k in (1, 2, 3)]
        return torch.cat([*modes, t * x, torch.cos(x) * t, x**3], 1)

    def derivatives(self, orders: Sequence[tuple[int, int]], times: Tensor, x: Tensor) -> Tensor:
        jet = jet_of(self.fields, torch.cartesian_prod(times, x).reshape(-1, 2), 2)
        columns = {(0, 0): jet.value, (1, 0): jet.first[0], (0, 1): jet.first[1], (0, 2): jet.second[1]}
        return torch.stack([columns[order] for order in orders]).unflatten(1, (len(times), len(x)))[None]


class Waves:
    """Products of polynomials in time and sines in space: 0 at both ends of [-1, 1], and rich enough for fronts."""

    def __init__(self, degree: int, waves: int) -> None:
        self.degree, self.waves = degree, waves

    def derivatives(self, orders: Sequence[tuple[int, int]], times: Tensor, x: Tensor) -> Tensor:
        powers, numbers = torch.arange(self.degree + 1), math.pi * torch.arange(1, self.waves + 1)
        in_time = [times[:, None] ** powers, powers * times[:, None] ** (powers - 1).clamp(min=0)]
        phases = numbers * x[:, None]
        in_space = [torch.sin(phases), numbers * torch.cos(phases), -(numbers**2) * torch.sin(phases)]
        products = [torch.einsum("ti,xj->txij", in_time[i], in_space[j]).flatten(2) for i, j in orders]
        return torch.stack(products)[None].double()


@pytest.mark.parametrize("experts", [(1, 1), (2, 1), (1, 4), (2, 3)])
@pytest.mark.parametrize("settings", [None, INDEPENDENT], ids=["faces", "independent"])
def test_a_solution_in_the_basis_is_found_by_every_arrangement_of_experts(
    experts: tuple[int, int], settings: ConstraintSettings | None
) -> None:
    times, x, problem = points(12), points(24), Heat()
    output = ExpertConstraint(problem, times, x, experts, settings)(HeatModes())
    exact = torch.stack([problem.exact(x[:, None], float(t))[:, 0] for t in times])
    torch.testing.assert_close(output.u[0], exact, rtol=0, atol=1e-9)
    expected = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(output.weights, expected.expand_as(output.weights), rtol=0, atol=1e-8)


def test_a_linear_equation_takes_one_step_and_a_false_claim_is_found_out() -> None:
    class Claimed(Burgers):
        linear = True

    output = HardConstraintLayer(Heat(), points(12), points(24))(HeatModes())
    assert output.report.minimum.iterations.tolist() == [1]
    with pytest.raises(InputError, match=r"^Claimed says that it is linear"):
        HardConstraintLayer(Claimed(viscosity=0.1), points(12), points(24, -1.0))(Waves(2, 3))


def test_the_grid_follows_the_module_to_another_device_and_keeps_its_precision() -> None:
    layer = HardConstraintLayer(Heat(), points(12), points(24)).float()
    assert layer.lattice.x.dtype == torch.float64
    assert layer.to("meta").lattice.points[0].device.type == "meta"


def test_one_expert_is_the_layer_of_one_domain() -> None:
    arguments = Burgers(viscosity=0.1), points(10), points(21, -1.0)
    one = HardConstraintLayer(*arguments)(Waves(4, 6))
    for settings in (None, INDEPENDENT):
        other = ExpertConstraint(*arguments, (1, 1), settings)(Waves(4, 6))
        torch.testing.assert_close(one.u, other.u, rtol=0, atol=0)
    assert one.weights.shape == (1, 1, 30)


def burgers_error(experts: tuple[int, int], settings: ConstraintSettings | None = None) -> tuple[float, float]:
    """The error of polynomials that are too few for the front, and the largest jump."""
    times, x, problem = points(24), points(48, -1.0), Burgers(viscosity=0.05)
    basis = ChebyshevBasis(problem.domain, problem.duration, time_degree=3, degree=4)
    layer = ExpertConstraint(problem, times, x, experts, settings)
    output = layer(basis)
    exact = torch.stack([problem.exact(x[:, None], float(t))[:, 0] for t in times])
    error = float((output.u[0] - exact).norm() / exact.norm())
    return error, float(layer.jumps(basis, output.weights)[0])


def test_more_coupled_experts_come_closer_to_the_exact_front_and_independent_ones_do_not() -> None:
    coupled = [burgers_error((1, count))[0] for count in (1, 2, 4, 8)]
    assert all(later < earlier for earlier, later in pairwise(coupled))
    assert coupled[-1] < 0.1 * coupled[0]
    assert burgers_error((1, 8), INDEPENDENT)[0] > 4 * coupled[-1]


def test_coupled_experts_are_closer_to_continuity_than_independent_ones() -> None:
    coupled, independent = burgers_error((2, 4)), burgers_error((2, 4), INDEPENDENT)
    assert coupled[1] < 0.2 * independent[1]
    assert burgers_error((1, 1))[1] == 0


EXACT = ConstraintSettings(coupling="exact")
LIFTED = ConstraintSettings(coupling="exact", start="lift")


@pytest.mark.parametrize("settings", [EXACT, LIFTED], ids=["rows", "lift"])
@pytest.mark.parametrize("experts", [(1, 4), (2, 3)])
def test_polynomials_are_continuous_across_faces_to_rounding(
    settings: ConstraintSettings, experts: tuple[int, int]
) -> None:
    error, jump = burgers_error(experts, settings)
    assert jump < 1e-10
    assert error < 0.7 * burgers_error((1, 1), settings)[0]


@pytest.mark.parametrize("coupling", ["faces", "exact", "independent"])
def test_a_lifted_start_is_exact_whatever_the_basis(coupling: str) -> None:
    times, x, problem = points(8), points(24, -1.0), Burgers(viscosity=[0.05, 0.1])
    settings = ConstraintSettings(coupling=coupling, start="lift")
    output = ExpertConstraint(problem, times, x, (1, 2), settings)(ChebyshevBasis(problem.domain, 1.0, 1, 3))
    expected = -torch.sin(math.pi * x)
    torch.testing.assert_close(output.u[:, 0], expected.expand(2, 24), rtol=0, atol=1e-13)
    torch.testing.assert_close(output.weights[..., -1], torch.ones(2, 2, dtype=torch.float64), rtol=0, atol=1e-13)
    assert float((output.u[:, -1] - expected).norm()) > 0.1


def test_derivatives_of_a_lifted_basis_are_those_of_its_values() -> None:
    problem, times, x = Burgers(viscosity=[0.1, 0.2], duration=2.0), points(5, 0.2, 1.8), points(6, -0.9, 0.9)
    basis = LiftedBasis(ChebyshevBasis(problem.domain, 2.0, 2, 2), problem, problem.coefficients)

    def fields(at: Tensor) -> Tensor:
        t, x = at[:, :1], at[:, 1:]
        own = torch.cat([(t - 1) ** 0, t - 1, 2 * (t - 1) ** 2 - 1], 1)[:, :, None]
        own = own * torch.cat([x**0, x, 2 * x**2 - 1], 1)[:, None]
        return torch.cat([own.flatten(1) * t / 2, -torch.sin(math.pi * x)], 1)

    orders = [(0, 0), (1, 0), (0, 1), (2, 0), (0, 2)]
    found = basis.derivatives(orders, times, x)[0]
    jet = jet_of(fields, torch.cartesian_prod(times, x), 2)
    for place, expected in enumerate((jet.value, *jet.first, *jet.second)):
        torch.testing.assert_close(found[place], expected.view(5, 6, 10), rtol=1e-10, atol=1e-10)


def test_exact_faces_of_a_learned_basis_are_refused() -> None:
    times, x = points(4), points(8, -1.0)
    values = torch.sin(normal(1, 4, 8, 3)).requires_grad_()
    with pytest.raises(InputError, match="coupling='exact' is for a basis that is fixed"):
        ExpertConstraint(Burgers(), times, x, (1, 2), EXACT)(GridBasis(values, times, x))


def test_the_solution_is_not_the_trivial_one() -> None:
    """u = 0 has no residual, and violates the start alone."""
    output = HardConstraintLayer(Burgers(viscosity=0.05), points(24), points(48, -1.0))(Waves(4, 6))
    assert float(output.u[0, 0].max()) > 0.9
    assert float(output.u[0, -1].max()) > 0.3


@pytest.mark.parametrize("start", ["rows", "lift"])
@pytest.mark.parametrize("coupling", ["faces", "independent"])
def test_gradients_in_a_basis_on_a_grid_and_in_coefficients_are_those_of_differences(coupling: str, start: str) -> None:
    times, x = points(4), points(8, -1.0)
    settings = ConstraintSettings(coupling=coupling, start=start, ridge=1e-2)
    layer = ExpertConstraint(Burgers(), times, x, (1, 2), settings)

    def solved(values: Tensor, viscosity: Tensor) -> tuple[Tensor, Tensor]:
        output = layer(GridBasis(values, times, x), {"viscosity": viscosity})
        return output.u, output.weights

    values = torch.sin(normal(2, 4, 8, 3))
    viscosity = torch.tensor([0.1, 0.3], dtype=torch.float64)
    arguments = values.requires_grad_(), viscosity.requires_grad_()
    assert torch.autograd.gradcheck(solved, arguments, eps=1e-6, atol=1e-5, rtol=1e-4, fast_mode=True)


def test_gradients_reach_the_parameters_of_a_network_of_coordinates() -> None:
    with seeded(0):
        network = TanhNetwork(2, 6, width=8, layers=1, box=[[0.0, -1.0], [1.0, 1.0]]).double()
    layer = ExpertConstraint(
        Burgers(viscosity=0.1), points(8), points(16, -1.0), (1, 2), ConstraintSettings(ridge=1e-3)
    )
    parameters = list(network.parameters())

    def loss() -> Tensor:
        return layer(NetworkBasis(network)).u.square().mean()

    gradients = torch.autograd.grad(loss(), parameters[:2])
    directions = [normal(*each.shape) for each in parameters[:2]]
    step, values = 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            for each, direction in zip(parameters, directions, strict=False):
                each += sign * step * direction
            values.append(float(loss()))
            for each, direction in zip(parameters, directions, strict=False):
                each -= sign * step * direction
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True))
    assert slope == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5)
    assert abs(slope) > 1e-6


def test_a_batch_of_instances_equals_a_loop() -> None:
    times, x = points(8), points(16, -1.0)
    layer = ExpertConstraint(Burgers(viscosity=[0.05, 0.2]), times, x, (2, 2))
    values = torch.sin(normal(2, 8, 16, 4))
    together = layer(GridBasis(values, times, x))
    for instance, viscosity in enumerate((0.05, 0.2)):
        alone = ExpertConstraint(Burgers(viscosity=viscosity), times, x, (2, 2))
        output = alone(GridBasis(values[instance : instance + 1], times, x))
        torch.testing.assert_close(output.u[0], together.u[instance], rtol=1e-9, atol=1e-9)


def test_single_precision_goes_in_and_double_precision_comes_out() -> None:
    times, x = points(8), points(16, -1.0)
    values = torch.sin(normal(1, 8, 16, 3)).float()
    layer = ExpertConstraint(Burgers(viscosity=0.1), times.float(), x.float(), (1, 2))
    output = layer(GridBasis(values, times.float(), x.float()))
    twin = layer(GridBasis(values.double(), layer.lattice.times, layer.lattice.x))
    assert output.u.dtype == torch.float64
    torch.testing.assert_close(output.u, twin.u, rtol=1e-10, atol=1e-10)


def test_drawn_points_are_a_function_of_the_generator() -> None:
    settings = ConstraintSettings(points=40)
    layer = ExpertConstraint(Burgers(viscosity=0.1), points(12), points(24, -1.0), (1, 2), settings)
    first, again, other = (layer(Waves(2, 3), generator=generator(seed)).weights for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert 1e-8 < float((first - other).norm()) < 0.5 * float(first.norm())
    with pytest.raises(InputError, match="expected a generator"):
        layer(Waves(2, 3))


def test_boxes_are_taken_apart_and_put_together_again() -> None:
    boxes, fields = Boxes(6, 8, 3, 2), normal(2, 1, 6, 8, 1)
    members = boxes.partition(fields)
    assert members.shape == (12, 1, 8, 1)
    torch.testing.assert_close(boxes.assemble(members[:, 0, :, 0]), fields[:, 0, :, :, 0], rtol=0, atol=0)
    torch.testing.assert_close(members[3, 0, :, 0], fields[0, 0, 2:4, 4:, 0].flatten(), rtol=0, atol=0)
    assert boxes.name(9) == "expert (1, 1) by (time, place) of instance 1"


def test_widths_add_up_to_the_interval() -> None:
    cells = (torch.arange(10, dtype=torch.float64) + 0.5) / 10
    torch.testing.assert_close(widths(cells, 0.0, 1.0), torch.full((10,), 0.1, dtype=torch.float64))
    assert float(widths(points(5), 0.0, 2.0).sum()) == 2.0


def test_derivatives_on_a_grid_are_exact_for_parabolas_between_points_and_beyond() -> None:
    times, cells = points(6), (torch.arange(8, dtype=torch.float64) + 0.5) / 8
    values = (times[:, None] * cells**2 + 2 * times[:, None] ** 2)[None, :, :, None]
    basis = GridBasis(values, times, cells)
    found = basis.derivatives([(1, 0), (0, 1), (0, 2), (1, 1)], times, points(3))[0, ..., 0]
    edges = points(3)
    torch.testing.assert_close(found[1], 2 * times[:, None] * edges, rtol=0, atol=1e-11)
    torch.testing.assert_close(found[2], 2 * times[:, None].expand(6, 3), rtol=0, atol=1e-11)
    torch.testing.assert_close(found[3], (2 * edges).expand(6, 3), rtol=0, atol=1e-10)
    with pytest.raises(InputError, match="expected at most one spacing beyond the grid"):
        basis.derivatives([(0, 0)], times, points(3, 0.0, 2.0))


def test_derivatives_of_polynomials_are_those_of_automatic_differentiation() -> None:
    def fields(at: Tensor) -> Tensor:
        t, x = torch.acos(at[:, :1] - 1), torch.acos(2 * (at[:, 1:] - 1) / 3 - 1)  # on [0, 2] and [1, 4]
        return torch.cat([torch.cos(i * t) * torch.cos(j * x) for i in range(3) for j in range(4)], 1)

    times, x = points(5, 0.1, 1.9), points(4, 1.1, 3.9)
    orders = [(0, 0), (1, 0), (0, 1), (2, 0), (0, 2)]
    found = ChebyshevBasis(Box([1.0], [4.0]), 2.0, 2, 3).derivatives(orders, times, x)[0]
    jet = jet_of(fields, torch.cartesian_prod(times, x), 2)
    for place, expected in enumerate((jet.value, *jet.first, *jet.second)):
        torch.testing.assert_close(found[place], expected.view(5, 4, 12), rtol=1e-9, atol=1e-9)


def test_derivatives_of_a_network_are_those_of_automatic_differentiation() -> None:
    with seeded(1):
        network = TanhNetwork(2, 3).double()
    times, x = points(3), points(4)
    found = NetworkBasis(network).derivatives([(0, 0), (1, 0), (0, 2)], times, x)[0]
    jet = jet_of(network, torch.cartesian_prod(times, x), 2)
    for place, expected in enumerate((jet.value, jet.first[0], jet.second[1])):
        torch.testing.assert_close(found[place], expected.view(3, 4, 3), rtol=1e-10, atol=1e-12)
    with pytest.raises(InputError, match=r"no derivative \(1, 1\) by \(t, x\)"):
        NetworkBasis(network).derivatives([(1, 1)], times, x)
    with pytest.raises(InputError, match="has 3 inputs, expected two"):
        NetworkBasis(TanhNetwork(3, 3))


def test_modes_of_snapshots_reproduce_a_solution_that_they_span() -> None:
    times, x = points(41), points(81)
    exact = [
        torch.stack([Heat(d).exact(x[:, None], float(t))[:, 0] for t in times]) for d in (0.05, 0.075, 0.1, 0.125, 0.15)
    ]
    basis = proper_orthogonal_modes(torch.stack([exact[each] for each in (0, 1, 3, 4)]), 4, times, x)
    output = HardConstraintLayer(Heat(0.1), times, x)(basis)
    assert float((output.u[0] - exact[2]).norm()) < 5e-3 * float(exact[2].norm())
    flat = basis.derivatives([(0, 0)], times, x)[0, 0].flatten(0, 1)
    torch.testing.assert_close(flat.T @ flat / len(flat), torch.eye(4, dtype=torch.float64), rtol=0, atol=1e-10)


def test_the_published_weighting_needs_a_positive_start() -> None:
    settings = ConstraintSettings(weighting="paper")
    with pytest.raises(InputError, match="values that are not positive, by which rows of the weighting 'paper'"):
        HardConstraintLayer(Burgers(), points(6), points(12, -1.0), settings)(Waves(1, 2))


def test_independent_experts_have_the_rows_of_the_whole_start() -> None:
    """Published: each obeys start and ends of the whole; with faces, those that it touches."""
    layers = [ExpertConstraint(Heat(), points(4), points(8), (2, 2), each) for each in (None, INDEPENDENT)]
    basis = ChebyshevBasis(Heat().domain, 1.0, 1, 1)
    counts = [(layer._rows(basis, Heat().coefficients, 1)[0].abs().sum(2) > 1e-5).sum(1).tolist() for layer in layers]
    assert counts[1] == [8 + 3 + 3] * 4  # the ends after time 0
    assert counts[0] == [4 + 1, 4 + 1, 2, 2]


def test_the_whole_start_takes_the_freedom_of_independent_experts() -> None:
    """Even where the exact solution is given, the best fit is several times worse with the rows of the whole start."""
    times, x, problem = points(24), points(48, -1.0), Burgers(viscosity=0.05)
    basis = ChebyshevBasis(problem.domain, problem.duration, time_degree=3, degree=4)
    exact = torch.stack([problem.exact(x[:, None], float(t))[:, 0] for t in times])
    errors = []
    for settings in (None, INDEPENDENT):
        layer = ExpertConstraint(problem, times, x, (1, 8), settings)
        fields = layer.boxes.partition(basis.derivatives([(0, 0)], times, x))[:, 0]
        wanted = layer.boxes.partition(exact[None, None, ..., None])[:, 0, :, 0]
        matrix, right = layer._rows(basis, problem.coefficients, 1)
        scale = exact.numel() ** -0.5
        rows = torch.cat([scale * fields, matrix], 1), torch.cat([scale * wanted, right], 1)[..., None]
        fit = fields @ torch.linalg.lstsq(*rows).solution
        errors.append(float((layer.boxes.assemble(fit[..., 0])[0] - exact).norm() / exact.norm()))
    assert errors[0] < 0.02
    assert errors[1] > 2.5 * errors[0]


def test_what_does_not_fit_is_refused_with_a_sentence() -> None:
    times, x, problem = points(6), points(12, -1.0), Burgers()
    with pytest.raises(InputError, match="axis of place has 12 points for 5 experts, expected a multiple of 5"):
        ExpertConstraint(problem, times, x, (1, 5))
    with pytest.raises(InputError, match="axis of time has 6 points for 4 experts"):
        ExpertConstraint(problem, times, x, (4, 1))
    with pytest.raises(InputError, match="18 points for the 30 fields of the basis"):
        ExpertConstraint(problem, times, x, (2, 2))(Waves(4, 6))
    with pytest.raises(
        InputError, match=r"values of the places of the constraint are outside, .* expected numbers from -1 to 1"
    ):
        HardConstraintLayer(problem, times, points(12, -1.0, 2.0))
    with pytest.raises(InputError, match="100 points of each expert are to be drawn, expected at most the 72"):
        HardConstraintLayer(problem, times, x, ConstraintSettings(points=100))
    values = torch.sin(normal(2, 6, 12, 3))
    values[1, 5, 11, 0] = torch.nan
    with pytest.raises(InputError, match=r"first of them expert \(0, 1\) by \(time, place\) of instance 1"):
        ExpertConstraint(problem, times, x, (1, 2))(GridBasis(values, times, x))
    with pytest.raises(InputError, match="not equally spaced"):
        GridBasis(values, times, x**3)
    with pytest.raises(InputError, match="the coupling of experts"):
        ConstraintSettings(coupling="strong")


class Twice(ChebyshevBasis):
    """Polynomials, and the first of them once more."""

    def derivatives(self, orders: Sequence[tuple[int, int]], times: Tensor, x: Tensor) -> Tensor:
        fields = super().derivatives(orders, times, x)
        return torch.cat([fields, fields[..., :1]], -1)


def test_fields_that_depend_on_others_are_refused_by_expert_unless_there_is_a_ridge() -> None:
    basis = Twice(Heat().domain, 1.0, 1, 2)
    arguments = Heat(diffusivity=[0.1, 0.2]), points(6), points(12), (1, 2)
    for coupling, name in (
        ("independent", r"expert \(0, 0\) by \(time, place\) of instance 0"),
        ("faces", "instance 0"),
    ):
        with pytest.raises(SingularSystemError, match=f"the residuals of {name} do not determine its unknowns"):
            ExpertConstraint(*arguments, ConstraintSettings(coupling=coupling, ridge=0.0))(basis)
    weights = ExpertConstraint(*arguments)(basis).weights
    torch.testing.assert_close(weights[..., 0], weights[..., -1], rtol=1e-4, atol=1e-4)  # the shortest of all


def test_conditions_at_the_ends_that_contradict_the_start_have_no_rows_at_time_0() -> None:
    """u starts from 0.1 where it is held at 1 afterwards."""
    times, x = points(5, 0.0, 500.0), (points(9)[1:] + points(9)[:-1]) / 2
    count = len(times) * len(x)
    basis = GridBasis(torch.eye(count, dtype=torch.float64).reshape(1, len(times), len(x), count), times, x)
    problem = DiffusionSorption(0.1)
    for matrix, _ in HardConstraintLayer(problem, times, x).lattice.end_rows(basis, problem.coefficients):
        assert matrix[0].abs().amax(1).gt(0).tolist() == [False, True, True, True, True]


def test_an_iteration_that_ends_early_is_told_once() -> None:
    settings = ConstraintSettings(iteration=BatchedSettings(max_solves=1))
    layer = HardConstraintLayer(Burgers(viscosity=0.05), points(12), points(24, -1.0), settings)
    with pytest.warns(UserWarning, match="has not converged for 1 of 1 items"):
        layer(Waves(3, 4))
    layer(Waves(3, 4))


class Sorption(PointwiseResidual):
    """u_t = 500 D / R(u) u_xx, with the published retardation."""

    def value(self, v: Tensor) -> Tensor:
        u, u_t, u_xx = v.unbind(1)
        retardation = 1 + 2.4678 * (u.clamp(min=0) + 1e-6) ** (0.874 - 1)
        return u_t - 0.25 / retardation * u_xx


def _seconds(experts: int, seed: int) -> tuple[float, float]:
    """CPU seconds forward and backward for 256 unknowns and 8192 points in all, random waves in place of a network."""
    count, functions = 8192 // experts, 256 // experts
    draws = generator(seed, experts)
    places = torch.rand(experts, count, 2, dtype=torch.float64, generator=draws)
    frequencies = 3 * torch.randn(functions, 2, dtype=torch.float64, generator=draws)
    shifts = 2 * math.pi * torch.rand(functions, dtype=torch.float64, generator=draws)
    phases = places @ frequencies.T + shifts
    derivatives = frequencies[:, 0] * torch.cos(phases), -(frequencies[:, 1] ** 2) * torch.sin(phases)
    terms = torch.stack([torch.sin(phases), *derivatives], 1).requires_grad_()
    start = 1.25 * torch.sin(frequencies[:, 1] * points(64)[:, None] + shifts)
    matrix = torch.cat([start, 1e-3 * torch.eye(functions, dtype=torch.float64)])
    right = torch.cat([torch.full((64,), 0.125), torch.zeros(functions)]).double()
    rows = matrix.expand(experts, -1, -1), right.expand(experts, -1)
    problem = PointwiseProblem(terms, Sorption(), weights=torch.full((count,), 25 / 8192).double(), rows=rows)
    begin = time.process_time()
    w, _ = solve(problem, settings=BatchedSettings(max_solves=15))
    middle = time.process_time()
    w.square().sum().backward()
    return middle - begin, time.process_time() - middle


@pytest.mark.timing
def test_as_many_unknowns_cost_less_the_more_experts_share_them() -> None:
    _seconds(16, 0)  # warm
    medians = {each: torch.tensor([_seconds(each, seed) for seed in range(3)]).median(0).values for each in (1, 4, 16)}
    assert bool((medians[1] >= 6 * medians[16]).all())
    assert bool((medians[1] >= 2.5 * medians[4]).all())
    assert medians[1][1] <= 2 * medians[1][0]  # a gradient in everything beside the solution


@pytest.mark.parametrize(
    ("coefficients", "sentence"),
    [
        ({}, r"are named \[\], expected \['diffusivity'\]"),
        ({"nu": torch.ones(1)}, r"are named \['nu'\]"),
        ({"diffusivity": torch.tensor(0.1)}, "the shape of the coefficient 'diffusivity' of Heat"),
        ({"diffusivity": torch.ones(0)}, "the numbers of instances are"),
        ({"diffusivity": torch.ones(3)}, r"instances are {'basis': 2, 'diffusivity': 3}, expected 1, or one number"),
    ],
)
def test_coefficients_that_do_not_fit_problem_and_basis_are_refused(
    coefficients: dict[str, Tensor], sentence: str
) -> None:
    times, x = points(4), points(5)
    with pytest.raises(InputError, match=sentence):
        HardConstraintLayer(Heat(), times, x)(GridBasis(normal(2, 4, 5, 2), times, x), coefficients)


@pytest.mark.parametrize(
    ("guess", "sentence"),
    [
        (torch.ones(3, 1, 2), "the guess of the constraint is one for 3 instances, expected 1 or 2"),
        (torch.ones(0, 1, 2), "one for 0 instances, expected 1 or 2"),
        (torch.ones(2, 1, 3), r"the shape of the guess of the constraint is \(2, 1, 3\), expected \(instances, 1, 2\)"),
        (torch.tensor(1.0), r"the shape of the guess of the constraint is \(\)"),
        (np.ones((2, 1, 2)), "the guess of the constraint"),
    ],
)
def test_a_guess_for_other_instances_is_refused(guess: Tensor, sentence: str) -> None:
    times, x = points(4), points(5)
    layer, basis = HardConstraintLayer(Heat(), times, x), GridBasis(normal(2, 4, 5, 2), times, x)
    for solve_by in (layer, layer.squares):
        with pytest.raises(InputError, match=sentence):
            solve_by(basis, guess=guess)
    assert torch.equal(layer(basis, guess=torch.ones(1, 1, 2)).u, layer(basis, guess=torch.ones(2, 1, 2)).u)


def test_more_modes_than_snapshots_span_are_refused() -> None:
    with pytest.raises(InputError, match="the snapshots have the rank 1, expected at least the 2 modes"):
        proper_orthogonal_modes(torch.ones(3, 4, 5), 2, points(4), points(5))
    with pytest.raises(InputError, match="the snapshots have the rank 20"):
        proper_orthogonal_modes(normal(30, 4, 5), 25, points(4), points(5))
