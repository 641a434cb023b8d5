"""Two branches are two networks side by side."""

from __future__ import annotations

import pytest
import torch

from sciml.errors import InputError
from sciml.lpinn import Lagrangian, TwoBranches, VariableConvection
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.networks import start_at_zero
from sciml.nets import FourierNetwork, TanhNetwork
from sciml.numerics.derivatives import Jet
from sciml.numerics.flat import FlatModule
from sciml.numerics.linearisation import Residuals, ResidualSystem
from sciml.numerics.random import seeded


def two() -> TwoBranches:
    with seeded(0):
        return TwoBranches(TanhNetwork(3, 2, 4, 1), TanhNetwork(3, 1, 6, 3)).double()


POINTS = torch.rand(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_channels_of_both_stand_side_by_side_with_all_derivatives() -> None:
    net = two()
    assert (net.inputs, net.outputs) == (3, 3)
    assert torch.equal(net(POINTS), torch.cat([net.position(POINTS), net.state(POINTS)], 1))
    along = torch.eye(3, dtype=torch.float64)[:2]
    for order in range(3):
        jet = net(POINTS, order, along)
        expected = torch.cat([part(POINTS, order, along).rows for part in (net.position, net.state)], -1)
        assert torch.equal(jet.rows, expected)


def test_no_weight_is_shared() -> None:
    net = two()
    net(POINTS)[:, :2].sum().backward()
    assert not any(weight.grad.any() for weight in net.state.parameters())
    assert all(weight.grad.any() for weight in net.position.parameters())


@pytest.mark.parametrize("branches", [True, False])
def test_networks_may_begin_at_zero(branches: bool) -> None:
    net = two() if branches else two().position
    start_at_zero(net)
    assert not net(POINTS).any()
    before = FlatModule(net).vector()
    assert before.any()  # the other layers stay what they were


def test_one_network_for_both_is_the_shared_trunk_of_the_official_code() -> None:
    problem = VariableConvection()
    with seeded(0):
        trunk = FourierNetwork(2, 2, 6, 2, [[0.0, 0.0], [6.283185307179586, 1.0]], 2, periodic=[True, False]).double()
    made = Characteristics(problem, Lagrangian(), FlatModule(trunk))
    assert made.has_state
    assert not made.restarts


def test_branches_of_different_points_are_refused() -> None:
    with pytest.raises(InputError, match="the branches have 2 and 3 inputs, expected the same number of both"):
        TwoBranches(TanhNetwork(2, 1), TanhNetwork(3, 1))


def test_jacobians_of_both_branches_are_their_differences() -> None:
    problem = VariableConvection()
    with seeded(1):
        nets = [
            FourierNetwork(2, 1, width, 2, [[0.0, 0.0], [6.283185307179586, 1.0]], 2, periodic=[True, False])
            for width in (3, 4)
        ]
        made = Characteristics(problem, Lagrangian(), FlatModule(TwoBranches(*nets).double()))
    points = torch.tensor([[0.3, 0.1], [2.0, 0.9], [5.1, 0.4]], dtype=torch.float64)
    start, weights = made.initial([], 0, points[:, :1], 1), made.network.vector()
    rows = points, *(jet.rows.transpose(0, 1) for jet in start)

    def residual(vector: torch.Tensor, at: torch.Tensor, *given: torch.Tensor) -> torch.Tensor:
        jets = tuple(Jet(rows.transpose(0, 1), jet.order) for rows, jet in zip(given, start, strict=True))
        return made.residuals(vector, 0, at, jets)

    system = ResidualSystem([Residuals("equations", residual, rows)], made.network.count)
    jacobian, step = torch.cat(list(system.jacobian_chunks(weights))), 1e-5
    shifts = step * torch.eye(len(weights), dtype=torch.float64)
    expected = torch.stack([system.residual(weights + d) - system.residual(weights - d) for d in shifts], 1) / (
        2 * step
    )
    assert jacobian.shape == (6, made.network.count)
    torch.testing.assert_close(jacobian, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))
