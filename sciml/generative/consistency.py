r"""Distillation into few calls: consistency models, and the pairs of reflow.

A consistency function maps every point of a trajectory to its end, :math:`f(x_t, t) = x_1`. It is trained to say the
same at neighbouring times. With a velocity network F it is the estimate of the data,

.. math:: f = \frac{\sigma' x - \sigma F}{\alpha \sigma' - \sigma \alpha'},

x + (1 - t) F on a linear path, whose value at the data is x by construction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.generative.flows import Condition, Flow, GaussianFlow
from sciml.generative.objectives import Network, Objective, drawn_source
from sciml.generative.paths import Path, expand
from sciml.generative.predictions import Pair
from sciml.generative.samplers import ConsistencySteps, Sampler, sample
from sciml.generative.samplers.denoising import is_one_call


@dataclass(frozen=True)
class ConsistencyObjective(Objective):
    r"""Equal estimates of the data at neighbouring times, in the norm of Cauchy.

    .. math::
        \log\Big( 1 + \frac{\operatorname{mean} (f(x_t, t) - f(x_{t'}, t'))^2}{2 c^2} \Big), \qquad c = \frac{1}{N}

    The later estimate, at t', is held fixed. Without a teacher, :math:`x_{t'}` is the later point of the same pair
    (training); with one, it is a step of Heun's method along its flow (distillation), which has no variance from pairs
    and is the better one where a flow exists. The logarithm forgives items whose estimates jump. Its scale c is what an
    estimate of normalised data jumps by when it changes at the rate 1, so that it shrinks as levels are added.

    Parameters
    ----------
    path : between source and data
    levels : N, number of times, equally spaced in the clock of the path; start with 10 or 20, and double it later
    teacher : a flow on the same path; None for training from pairs

    Raises
    ------
    InputError
        The number of levels is less than 2, or the teacher is a flow on another path.

    References
    ----------
    Song, Dhariwal, Chen and Sutskever 2023; Dao, Doan, Liu, Le and Metaxas, "Improved training technique for latent
    consistency models", 2025, for Cauchy's norm and a scale that shrinks, though not for the values of c.
    """

    path: Path
    levels: int = 20
    teacher: Flow | None = None

    def __post_init__(self) -> None:
        whole_number("the number of levels", self.levels, at_least=2)
        if self.teacher is not None and self.teacher.path != self.path:
            raise InputError(
                f"the path of the teacher is {self.teacher.path}, expected {self.path}, that of the objective; train "
                "both on one."
            )

    @property
    def scale(self) -> float:
        """The scale c, from which on a jump counts as an outlier."""
        return 1 / self.levels

    def flow(self, network: Network) -> Flow:
        """Return the flow of a trained network, for ``ConsistencySteps`` or one step of DDIM."""
        return GaussianFlow(network, self.path, "velocity")

    def check_sampler(self, sampler: Sampler, steps: int) -> None:
        """Refuse samplers that follow a velocity: the network's answers are ends of trajectories."""
        if not (isinstance(sampler, ConsistencySteps) or (steps == 1 and is_one_call(sampler))):
            raise InputError(
                f"the sampler is {sampler} with {steps} calls of a consistency model, whose answers are ends of "
                "trajectories and no velocities on the way, expected ConsistencySteps() or one call of DDIM()."
            )

    def loss(
        self,
        network: Network,
        data: Tensor,
        source: Tensor | None,
        condition: Condition | None,
        generator: Generator,
    ) -> Tensor:
        """Return the distance of two estimates of each item, ``(batch,)``."""
        source = drawn_source(self.path, data, source, generator)
        level = torch.randint(self.levels, (len(data),), generator=generator, device=generator.device)
        times = torch.tensor(self.path.times(self.levels), dtype=data.dtype, device=data.device)
        level = level.to(data.device)
        t, later = times[level], times[level + 1]
        x, flow = self.path.point(data, source, t), self.flow(network)
        with torch.no_grad():
            if self.teacher is None:
                moved = self.path.point(data, source, later)
            else:
                moved = heun_step(self.teacher, x, t, later, condition)
            goal = flow.data(moved, later, condition)
        jump = (flow.data(x, t, condition) - goal).square().flatten(1).mean(1)
        return torch.log1p(jump / (2 * self.scale**2))


def heun_step(flow: Flow, x: Tensor, t: Tensor, later: Tensor, condition: Condition | None) -> Tensor:
    """Return points moved along a flow to later times by one step of Heun's method, each item from its own time.

    A flow of predicted data has no velocity at t = 1; there it is a step of Euler's method.
    """
    length = expand(flow.path.clock(later) - flow.path.clock(t), x)
    first = flow.velocity(x, t, condition)
    ahead = x + length * first
    second = flow.velocity(ahead, later, condition)
    return torch.where(torch.isfinite(second), x + length / 2 * (first + second), ahead)


def reflow_pairs(
    flow: Flow,
    start: Tensor,
    steps: int,
    sampler: Sampler,
    condition: Condition | None = None,
    mean: Tensor | None = None,
) -> Pair:
    """Return sources and the data to which a flow carries them, to train the next flow on.

    Trajectories between such pairs hardly cross, so that the next flow is straighter and needs fewer calls. Train it by
    ``PathObjective(path).loss(network, pair.data, pair.source, condition, generator)``.

    Parameters
    ----------
    flow : that was trained
    start : sources, ``(batch, ...)``
    steps : number of calls of the flow
    sampler : one that does not draw
    condition : what the network is given by name
    mean : m of an informed source, for samplers that need it; None for 0

    References
    ----------
    Liu, Gong and Liu, "Flow straight and fast", 2023, section 2.2.
    """
    with torch.no_grad():
        return Pair(sample(flow, start, steps, sampler, condition, mean=mean), start)
