r"""Densities in a Lagrangian frame, without a network of their own.

What is conserved in every piece of the fluid, \rho_t + div(velocity \rho) = 0, is known from the map alone:
J \rho(X, t) = \rho_0(label). Its integral over x is that of \rho_0 over the labels, for every map without folds, so
that no error of the fit changes the mass.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from sciml.errors import InputError
from sciml.lpinn.readout.field import SpaceTimeField


def density(
    field: SpaceTimeField, points: Tensor, time: float, initial: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    r"""Return \rho of \rho_t + div(velocity \rho) = 0 at points and a time.

    In the form of the equation with which u is transported, u_t + velocity . grad u = 0, the value on a label stays;
    here it falls where labels move apart.

    Parameters
    ----------
    field : of a frame ``Lagrangian``, whose labels move with the velocity
    points : ``(n, dim)``
    time : 0 to the duration
    initial : \rho_0, maps ``(n, dim)`` to ``(n, 1)``; the initial u unless given

    Returns
    -------
    Tensor
        ``(n, 1)``.

    Raises
    ------
    CharacteristicCrossingError
        If several labels are at one point.
    InputError
        If the frame is another one, or points or time are outside, or come from labels that were not fitted.
    """
    frame = field.characteristics.frame
    if not frame.follows_flow:
        raise InputError(
            f"the labels of the frame {type(frame).__name__} do not move with the velocity, so that their map does not "
            "know the density; use the frame Lagrangian."
        )
    labels, stretch = field.origin(points, time)
    carried = (initial or field.characteristics.labelled_problem.initial)(labels)
    if carried.shape != stretch.shape:
        raise InputError(f"the density at the start has shape {tuple(carried.shape)}, expected {tuple(stretch.shape)}.")
    return carried / stretch
