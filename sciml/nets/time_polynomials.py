r"""Networks of space whose outputs are polynomials in time: operators from a start to an evolution.

>>> operator = PolynomialsInTime(2, 3, modes=[4, 4], widths=[8, 8], degree=5)
>>> operator(torch.zeros(1, 6, 12, 12, 2)).shape
torch.Size([1, 6, 12, 12, 3])
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sciml.checks import real_tensor, shape, whole_number, within
from sciml.nets.fno import FourierNeuralOperator
from sciml.numerics.polynomials import chebyshev


class PolynomialsInTime(nn.Module):
    r"""A Fourier neural operator in space, of which each output becomes a polynomial in time.

    .. math:: y_j(t, x) = \frac1N \sum_{p=0}^q \frac{T_p(2 t - 1)}{1 + p}\, f_{jp}(x), \qquad j = 1, \dots, N

    with Chebyshev polynomials :math:`T_p` and the outputs :math:`f_{jp}` of a
    :class:`~sciml.nets.fno.FourierNeuralOperator` on the fields at the first time. Since its layers work on one time
    instead of all, it costs a fraction of an operator on space and time, and its evolutions are smooth in time.

    Parameters
    ----------
    inputs, outputs : channels; the first input is the time, from 0 to 1, and the others are read at the first time
    modes : frequencies along the axes of space, one to three of them
    widths : channels of the layers of the operator
    degree : q
    head : channels between the last two maps of the operator
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        modes: Sequence[int],
        widths: Sequence[int] = (32, 32, 32, 32, 32),
        degree: int = 10,
        head: int = 128,
    ) -> None:
        super().__init__()
        whole_number("the inputs of polynomials in time", inputs, at_least=2)
        whole_number("the degree of polynomials in time", degree, at_least=0)
        self.inputs, self.outputs, self.degree = inputs, outputs, degree
        self.space = FourierNeuralOperator(
            inputs - 1, outputs * (degree + 1), modes, widths, head, activates_last=False
        )

    @property
    def axes(self) -> int:
        """The number of axes of the fields, that of time among them."""
        return 1 + self.space.axes

    def forward(self, fields: Tensor) -> Tensor:
        """Return ``(batch, times, *grid, outputs)`` for fields ``(batch, times, *grid, inputs)``.

        Parameters
        ----------
        fields : all instances at the same times

        Raises
        ------
        InputError
            If the shape differs, or a time is not from 0 to 1.
        """
        return self._in_time(fields, self.space(self._start(fields)), self.outputs)

    def total(self, fields: Tensor) -> Tensor:
        """Return the sum of the outputs, ``(batch, times, *grid, 1)``, at the cost of a single one.

        Parameters
        ----------
        fields : as those of the call
        """
        last = f"head.{len(self.space.head) - 1}"
        summed = {
            f"{last}.{name}": weights.unflatten(0, (self.outputs, self.degree + 1)).sum(0)
            for name, weights in self.space.head[-1].named_parameters()
        }
        return self._in_time(fields, functional_call(self.space, summed, (self._start(fields),)), 1)

    def _start(self, fields: Tensor) -> Tensor:
        axes = (f"axis {axis}" for axis in range(len(self.space.modes)))
        shape("the fields", real_tensor("the fields", fields), ("batch", "times", *axes, self.inputs))
        return fields[:, 0, ..., 1:]

    def _in_time(self, fields: Tensor, coefficients: Tensor, outputs: int) -> Tensor:
        t = fields[(0, slice(None), *[0] * (fields.ndim - 2))]
        within("the first input, the time of polynomials,", t, 0, 1)
        scales = self.outputs * (1 + torch.arange(self.degree + 1, device=t.device))
        polynomials = chebyshev(2 * t - 1, self.degree)[0] / scales
        coefficients = coefficients.unflatten(-1, (outputs, self.degree + 1))
        return torch.einsum("b...jp,tp->bt...j", coefficients, polynomials)
