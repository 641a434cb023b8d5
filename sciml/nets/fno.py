"""Fourier neural operators: networks from fields on a grid to fields on the same grid, of any resolution.

>>> operator = FourierNeuralOperator(3, 1, modes=[8, 8], widths=[16, 16, 16])
>>> operator(torch.zeros(5, 26, 32, 3)).shape, operator(torch.zeros(5, 101, 1024, 3)).shape
(torch.Size([5, 26, 32, 1]), torch.Size([5, 101, 1024, 1]))
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sciml.checks import real_tensor, shape
from sciml.errors import InputError
from sciml.nets.coordinate import check_counts

MOST_AXES = 3


class SpectralConvolution(nn.Module):
    r"""A convolution over a periodic grid whose Fourier coefficients are weights, for the lowest frequencies only.

    .. math:: y(x) = \mathrm{Re} \sum_k c_k W_k \hat u_k e^{2 \pi i k \cdot x}, \qquad x \in [0, 1)^d

    with a matrix :math:`W_k` for each frequency, :math:`c_k = 1` where the last component of k is 0 and 2 where it is
    not. Along the last axis k runs from 0 to m - 1, which stands for both signs since u is real; along the others from
    -m to m - 1. A frequency that the grid does not resolve, n/2 among them, is left out, so a field that two grids
    resolve has the same image on both.

    Parameters
    ----------
    inputs, outputs : channels
    modes : m along each axis, one to three of them

    Attributes
    ----------
    weight : real and imaginary parts of all :math:`W_k`, ``(*frequencies, inputs, outputs, 2)``; along every axis but
        the last k = 0, ..., m - 1, -m, ..., -1, as a discrete Fourier transform orders them. Drawn from a normal
        distribution of variance 2 / (inputs + outputs).

    References
    ----------
    Li et al., "Fourier neural operator for parametric partial differential equations", ICLR 2021, Eq. 4-5.
    """

    def __init__(self, inputs: int, outputs: int, modes: Sequence[int]) -> None:
        super().__init__()
        if not 1 <= len(modes) <= MOST_AXES:
            raise InputError(
                f"the modes are {list(modes)}, expected a number for each axis of the grid, which has one to three."
            )
        check_counts(inputs=inputs, outputs=outputs, **{f"modes {axis}": count for axis, count in enumerate(modes)})
        self.inputs, self.outputs, self.modes = inputs, outputs, tuple(modes)
        frequencies = [*(2 * count for count in modes[:-1]), modes[-1]]
        self.weight = nn.Parameter(torch.empty(*frequencies, inputs, outputs, 2))
        nn.init.normal_(self.weight, std=math.sqrt(2 / (inputs + outputs)))

    def forward(self, fields: Tensor, grid: Sequence[int] | None = None) -> Tensor:
        """Return ``(batch, *grid, outputs)`` for fields ``(batch, *points, inputs)``.

        Parameters
        ----------
        fields : at equidistant points of the box
        grid : numbers of points where the image is wanted; by default those of the fields
        """
        points = fields.shape[1:-1]
        grid = tuple(points if grid is None else grid)
        if not len(fields):  # which transforms refuse
            return fields.new_zeros(0, *grid, self.outputs)
        axes = tuple(range(1, 1 + len(grid)))
        spectrum = torch.fft.rfftn(fields, dim=axes, norm="forward")
        resolved = [self._resolved(axis, min(pair)) for axis, pair in enumerate(zip(points, grid, strict=True))]
        weight = torch.view_as_complex(self.weight)[self._at(resolved, [*(2 * m for m in self.modes[:-1]), 0])]
        found = torch.einsum("b...i,...io->b...o", spectrum[(slice(None), *self._at(resolved, points))], weight)
        image = spectrum.new_zeros(len(fields), *grid[:-1], grid[-1] // 2 + 1, self.outputs)
        image[(slice(None), *self._at(resolved, grid))] = found
        return torch.fft.irfftn(image, s=grid, dim=axes, norm="forward")

    def _resolved(self, axis: int, count: int) -> Tensor:
        """Return the frequencies of an axis that have weights and are below half of its number of points."""
        most = self.modes[axis]
        positive = torch.arange(min(most, (count + 1) // 2), device=self.weight.device)
        if axis == len(self.modes) - 1:
            return positive
        return torch.cat([positive, torch.arange(-min(most, (count - 1) // 2), 0, device=positive.device)])

    @staticmethod
    def _at(frequencies: Sequence[Tensor], counts: Sequence[int]) -> tuple[Tensor, ...]:
        """Return the indices of frequencies in arrays of ``counts`` numbers, ready to index all axes at once."""
        last = len(frequencies) - 1
        return tuple(
            (each % count if axis < last else each).reshape(-1, *(1,) * (last - axis))
            for axis, (each, count) in enumerate(zip(frequencies, counts, strict=True))
        )


class FourierNeuralOperator(nn.Module):
    r"""A network of spectral convolutions from fields to fields, whose weights do not depend on the grid.

    .. math::
        v_0 = P u, \qquad v_{l+1} = \sigma(K_l v_l + W_l v_l + b_l), \qquad y = Q_2\, \sigma(Q_1 v_L)

    with a :class:`SpectralConvolution` :math:`K_l`, affine maps :math:`P, W_l, Q_1, Q_2` of the channels of each point,
    and :math:`\sigma` = GELU. Translations of the input on a periodic grid translate the output. Where places matter,
    as in a box with boundaries, the caller adds the coordinates as channels of the input.

    Parameters
    ----------
    inputs, outputs : channels of the fields
    modes : frequencies of the spectral convolutions along each axis
    widths : channels of :math:`v_0, ..., v_L`, two numbers or more
    head : channels between :math:`Q_1` and :math:`Q_2`
    activates_last : whether :math:`\sigma` follows the last spectral convolution
    activates_output : whether :math:`\sigma` follows :math:`Q_2`, as in a basis of which a constraint takes the
        combinations

    References
    ----------
    Li et al., "Fourier neural operator for parametric partial differential equations", ICLR 2021, section 4.
    Chalapathi, Du and Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024,
    whose networks are ``modes=[8, 8], widths=[32, 64, 64, 64, 64, 64], activates_output=True`` on (time, x) and
    ``modes=[8, 8, 8], widths=[64] * 9, head=256, activates_last=False, activates_output=True`` on (time, x, y).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        modes: Sequence[int],
        widths: Sequence[int] = (32, 32, 32, 32, 32),
        head: int = 128,
        *,
        activates_last: bool = True,
        activates_output: bool = False,
    ) -> None:
        super().__init__()
        check_counts(inputs=inputs, outputs=outputs, head=head, layers=len(widths) - 1)
        check_counts(**{f"widths {number}": width for number, width in enumerate(widths)})
        self.inputs, self.outputs, self.modes = inputs, outputs, tuple(modes)
        self.activates_last, self.activates_output = activates_last, activates_output
        self.lift = nn.Linear(inputs, widths[0])
        self.convolutions = nn.ModuleList(SpectralConvolution(*pair, modes) for pair in pairwise(widths))
        self.pointwise = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.head = nn.Sequential(nn.Linear(widths[-1], head), nn.GELU(), nn.Linear(head, outputs))

    @property
    def axes(self) -> int:
        """The number of axes of the fields."""
        return len(self.modes)

    def forward(self, fields: Tensor) -> Tensor:
        """Return the images of the fields, ``(batch, *grid, outputs)``.

        Parameters
        ----------
        fields : ``(batch, *grid, inputs)``, as many axes of the grid as there are numbers of modes, in the precision of
            the weights, single or double

        Raises
        ------
        InputError
            If the fields are of another shape or precision, or the grid has no points.
        """
        shape("the fields", fields, ("batch", *(f"axis {axis}" for axis in range(len(self.modes))), self.inputs))
        expected = self.lift.weight.dtype
        if real_tensor("the fields", fields).dtype != expected or expected not in (torch.float32, torch.float64):
            raise InputError(
                f"the fields are of type {fields.dtype} and the weights of {expected}, expected torch.float32 or "
                "torch.float64 for both; convert the fields, or call double() on the network."
            )
        if 0 in fields.shape[1:-1]:
            raise InputError(f"the grid has {tuple(fields.shape[1:-1])} points, expected at least one along each axis.")
        values, last = self.lift(fields), len(self.pointwise) - 1
        for layer, (convolution, pointwise) in enumerate(zip(self.convolutions, self.pointwise, strict=True)):
            values = convolution(values) + pointwise(values)
            if layer < last or self.activates_last:
                values = nn.functional.gelu(values)
        values = self.head(values)
        return nn.functional.gelu(values) if self.activates_output else values

    def total(self, fields: Tensor) -> Tensor:
        """Return the sum of the outputs in double precision, ``(batch, *grid, 1)``.

        Parameters
        ----------
        fields : as those of the call
        """
        return self(fields).sum(-1, keepdim=True, dtype=torch.float64)
