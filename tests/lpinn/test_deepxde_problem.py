"""Problems as DeepXDE's objects: points, conditions and residuals are those of the problem and of our own code."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.deepxde_backend import DISTRIBUTIONS, RANDOM, deepxde, double_precision, forget_derivatives
from sciml.deepxde_backend import seeded as drawn
from sciml.domains import Box
from sciml.errors import InputError
from sciml.lpinn import (
    Characteristics,
    Convection,
    Lagrangian,
    StandardBurgers,
    TransportProblem,
    TwoBranches,
    ViscousBurgers,
)
from sciml.lpinn.problems.deepxde_data import Collocation, conditions, equation, space_time, time_pde
from sciml.nets import FourierNetwork
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import seeded


class Channel(TransportProblem):
    """A known u in a channel that is periodic across, with diffusion or none, and the source that this needs."""

    domain, duration = Box([0.0, -1.0], [2.0, 1.0], [False, True]), 0.5

    def __init__(self, viscosity: float) -> None:
        self.viscosity = viscosity

    def velocity(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        return torch.cat([1 + u, 0.3 * t], 1)

    def known(self, x: Tensor, t: Tensor) -> Tensor:
        return 0.5 * torch.sin(x[:, :1] - t) * torch.cos(math.pi * x[:, 1:])

    def initial(self, x: Tensor) -> Tensor:
        return self.known(x, torch.zeros_like(x[:, :1]))

    def inflow(self, x: Tensor, t: Tensor) -> Tensor:
        return self.known(x, t)

    def source(self, x: Tensor, t: Tensor, u: Tensor) -> Tensor:
        along, across = x[:, :1] - t, math.pi * x[:, 1:]
        slopes = 0.5 * torch.cos(along) * torch.cos(across), -0.5 * math.pi * torch.sin(along) * torch.sin(across)
        known = self.known(x, t)
        return (1 + known - 1) * slopes[0] + 0.3 * t * slopes[1] + self.viscosity * (1 + math.pi**2) * known


PROBLEMS = [Convection(30.0), StandardBurgers(), Channel(0.0), Channel(0.1)]
SMALL = Collocation(60, 20, 10)


def tables() -> tuple[dict[Any, Any], ...]:
    """What DeepXDE remembers of derivatives."""
    reverse = deepxde().grad.gradients_reverse
    return reverse.jacobian._Jacobians.Js, reverse.hessian._Hessians.Hs


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("problem", [PROBLEMS[1], PROBLEMS[3]])
def test_points_lie_in_space_time_and_are_as_many_as_asked(problem: TransportProblem, distribution: Any) -> None:
    with drawn(3):
        data = time_pde(problem, Collocation(60, 20, 10, distribution))
    points = torch.from_numpy(data.train_x_all)
    assert points.dtype == torch.float64 and points.shape == (90, problem.domain.dim + 1)
    assert bool(problem.domain.contains(points[:, :-1]).all())
    assert bool(((points[:, -1] >= 0) & (points[:, -1] <= problem.duration)).all())
    assert int((points[:, -1] == 0).sum()) == 10 == data.num_bcs[0]
    assert int(data.geom.on_boundary(data.train_x_all).sum()) == 20


def test_points_depend_on_the_seed_and_leave_random_states_and_types_alone() -> None:
    before = torch.get_default_dtype(), torch.get_rng_state().tolist(), str(np.random.get_state())  # noqa: NPY002
    for name in DISTRIBUTIONS:
        found = []
        for seed in (0, 0, 1):
            with drawn(seed):
                found.append(time_pde(Convection(), Collocation(30, 8, 8, name)).train_x_all)
        assert np.array_equal(found[0], found[1])
        assert np.array_equal(found[0][16:], found[2][16:]) == (name not in RANDOM)
    after = torch.get_default_dtype(), torch.get_rng_state().tolist(), str(np.random.get_state())  # noqa: NPY002
    assert before == after


@pytest.mark.parametrize("problem", [Channel(0.0), Channel(0.1)])
def test_the_residual_of_a_known_solution_vanishes_and_its_conditions_hold(problem: Channel) -> None:
    with drawn(0), double_precision():
        data = time_pde(problem, SMALL)
        inputs = torch.from_numpy(data.train_x).requires_grad_()
        u = problem.known(inputs[:, :-1], inputs[:, -1:])
        losses = data.losses(None, u, deepxde().losses.get("MSE"), inputs, None)
        residual = equation(problem)(inputs, u).detach()
    assert float(residual.abs().max()) < 1e-13
    names = [type(condition).__name__ for condition in data.bcs]
    periodic = ["PeriodicBC"] * (2 if problem.viscosity else 1)
    assert names == ["IC", *periodic, "DirichletBC"]
    assert len(losses) == 1 + len(names) and float(torch.stack(losses).detach().max()) < 1e-24
    forget_derivatives()
    assert not any(tables())


def test_values_are_given_where_the_flow_enters_and_everywhere_with_viscosity() -> None:
    for viscosity, sides in ((0.0, {0.0}), (0.1, {0.0, 2.0})):
        with drawn(0), double_precision():
            data = time_pde(Channel(viscosity), SMALL)
        first = sum(data.num_bcs[:-1])
        assert set(data.train_x[first : sum(data.num_bcs), 0]) == sides


def test_conditions_that_the_network_holds_are_left_out() -> None:
    problem = Channel(0.1)
    place = space_time(problem)
    assert [type(found).__name__ for found in conditions(problem, place, initial=False, periods=False)] == [
        "DirichletBC"
    ]
    with drawn(0), double_precision():
        data = time_pde(Convection(), SMALL, initial=False, periods=False)
    assert data.bcs == [] and data.train_x.shape == (60, 2)


def test_wrong_counts_and_distributions_are_refused() -> None:
    with pytest.raises(InputError, match="the distribution of points is 'sobol', expected one of pseudo, LHS"):
        Collocation(distribution="sobol")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="number of domain points is 0"):
        Collocation(domain=0)
    with pytest.raises(InputError, match="number of initial points is -1"):
        Collocation(initial=-1)


# ------------------------------------------------------------------------------------ two branches, as DeepXDE has them


def branches(width: tuple[int, int]) -> tuple[TwoBranches, Characteristics]:
    """Ours: random weights, one wave of the label, in the Lagrangian frame."""
    problem = ViscousBurgers(mean=0.7, viscosity=0.05)
    box = [[0.0, 0.0], [2 * math.pi, 1.0]]
    with seeded(0):
        parts = [FourierNetwork(2, 1, n, 2, box, modes=1, periodic=[True, False]).double() for n in width]
    network = TwoBranches(*parts)
    return network, Characteristics(problem, Lagrangian(), FlatModule(network))


def parallel(network: TwoBranches, made: Characteristics, width: tuple[int, int]) -> Any:
    """DeepXDE's ``PFNN`` of (cos, sin, time) with the same weights, whose outputs are X and w themselves."""
    dde = deepxde()
    found = dde.nn.PFNN([3, list(width), list(width), 2], "tanh", "Glorot normal")
    for number, branch in enumerate((network.position, network.state)):
        for layer, sublayers in zip(branch.layers, found.layers, strict=True):
            sublayers[number].load_state_dict(layer.state_dict())
        amplitude, first = float(branch.amplitudes[0]), branch.layers[0]
        sine, cosine, time = first.weight.detach().T  # of time scaled to [-1, 1]
        with torch.no_grad():
            found.layers[0][number].weight.copy_(torch.stack([amplitude * cosine, amplitude * sine, 2 * time], 1))
            found.layers[0][number].bias.copy_(first.bias - time)
    problem = made.problem

    def carried(inputs: Tensor, outputs: Tensor) -> Tensor:
        label, time = inputs[:, :1], inputs[:, 1:]
        position = label + time * (made.drift + made.speed * outputs[:, :1])
        state = problem.initial(label) + time * made.size / problem.duration * outputs[:, 1:]
        return torch.cat([position, state], 1)

    found.apply_feature_transform(lambda at: torch.cat([torch.cos(at[:, :1]), torch.sin(at[:, :1]), at[:, 1:]], 1))
    found.apply_output_transform(carried)
    return found


