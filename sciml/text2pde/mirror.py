"""A mirror symmetry of trajectories, by which a training has twice as many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.checks import whole_number
from sciml.errors import ConfigError


@dataclass(frozen=True)
class Mirror:
    """The symmetry that turns an axis of space round: with a trajectory, its mirror image solves the equations, too.

    In a closed box, smoke that rises along y may be mirrored along x, where the velocity along x changes its sign.

    Parameters
    ----------
    axis : of space, counted from 0
    odd : names of the fields that change their sign, such as ``[velocity_x]``
    """

    axis: int
    odd: Sequence[str] = ()

    def __post_init__(self) -> None:
        whole_number("the axis of the mirror", self.axis, at_least=0, error=ConfigError)

    def check(self, fields: Sequence[str], axes: int) -> None:
        """Refuse an axis that frames do not have, and fields that trajectories do not.

        Parameters
        ----------
        fields : names of the channels
        axes : of space
        """
        whole_number("the axis of the mirror", self.axis, at_least=0, at_most=axes - 1, error=ConfigError)
        if unknown := [name for name in self.odd if name not in fields]:
            raise ConfigError(
                f"the mirror changes the sign of {unknown[0]}, expected one of the fields {', '.join(fields)}; edit "
                "task.init_args.mirror.init_args.odd."
            )

    def image(self, values: Tensor, fields: Sequence[str], axes: int) -> Tensor:
        r"""Return the mirror images of frames or trajectories, ``(batch, channels, ..., \*space)``.

        Parameters
        ----------
        values : of which the channels are the second axis, and the last axes are those of space
        fields : names of the channels
        axes : of space
        """
        signs = torch.tensor([-1.0 if name in self.odd else 1.0 for name in fields]).to(values)
        return values.flip(values.ndim - axes + self.axis) * signs.reshape(-1, *(1,) * (values.ndim - 2))
