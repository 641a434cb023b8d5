r"""MeanFlow: a network of the mean velocity between two times, which needs one call from source to data.

.. math::
    u(x_t, t, r) = \frac{1}{r - t} \int_t^r v(x_\tau, \tau)\, d\tau, \qquad
    u = v + (r - t) \big( v \cdot \nabla_x u + \partial_t u \big)

The second equation, the derivative of the first along the flow with r fixed, is what a network is trained on, with the
velocity of a pair in place of its mean and the right-hand side held fixed: both sides are linear in that velocity, so
that its mean over pairs is right. The derivative is one product in forward mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.func import jvp
from torch.nn.attention import SDPBackend, sdpa_kernel

from sciml.checks import number, positive
from sciml.errors import InputError
from sciml.generative.draws import logit_normal_times
from sciml.generative.flows import Condition, Flow, answer
from sciml.generative.objectives import Network, Objective, drawn_source
from sciml.generative.paths import Path, expand

LOCATION = 0.4  # of the logit of times, towards the data, as published for ImageNet


@dataclass(frozen=True)
class MeanFlow(Flow):
    """The flow of a network that maps x, t and a later time, named ``until``, to the mean velocity between them.

    Euler's method follows it exactly, in any number of steps.

    Parameters
    ----------
    network : maps x ``(batch, ...)``, t ``(batch,)``, ``until=r`` ``(batch,)`` and the condition to ``(batch, ...)``
    path : on which it was trained
    """

    network: Network
    path: Path
    knows_mean_velocity = True

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the mean velocity over no time: the velocity."""
        return answer(self.network, x, t, condition, until=t)

    def mean_velocity(self, x: Tensor, t: Tensor, until: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the mean velocity until a later time."""
        return answer(self.network, x, t, condition, until=until)


@dataclass(frozen=True)
class MeanFlowObjective(Objective):
    r"""The identity of mean velocities as a regression.

    The loss of an item, :math:`L = \operatorname{mean} \lVert u - \hat u \rVert^2`, is divided by
    :math:`(L + f)^p`, held fixed, so that an item with large errors does not rule the update. With p = 1 the loss
    itself is therefore about 1 and says little.

    Parameters
    ----------
    path : whose clock is the time, linear or trigonometric
    share : of items with two different times; the others learn the velocity
    power, floor : p and f

    Raises
    ------
    InputError
        The clock of the path is not the time, or a number is out of bounds.

    References
    ----------
    Geng, Deng, Bai, Kolter and He, "Mean flows for one-step generative modeling", 2025, eq. 6 and 9-11.
    """

    path: Path
    share: float = 0.25
    power: float = 1.0
    floor: float = 1e-3

    def __post_init__(self) -> None:
        number("the share of items with two times", self.share, at_least=0, at_most=1)
        number("the power of the weight", self.power, at_least=0)
        positive("the floor of the weight", self.floor)
        if not self.path.keeps_time:
            raise InputError(
                f"the path of mean velocities is {type(self.path).__name__}, whose clock is an angle, expected one in "
                "time; take LinearPath or TrigonometricPath."
            )

    def flow(self, network: Network) -> Flow:
        """Return the flow of a trained network."""
        return MeanFlow(network, self.path)

    def loss(
        self,
        network: Network,
        data: Tensor,
        source: Tensor | None,
        condition: Condition | None,
        generator: Generator,
    ) -> Tensor:
        """Return the weighted residual of each item between two times, ``(batch,)``."""
        source = drawn_source(self.path, data, source, generator)
        t, until = self._times(data, generator)
        residual = self.residual(network, data, source, (t, until), condition)
        squares = residual.square().flatten(1).mean(1)
        return squares / (squares.detach() + self.floor) ** self.power

    def residual(
        self,
        network: Network,
        data: Tensor,
        source: Tensor,
        times: tuple[Tensor, Tensor],
        condition: Condition | None = None,
    ) -> Tensor:
        """Return how much the network misses the identity by at points between pairs, ``(batch, ...)``."""
        t, until = times
        x, velocity = self.path.point(data, source, t), self.path.motion(data, source, t)

        def mean_velocity(x: Tensor, t: Tensor) -> Tensor:
            return answer(network, x, t, condition, until=until)

        with sdpa_kernel(SDPBackend.MATH):  # fused attention has no derivative in forward mode
            found, along = jvp(mean_velocity, (x, t), (velocity, torch.ones_like(t)))
        return found - (velocity + expand(until - t, x) * along).detach()

    def _times(self, data: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return two times of each item in order, which are equal for most."""
        first, second = (logit_normal_times(data, generator, LOCATION) for _ in range(2))
        drawn = torch.rand(len(data), generator=generator, device=generator.device).to(data.device)
        t = torch.minimum(first, second)
        return t, torch.where(drawn < self.share, torch.maximum(first, second), t)