def lagrangian(viscosity: float) -> Any:
    """The system of the paper, with the diffusion of the equation, by DeepXDE's derivatives."""
    jacobian = deepxde().grad.jacobian

    def system(inputs: Tensor, outputs: Tensor) -> list[Tensor]:
        stretch = jacobian(outputs, inputs, i=0, j=0)
        slope = jacobian(outputs, inputs, i=1, j=0) / stretch
        spread = jacobian(slope, inputs, i=0, j=0) / stretch
        rate = jacobian(outputs, inputs, i=1, j=1)
        return [jacobian(outputs, inputs, i=0, j=1) - outputs[:, 1:], stretch * (rate - viscosity * spread)]

    return system


@pytest.mark.parametrize("starts", [0, 2])
def test_two_branches_of_deepxde_have_the_residuals_of_ours(starts: int) -> None:
    width = (6, 10)
    ours, made = branches(width)
    problem = made.problem
    with drawn(0), double_precision() as dde:
        network = parallel(ours, made, width)
        place = space_time(problem)
        system = lagrangian(problem.viscosity)
        known = [lambda at: at[:, :1], lambda at: problem.initial(torch.from_numpy(at[:, :1]))]
        held = [dde.icbc.IC(place, known[k], lambda at, on: on, component=k) for k in range(starts)]
        data = dde.data.TimePDE(place, system, held, num_domain=100, num_initial=10 if starts else 0)
        model = dde.Model(data, network)
        model.compile("adam", lr=1e-3, verbose=0)
        inputs = torch.from_numpy(data.train_x_all[-100:]).requires_grad_()
        theirs = torch.cat([column.detach() for column in system(inputs, network(inputs))], 1)
        losses = model.outputs_losses_train(data.train_x, None, None)[1].detach()
        assert not any(tables())  # a step forgets
    points = inputs.detach()
    start = made.initial([], 0, points[:, :1], 2)
    found = made.residuals(made.network.vector(), 0, points, start) * points.new_tensor([made.speed, made.size])
    assert float(found.abs().max()) > 0.1
    assert torch.allclose(found, theirs, rtol=0, atol=1e-10)
    assert len(losses) == 2 + starts and not bool((losses[2:] > 1e-28).any())  # the form holds both starts
