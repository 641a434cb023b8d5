"""Paths traced back in time by a one-step method, with diffusion along random ones, and with reflection at walls."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from sciml.domains.walls import Continue

BackTrace = Literal["euler", "rk2", "rk4"]
BACK_TRACES = get_args(BackTrace)


class Velocity(Protocol):
    """The velocity of a flow during one time step."""

    def __call__(self, points: Tensor, fraction: float) -> Tensor:
        """Return the velocity ``(n, dim)`` at points inside of the box, at a fraction of the step."""


def trace_back(velocity: Velocity, points: Tensor, length: float, rule: BackTrace, inside: Continue) -> Tensor:
    """Return the feet, a step earlier, of the paths that end in the points: ``dX/dt = v(X)`` backwards.

    Parameters
    ----------
    velocity : at points inside and fractions of the step
    points : (n, dim)
    length : of the step in time
    rule : ``"euler"``, ``"rk2"`` (midpoint) or ``"rk4"``, whose orders are 1, 2 and 4
    inside : the continuation beyond the walls

    Returns
    -------
    Tensor
        (n, dim), where the paths began, perhaps beyond a wall.
    """

    def slope(ends: Tensor, fraction: float) -> Tensor:
        return flow_beyond(velocity, inside, ends, fraction)

    if rule == "euler":
        return points - length * slope(points, 0.0)
    first = slope(points, 1.0)
    second = slope(points - length / 2 * first, 0.5)
    if rule == "rk2":
        return points - length * second
    third = slope(points - length / 2 * second, 0.5)
    fourth = slope(points - length * third, 0.0)
    return points - length / 6 * (first + 2 * second + 2 * third + fourth)


def random_feet(
    velocity: Velocity,
    points: Tensor,
    length: float,
    diffusivity: float,
    inside: Continue,
    rule: BackTrace = "rk4",
) -> tuple[Tensor, Tensor]:
    r"""Return the feet of random paths and their weights, which turn transport into transport with diffusion.

    f(x, t + dt) = E f(X, t),    dX = -v dt + sqrt(2 \nu) dW backwards from X = x.

    Half a step along the flow, the increment of the Brownian motion in the middle, the other half (Strang's splitting):
    second order in time, even where transport and diffusion do not commute, and as accurate as the method where a fluid
    turns fast but diffuses little. The increment becomes the three nodes 0, +-sqrt(3 dt) of Gauss and Hermite with
    weights 2/3, 1/6, 1/6 along each axis. Averages with positive weights cannot grow, whatever the step.

    Returns
    -------
    feet : (3^dim, n, dim), perhaps beyond a wall
    weights : (3^dim,)

    References
    ----------
    Strang, "On the construction and comparison of difference schemes", SIAM J. Numer. Anal. 5, 1968. Milstein,
    Tretyakov, "Numerical solution of the Dirichlet problem for nonlinear parabolic equations by a probabilistic
    approach", IMA J. Numer. Anal. 21, 2001: the idea of such steps.
    """
    dim = points.shape[1]
    increments = (2 * diffusivity * length) ** 0.5 * points.new_tensor([0.0, 3**0.5, -(3**0.5)])
    moves = torch.cartesian_prod(*[increments] * dim).reshape(-1, 1, dim)
    weights = torch.cartesian_prod(*[points.new_tensor([2 / 3, 1 / 6, 1 / 6])] * dim).reshape(-1, dim).prod(1)

    def late(at: Tensor, fraction: float) -> Tensor:
        return velocity(at, (1 + fraction) / 2)

    def early(at: Tensor, fraction: float) -> Tensor:
        return velocity(at, fraction / 2)

    middle = (trace_back(late, points, length / 2, rule, inside) + moves).reshape(-1, dim)
    feet = trace_back(early, middle, length / 2, rule, inside)
    return feet.reshape(len(moves), -1, dim), weights


def flow_beyond(velocity: Velocity, inside: Continue, points: Tensor, fraction: float) -> Tensor:
    """Return the velocity at points inside, or beyond a wall, where the flow is reflected."""
    folded, signs = inside(points)
    return signs * velocity(folded, fraction)
