"""A network that is odd under reflection about every face of a box, and hence vanishes there.

>>> net = OddReflectionNetwork(2, width=8, modes=3).double()
>>> float(net(torch.tensor([[1.0, 0.3]], dtype=torch.float64)).abs().detach()) < 1e-12
True
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sciml.nets.coordinate import CoordinateNetwork, corners_of, draw_normal, mode_amplitudes, phases
from sciml.numerics.derivatives import Jet, coordinates, tanh


class OddReflectionNetwork(CoordinateNetwork):
    r"""A network of ``tanh`` layers on even Fourier modes of a box, times a product that is odd about all faces.

    S(x) N(g_1 cos \theta_1, ..., g_K cos K \theta_d),    \theta_i = \pi (x_i - l_i) / (u_i - l_i),
    S = \prod_i sin \theta_i,    g_k = 2 exp(-(k / decay)^2 / 2).

    Field and even derivatives are 0 on the faces, exactly: as for a stream function and its vorticity between
    slip walls. Every smooth field that is odd about the faces has this form, as every even function of an angle is
    one of its cosine. It is called as any other coordinate network.

    Parameters
    ----------
    inputs, outputs, width, layers : as in :class:`~sciml.nets.coordinate.CoordinateNetwork`
    box : lower and upper corner, [-1, 1] along every axis by default
    modes : K, along each axis; the finest mode has a wavelength of 2 / K of the box
    decay : of the amplitudes; about K where small details matter, half of it where the field is smooth
    """

    def __init__(
        self,
        inputs: int,
        outputs: int = 1,
        width: int = 16,
        layers: int = 2,
        box: Sequence[Sequence[float]] | None = None,
        modes: int = 5,
        decay: float = 3.0,
    ) -> None:
        amplitudes = mode_amplitudes(modes, decay)
        super().__init__(inputs, outputs, inputs * modes, width, layers)
        corners = corners_of(inputs, box)
        numbers = torch.arange(1, modes + 1, dtype=torch.float64)
        angles = torch.diag(math.pi / (corners[1] - corners[0]))
        self.register_buffer("angles", angles)
        self.register_buffer("wave_numbers", torch.kron(angles, numbers[:, None]))
        self.register_buffer("amplitudes", amplitudes.repeat(inputs))
        self.register_buffer("origin", corners[0])
        draw_normal(self.layers, 1.0)

    def encode(self, points: Jet) -> Jet:
        """Return the Fourier cosine modes, even about all faces."""
        phase = phases(points, self.origin, self.wave_numbers)
        sines, cosines = torch.sin(phase.value), torch.cos(phase.value)
        waves = phase.apply(cosines, -sines, -cosines)
        return Jet(waves.rows * self.amplitudes.to(waves.rows.dtype), waves.order)

    def activate(self, jet: Jet) -> Jet:
        """Return the activation ``tanh(x)``, elementwise."""
        return tanh(jet)

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate at points ``(n, inputs)``, with derivatives up to ``order`` if one is given."""
        jet = super().forward(points, order or 0, directions)
        phase = phases(coordinates(points, order or 0, directions), self.origin, self.angles)
        sines, cosines = torch.sin(phase.value), torch.cos(phase.value)
        factors = phase.apply(sines, cosines, -sines)
        for axis in range(self.inputs):
            jet = factors.channel(axis) * jet
        return jet.value if order is None else jet
