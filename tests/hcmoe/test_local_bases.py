"""Bases of each box and windows: derivatives, smoothness, recovery of solutions, convergence, refusals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe import Burgers, ChebyshevBasis, ConstraintSettings, ExpertConstraint, GridBasis, Heat, RandomFeatures
from sciml.hcmoe.local_bases import PiecewiseBasis, corners
from sciml.numerics.derivatives import jet_of
from sciml.numerics.random import generator

WINDOWS = ConstraintSettings(coupling="windows")
LIFTED = ConstraintSettings(coupling="windows", start="lift")


def points(count: int, lower: float = 0.0, upper: float = 1.0) -> Tensor:
    return torch.linspace(lower, upper, count, dtype=torch.float64)


class HeatModes:
    """The two damped sines of which the solution consists, and fields that it does not need."""

    def fields(self, at: Tensor) -> Tensor:
        t, x = at[:, :1], at[:, 1:]
        modes = [torch.exp(-0.1 * (k * math.pi) ** 2 * t) * torch.sin(k * math.pi * x) for k in (1, 2, 3)]
        return torch.cat([*modes, t * x, x**3], 1)

    def derivatives(self, orders: Sequence[tuple[int, int]], times: Tensor, x: Tensor) -> Tensor:
        jet = jet_of(self.fields, torch.cartesian_prod(times, x).reshape(-1, 2), 2)
        columns = {(0, 0): jet.value, (1, 0): jet.first[0], (0, 1): jet.first[1], (0, 2): jet.second[1]}
        return torch.stack([columns[order] for order in orders]).unflatten(1, (len(times), len(x)))[None]


def exact(problem, times: Tensor, x: Tensor) -> Tensor:
    return torch.stack([problem.exact(x[:, None], float(t))[:, 0] for t in times])


@pytest.mark.parametrize("experts", [(1, 1), (2, 1), (1, 4), (2, 3)])
def test_a_solution_in_the_basis_is_what_windows_and_faces_find(experts: tuple[int, int]) -> None:
    times, x, problem = points(12), points(24), Heat()
    found = [ExpertConstraint(problem, times, x, experts, each)(HeatModes()) for each in (WINDOWS, None)]
    for output in found:
        torch.testing.assert_close(output.u[0], exact(problem, times, x), rtol=0, atol=1e-9)
    expected = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    assert found[0].weights.shape == (1, math.prod(experts), 5)
    torch.testing.assert_close(found[0].weights, expected.expand_as(found[0].weights), rtol=0, atol=1e-7)


def test_the_blended_solution_is_smooth_across_faces_and_solves_between_points() -> None:
    times, x, problem = points(16), points(32, -1.0), Burgers(viscosity=0.1)
    layer = ExpertConstraint(problem, times, x, (2, 2), WINDOWS)
    basis = ChebyshevBasis(problem.domain, 1.0, 3, 6)
    output = layer(basis)
    assert float(layer.jumps(basis, output.weights)) == 0
    fields, gap = layer.joined(basis, {}), 1e-7
    here = torch.tensor([0.5 - gap, 0.5 + gap], dtype=torch.float64)
    orders = [(0, 0), (1, 0), (0, 1), (0, 2)]
    values = fields.derivatives(orders, here, here - 0.5) @ output.weights.flatten()
    sizes = (fields.derivatives(orders, times, x) @ output.weights.flatten()).abs().amax((0, 2, 3))
    jumps = (values.amax((0, 2, 3)) - values.amin((0, 2, 3))) / sizes
    assert float(jumps.max()) < 1e-4  # four points around a corner of four boxes
    between = points(31, -0.97, 0.97)
    u = fields.derivatives([(0, 0)], points(7, 0.1, 0.9), between)[0, 0] @ output.weights.flatten()
    assert float((u - exact(problem, points(7, 0.1, 0.9), between)).norm() / u.norm()) < 0.02


def burgers_error(experts: tuple[int, int], settings: ConstraintSettings) -> float:
    times, x, problem = points(24), points(96, -1.0), Burgers(viscosity=0.1)
    basis = ChebyshevBasis(problem.domain, problem.duration, time_degree=6, degree=4)
    u = ExpertConstraint(problem, times, x, experts, settings)(basis).u[0]
    return float((u - exact(problem, times, x)).norm() / u.norm())


@pytest.mark.parametrize("settings", [WINDOWS, LIFTED], ids=["rows", "lift"])
def test_more_windows_come_closer_to_the_exact_front(settings: ConstraintSettings) -> None:
    errors = [burgers_error((1, count), settings) for count in (1, 2, 4, 8)]
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert errors[-1] < 0.01 * errors[0]


@pytest.mark.parametrize("basis", [ChebyshevBasis(Burgers().domain, 1.0, 1, 3), RandomFeatures(6)], ids=["same", "own"])
def test_a_lifted_start_is_exact_in_windows_and_in_boxes(basis) -> None:
    times, x, problem = points(8), points(24, -1.0), Burgers(viscosity=[0.05, 0.1])
    for coupling in ("windows", "faces"):
        settings = ConstraintSettings(coupling=coupling, start="lift")
        output = ExpertConstraint(problem, times, x, (2, 2), settings)(basis)
        expected = -torch.sin(math.pi * x)
        torch.testing.assert_close(output.u[:, 0], expected.expand(2, 24), rtol=0, atol=1e-13)
        torch.testing.assert_close(output.weights[..., -1], torch.ones(2, 4, dtype=torch.float64), rtol=0, atol=1e-13)
        assert float((output.u[:, -1] - expected).norm()) > 0.1


@pytest.mark.parametrize("activation", ["tanh", "sine"])
def test_derivatives_of_random_features_are_those_of_automatic_differentiation(activation: str) -> None:
    features = RandomFeatures(7, activation, scale=3.0, seed=4).within(2, (0.5, -1.0), (1.0, 3.0))
    times, x, orders = points(3, 0.5), points(4, -1.0, 3.0), [(0, 0), (1, 0), (0, 1), (2, 0), (0, 2)]

    def fields(at: Tensor) -> Tensor:
        return torch.stack([features.derivatives([(0, 0)], t[None], x[None])[0, 0, 0, 0] for t, x in at])

    jet = jet_of(fields, torch.cartesian_prod(times, x), 2)
    found = features.derivatives(orders, times, x)[0]
    for place, expected in enumerate((jet.value, *jet.first, *jet.second)):
        torch.testing.assert_close(found[place], expected.view(3, 4, 7), rtol=1e-9, atol=1e-9)
    slopes = torch.func.jacfwd(lambda t: features.derivatives([(0, 2)], t, x[:1])[0, 0, 0, 0])(times[:1])[:, 0]
    torch.testing.assert_close(features.derivatives([(1, 2)], times[:1], x[:1])[0, 0, 0, 0], slopes)


def test_random_features_are_functions_of_seed_and_box_and_vary_as_much_in_small_boxes() -> None:
    def values(seed: int, box: int, size: float = 1.0) -> Tensor:
        features = RandomFeatures(5, seed=seed).within(box, (0.0, 0.0), (size, size))
        return features.derivatives([(0, 0)], size * points(3), size * points(4))

    torch.testing.assert_close(values(1, 0), values(1, 0), rtol=0, atol=0)
    torch.testing.assert_close(values(1, 0), values(1, 0, 0.01), rtol=1e-12, atol=1e-12)
    assert float((values(1, 0) - values(2, 0)).abs().max()) > 0.1
    assert float((values(1, 0) - values(1, 1)).abs().max()) > 0.1


@pytest.mark.parametrize("coupling", ["faces", "windows"])
@pytest.mark.parametrize("activation", ["tanh", "sine"])
def test_more_random_features_come_closer_to_the_exact_solution(coupling: str, activation: str) -> None:
    times, x, problem = points(16), points(32), Heat()
    layer = ExpertConstraint(problem, times, x, (1, 2), ConstraintSettings(coupling=coupling, ridge=1e-10))
    errors = []
    for count in (10, 30, 90):
        u = layer(RandomFeatures(count, activation, scale={"tanh": 1.0, "sine": 2.0}[activation])).u[0]
        errors.append(float((u - exact(problem, times, x)).norm() / u.norm()))
    assert errors[0] > 5 * errors[1] > 100 * errors[2]


def test_fields_of_boxes_are_joined_in_the_order_of_their_points_and_have_two_sides() -> None:
    faces = points(3), points(4)
    bases = [RandomFeatures(2).within(*each) for each in corners(faces, windows=False)]
    joined, draws = PiecewiseBasis(bases, faces), generator(5)
    times, x = (torch.rand(9, generator=draws, dtype=torch.float64) for _ in range(2))
    found = joined.derivatives([(0, 0), (0, 2)], times, x)
    for i, t in enumerate(times.tolist()):
        for j, place in enumerate(x.tolist()):
            box = int(t > 0.5) * 3 + int(place * 3)
            own = bases[box].derivatives([(0, 0), (0, 2)], times[i : i + 1], x[j : j + 1])
            torch.testing.assert_close(found[:, :, i, j], own[:, :, 0, 0], rtol=0, atol=0)
    before, after = (side.derivatives([(0, 0)], points(2)[:1], faces[1][1:2]) for side in joined.sides)
    torch.testing.assert_close(before, bases[0].derivatives([(0, 0)], points(2)[:1], faces[1][1:2]), rtol=0, atol=0)
    torch.testing.assert_close(after, bases[1].derivatives([(0, 0)], points(2)[:1], faces[1][1:2]), rtol=0, atol=0)


@pytest.mark.parametrize("start", ["rows", "lift"])
def test_gradients_through_windows_are_those_of_differences(start: str) -> None:
    times, x = points(4), points(8, -1.0)
    layer = ExpertConstraint(Burgers(), times, x, (1, 2), ConstraintSettings("windows", start, ridge=1e-2))

    def solved(values: Tensor, viscosity: Tensor) -> Tensor:
        return layer(GridBasis(values, times, x), {"viscosity": viscosity}).u

    values = torch.sin(torch.randn(2, 4, 8, 3, dtype=torch.float64, generator=generator(0)))
    arguments = values.requires_grad_(), torch.tensor([0.1, 0.3], dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(solved, arguments, eps=1e-6, atol=1e-5, rtol=1e-4, fast_mode=True)


def test_drawn_points_serve_windows() -> None:
    settings = ConstraintSettings(coupling="windows", points=60)
    layer = ExpertConstraint(Heat(), points(12), points(24), (1, 2), settings)
    output = layer(HeatModes(), generator=generator(0))
    torch.testing.assert_close(output.u[0], exact(Heat(), points(12), points(24)), rtol=0, atol=1e-8)


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    times, x = points(6), points(12)
    with pytest.raises(InputError, match="independent experts have the rows of the whole start"):
        ExpertConstraint(Heat(), times, x, (1, 2), ConstraintSettings("independent"))(RandomFeatures(4))
    with pytest.raises(InputError, match="each expert has 18 points for the 19 fields of the basis"):
        ExpertConstraint(Heat(), times, x, (2, 2), WINDOWS)(RandomFeatures(19))
    with pytest.raises(InputError, match="random features have derivatives up to the order 3"):
        RandomFeatures(4).within(0, (0.0, 0.0), (1.0, 1.0)).derivatives([(2, 2)], times, x)
    values = torch.ones(2, 6, 12, 3, dtype=torch.float64)
    values[1, 0, 0] = torch.nan
    with pytest.raises(InputError, match=r"the basis is not finite .* the first of them instance 1"):
        ExpertConstraint(Heat([0.1, 0.2]), times, x, (1, 2), WINDOWS)(GridBasis(values, times, x))
    for wrong in (
        {"count": 0},
        {"count": 3, "activation": "relu"},
        {"count": 3, "scale": 0.0},
        {"count": 3, "seed": -1},
    ):
        with pytest.raises(InputError, match="random features"):
            RandomFeatures(**wrong)
