r"""Networks of space whose outputs are polynomials in time: operators from a start to an evolution.

>>> operator = PolynomialsInTime(2, 3, modes=[4, 4], widths=[8, 8], degree=5)
>>> operator(torch.zeros(1, 6, 12, 12, 2)).shape
torch.Size([1, 6, 12, 12, 3])
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sciml.checks import real_tensor, shape, whole_number
from sciml.nets.fno import FourierNeuralOperator
from sciml.numerics.polynomials import chebyshev


class PolynomialsInTime(nn.Module):
    r"""A Fourier neural operator in space, of which each output becomes a polynomial in time.

    .. math:: y_j(t, x) = \sum_{p=0}^q \frac{T_p(2 t - 1)}{1 + p}\, f_{jp}(x)

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

    def forward(self, fields: Tensor) -> Tensor:
        """Return ``(batch, times, *grid, outputs)`` for fields ``(batch, times, *grid, inputs)``.

        Parameters
        ----------
        fields : all instances at the same times
        """
        axes = len(self.space.modes)
        shape("the fields", fields, ("batch", "times", *(f"axis {axis}" for axis in range(axes)), self.inputs))
        t = real_tensor("the fields", fields)[(0, slice(None), *[0] * (axes + 1))]
        degrees = torch.arange(self.degree + 1, device=fields.device)
        polynomials = chebyshev(2 * t - 1, self.degree)[0] / (1 + degrees)
        coefficients = self.space(fields[:, 0, ..., 1:]).unflatten(-1, (self.outputs, self.degree + 1))
        return torch.einsum("b...jp,tp->bt...j", coefficients, polynomials)
