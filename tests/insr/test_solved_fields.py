"""The fields of every kind of problem as functions of points and time: what is presented is differentiated, too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from sciml.domains import Box, MeshDomain
from sciml.insr import (
    Advection,
    ChorinSplitting,
    ElasticBody,
    IncrementalPotential,
    Integrator,
    Motion,
    Pade22,
    Problem,
    SemiLagrangian,
    Smoke,
    TaylorGreen,
    TaylorGreenPrimitive,
)
from sciml.insr.task import TimeStepping
from sciml.nets import FourierNetwork, TanhNetwork, VanishingOnBox
from sciml.numerics.random import seeded
from sciml.training.solved_field import SolvedField
from sciml.training.states import write_state

STEP, STEPS = 0.5, 4


def tanh(outputs: int = 1) -> nn.Module:
    return TanhNetwork(2, outputs, width=6).double()


def case(kind: str) -> tuple[Problem, dict[str, nn.Module], Integrator]:
    body = {"displacement": tanh(2), "previous": tanh(2)}
    return {
        "a scalar in a periodic box": lambda: (
            Advection(), {"u": FourierNetwork(1, width=6, box=[[-2], [2]]).double()}, Pade22()
        ),
        "a stream function and smoke": lambda: (
            TaylorGreen(smoke=Smoke()), {"stream": VanishingOnBox(tanh()).double(), "density": tanh()}, SemiLagrangian()
        ),
        "velocity and pressure": lambda: (
            TaylorGreenPrimitive(), {"velocity": tanh(2), "pressure": tanh()}, ChorinSplitting()
        ),
        "a moving body": lambda: (ElasticBody(Box([-1, -1], [1, 1]), Motion(STEP)), body, IncrementalPotential()),
        "a body on a mesh": lambda: (ElasticBody(MeshDomain("disk", 2), Motion(STEP)), body, IncrementalPotential()),
    }[kind]()  # fmt: skip


def field_of(kind: str, folder: Path) -> SolvedField:
    """A run with random states that change smoothly in time."""
    with seeded(0):
        task = TimeStepping(*case(kind), STEP, STEPS)
    task.loaded_from, task.completed_epochs = folder, STEPS
    first = {name: flat.vector() for name, flat in task.stepper.networks.items()}
    for step in range(STEPS + 1):
        states = {name: weights * (1 + 0.1 * np.sin(step * STEP)) for name, weights in first.items()}
        write_state(folder, step, states)
    for name, flat in task.stepper.networks.items():
        flat.assign(states[name])
    return SolvedField(task.requires_grad_(False))


KINDS = ["a scalar in a periodic box", "a stream function and smoke", "velocity and pressure", "a moving body",
         "a body on a mesh"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_all_fields_have_their_derivatives_by_points_and_by_time(kind: str, tmp_path: Path) -> None:
    field = field_of(kind, tmp_path)
    points = 0.5 * torch.rand(3, field.domain.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    points.requires_grad_()
    time = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    for name, channels in field.channels.items():
        assert field(points, 0.5, name).shape == (3, channels)
        assert gradcheck(lambda points, time, name=name: field(points, time, name), (points, time), atol=1e-6)
        slopes = field.gradient(name, points.detach().numpy(), 0.5)
        assert slopes.shape == (3, channels, field.domain.dim) and np.abs(slopes).max() > 1e-6


def test_a_flow_by_a_stream_function_has_no_divergence_between_steps(tmp_path: Path) -> None:
    field = field_of("a stream function and smoke", tmp_path)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    slopes = field.gradient("velocity", points, 0.8)
    assert np.abs(slopes[:, 0, 0] + slopes[:, 1, 1]).max() < 1e-12 * np.abs(slopes).max()
    vorticity = slopes[:, 1, 0] - slopes[:, 0, 1]
    assert field(points, 0.8, "vorticity")[:, 0] == pytest.approx(vorticity, rel=1e-9)
