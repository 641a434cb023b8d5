r"""Conserved densities in a Lagrangian frame, which need no network of their own.

A density with \rho_t + div(velocity \rho) = 0 is known from the map alone: J \rho(X, t) = \rho_0(label). For every map
without folds, its integral over x is that of \rho_0 over the labels, so that no error of the fit changes the mass.
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

    In the advective form, u_t + velocity . grad u = 0, the value on a label is constant; here it decreases where labels
    move apart.

    Parameters
    ----------
    field : in a frame whose labels move with the flow, such as ``Lagrangian``
    points : ``(n, dim)``
    time : 0 to the duration
    initial : \rho_0, maps ``(n, dim)`` to ``(n, 1)``; by default the initial u

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
            f"the labels of the frame {type(frame).__name__} do not move with the flow, so that their map does not "
            "determine the density; use the frame Lagrangian."
        )
    labels, stretch = field.origin(points, time)
    carried = (initial or field.characteristics.labelled_problem.initial)(labels)
    if carried.shape != stretch.shape:
        raise InputError(f"the initial density has shape {tuple(carried.shape)}, expected {tuple(stretch.shape)}.")
    return carried / stretch
