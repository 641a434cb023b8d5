"""A sum of Gaussian bumps: localised fields in many dimensions with few parameters, vanishing everywhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sciml.checks import positive
from sciml.nets.coordinate import check_counts, check_points, corners_of
from sciml.numerics.derivatives import Jet, coordinates, exponential, linear

FAR = -30.0  # deviations from the centre beyond which a normal distribution is an exponential


class GaussianNetwork(nn.Module):
    """``u(x) = sum_k c_k exp(-sum_i s_ki^2 (x_i - b_ki)^2 / 2)``, with the parameters ``c``, ``s`` and ``b``.

    A field that lives in a small part of a box of five dimensions is out of reach of grids and of networks of
    Fourier modes or ridges, which have to cancel everywhere else. A bump vanishes there by itself, moves with its
    centre, and tells where points are needed: :meth:`propose`.

    Parameters
    ----------
    inputs, outputs : dimension of the points, channels of the field
    units : number of bumps
    box : lower and upper corner of where the centres lie at first; [-1, 1] along every axis by default
    width : of the bumps at first

    References
    ----------
    Bruna, Peherstorfer, Vanden-Eijnden, "Neural Galerkin schemes with active learning for high-dimensional evolution
    equations", J. Comput. Phys. 496, 2024: shallow networks of such units for transport in many dimensions.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int = 1,
        units: int = 8,
        box: Sequence[Sequence[float]] | None = None,
        width: float = 0.5,
    ) -> None:
        super().__init__()
        check_counts(inputs=inputs, outputs=outputs, units=units)
        positive("the width of the bumps", width)
        self.inputs, self.outputs = inputs, outputs
        corners = corners_of(inputs, box)
        centres = corners[0] + (corners[1] - corners[0]) * torch.rand(units, inputs, dtype=torch.float64)
        dtype = torch.get_default_dtype()
        self.centres = nn.Parameter(centres.to(dtype))
        self.sharpness = nn.Parameter(torch.full((units, inputs), 1 / width, dtype=dtype))
        self.heights = nn.Parameter(torch.randn(outputs, units, dtype=dtype) / math.sqrt(units))

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate the sum at points ``(n, inputs)``, with derivatives up to ``order`` if one is given."""
        check_points(points, self.inputs)
        jet = coordinates(points, order or 0, directions)
        units = len(self.centres)
        # All scaled offsets side by side, unit by unit; then the squares of each unit are added.
        spread = Jet(jet.rows.repeat(1, 1, units), jet.order).shifted(-self.centres.flatten())
        scaled = Jet(spread.rows * self.sharpness.flatten(), jet.order)
        squares = scaled * scaled
        exponent = Jet(-squares.rows.unflatten(-1, (units, self.inputs)).sum(-1) / 2, jet.order)
        jet = linear(exponential(exponent), self.heights)
        return jet.value if order is None else jet

    @torch.no_grad()
    def propose(self, count: int, generator: torch.Generator, lower: Tensor, upper: Tensor) -> Tensor:
        """Draw points of a box where the bumps are, ``(count, inputs)``.

        Half of them by the share of each bump in the integral of the square; the others evenly among the bumps, so that
        none, however small, can change unseen between the points. Each is normal, cut off at the faces of the box: a
        bump whose centre has left it still reaches into it.

        Parameters
        ----------
        count : number of points
        generator : draws them
        lower, upper : corners of the box, ``(inputs,)`` float64
        """
        centres, width = self.centres.double(), 1 / self.sharpness.double().abs().clamp_min(1e-12)
        size = self.heights.double().square().sum(0).log() + width.log().sum(1)  # a log: the product may overflow
        even = torch.full_like(size, 1 / len(size))
        share = (size.softmax(0) + even) / 2 if bool(size.max() > -math.inf) else even
        chosen = torch.multinomial(share, count, replacement=True, generator=generator)
        uniform = torch.rand(count, self.inputs, generator=generator, device=share.device, dtype=torch.float64)
        return _cut_normal(centres[chosen], width[chosen], lower, upper, uniform)


def _cut_normal(centre: Tensor, width: Tensor, lower: Tensor, upper: Tensor, uniform: Tensor) -> Tensor:
    """Return truncated normal numbers from uniform ones, for a box however far away from the centre."""
    low, high = (lower - centre) / width, (upper - centre) / width
    above = (
        low + high > 0
    )  # most of the box is above the centre: mirrored, because small probabilities have more digits
    low, high = torch.where(above, -high, low), torch.where(above, -low, high)
    left, right = torch.special.ndtr(low), torch.special.ndtr(high)
    inwards = high - torch.special.ndtri(left + (right - left) * uniform)
    # Where the probability underflows, the tail is an exponential.
    far = high < FAR
    tail = -uniform.log() / torch.where(far, -high, 1.0)
    distance = width * torch.where(far, tail, inwards)  # from the face next to the centre
    distance = torch.minimum(distance.clamp_min(0), upper - lower)
    return torch.where(above, lower + distance, upper - distance).clamp(lower, upper)
