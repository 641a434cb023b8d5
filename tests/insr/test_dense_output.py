"""The fields between states: their order in the time step, for values and for time derivatives."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.insr import Heat, RungeKutta
from sciml.insr.dense_output import nearest_steps, shares
from sciml.insr.task import TimeStepping
from sciml.numerics.derivatives import Jet, jet_of
from sciml.training.solved_field import SolvedField
from sciml.training.states import write_state

RATE = 0.1 * (math.pi / 2) ** 2  # at which the solution of Heat() decays
X = np.linspace(-0.9, 0.9, 7)[:, None]


class Amplitude(nn.Module):
    """The eigenfunction of Heat() times the only parameter."""

    inputs = outputs = 1

    def __init__(self) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        jet = jet_of(lambda at: torch.sin(math.pi / 2 * (at + 1)), points, order or 0, directions)
        jet = Jet(self.size * jet.rows, jet.order)
        return jet.value if order is None else jet


def exact_states(folder: Path, rule: str, steps: int, length: float = 4.0) -> SolvedField:
    """A run of the heat equation whose states are exact, so that what is left is the interpolation."""
    task = TimeStepping(Heat(), {"u": Amplitude()}, RungeKutta(rule), length / steps, steps)
    task.loaded_from, task.completed_epochs = folder, steps
    folder.mkdir(exist_ok=True)
    for step in range(steps + 1):
        amplitude = torch.tensor([math.exp(-RATE * step * length / steps)], dtype=torch.float64)
        write_state(folder, step, {"u": amplitude})
    task.networks["u"].size.data = amplitude
    return SolvedField(task)


def exact(time: float) -> np.ndarray:
    return np.sin(math.pi / 2 * (X + 1)) * math.exp(-RATE * time)


ORDERS = {"implicit_euler": 1, "midpoint": 2, "sdirk3": 3, "rk4": 4}


@pytest.mark.parametrize(("rule", "order"), ORDERS.items())
def test_values_converge_with_one_order_more_than_the_integrator_and_time_derivatives_with_its_order(
    tmp_path: Path, rule: str, order: int
) -> None:
    errors = []
    for steps in (8, 16):
        field = exact_states(tmp_path / str(steps), rule, steps)
        times = [(number + 0.3) * 4.0 / steps for number in range(steps)]  # between states, at the same share
        values = max(np.abs(field(X, time) - exact(time)).max() for time in times)
        rates = max(np.abs(field.time_derivative("u", X, time) + RATE * exact(time)).max() for time in times)
        # The equation itself holds between states as well as the time derivative is exact.
        left = max(
            np.abs(field.time_derivative("u", X, time) - 0.1 * field.laplacian("u", X, time)).max() for time in times
        )
        errors.append((values, rates, left))
    found = np.log2(np.divide(*errors))
    assert found == pytest.approx([order + 1, order, order], abs=0.3)


def test_states_are_met_exactly(tmp_path: Path) -> None:
    field = exact_states(tmp_path, "sdirk3", 8)
    for time in (0.0, 1.5, 4.0):
        assert field(X, time) == pytest.approx(exact(time), abs=1e-15)
        nearby = torch.tensor(time, dtype=torch.float64, requires_grad=True)  # by the polynomial
        assert field(torch.from_numpy(X), nearby).detach().numpy() == pytest.approx(exact(time), abs=1e-14)


def test_the_polynomials_of_the_nearest_steps_are_a_partition_of_one_and_exact_for_powers() -> None:
    for position in (0.0, 0.4, 3.5, 6.99, 7.0):
        steps = nearest_steps(position, 7, 3)
        assert len(steps) == 4 and min(steps) >= 0 and max(steps) <= 7
        assert min(steps) <= position <= max(steps)
        found = [float(share) for share in shares(torch.tensor(position, dtype=torch.float64), steps)]
        for power in range(4):
            total = sum(share * step**power for share, step in zip(found, steps, strict=True))
            assert total == pytest.approx(position**power, rel=1e-12)
    assert list(nearest_steps(0.5, 1, 4)) == [0, 1]


def test_weights_without_states_are_known_at_the_end_alone(tmp_path: Path) -> None:
    field = exact_states(tmp_path, "sdirk3", 8)
    field._task.loaded_from = None
    alone = SolvedField(field._task)
    assert alone.times == (4.0, 4.0)
    assert alone(X) == pytest.approx(exact(4.0), abs=1e-15)
    assert "in time" not in repr(alone)
    with pytest.raises(InputError, match=r"these weights hold the fields at t = 4 alone; take the folder of the run"):
        alone(X, 2.0)
