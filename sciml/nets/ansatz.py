"""Networks that satisfy a homogeneous Dirichlet condition by construction.

>>> net = VanishingOnBox(Siren(2, width=8, frequency=3.0), [[-1, -1], [1, 1]])
>>> float(net(torch.tensor([[1.0, 0.3]])).detach())
0.0
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sciml.nets.coordinate import CoordinateNetwork, corners_of
from sciml.numerics.derivatives import Jet, coordinates


class VanishingOnBox(nn.Module):
    r"""A network that vanishes on all faces of a box.

    B(x) N(x),    B(x) = \prod_i 4 (x_i - l_i) (u_i - x_i) / (u_i - l_i)^2,

    with N the network and B = 1 in the centre. It is called as the network is; the derivatives are exact.

    Parameters
    ----------
    network : of coordinates, any number of channels
    box : lower and upper corner; [-1, 1] along every axis by default

    Raises
    ------
    InputError
        If the corners do not suit the network, or are not in order.

    References
    ----------
    Lagaris, Likas, Fotiadis, "Artificial neural networks for solving ordinary and partial differential equations",
    IEEE Trans. Neural Netw. 9, 1998, section II.
    """

    def __init__(self, network: CoordinateNetwork, box: Sequence[Sequence[float]] | None = None) -> None:
        super().__init__()
        self.network, self.inputs, self.outputs = network, network.inputs, network.outputs
        lower, upper = corners_of(self.inputs, box)
        self.register_buffer("lower", lower)
        self.register_buffer("upper", upper)

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate at points ``(n, inputs)``, with derivatives up to ``order`` if one is given."""
        jet = self.network(points, order or 0, directions)
        jet = self._bubble(coordinates(points, order or 0, directions)) * jet
        return jet.value if order is None else jet

    def _bubble(self, position: Jet) -> Jet:
        lower, upper = self.lower.to(position.rows.dtype), self.upper.to(position.rows.dtype)
        scale = 4 / (upper - lower).square()
        at = position.value
        factors = position.apply(
            scale * (at - lower) * (upper - at),
            scale * (lower + upper - 2 * at),
            (-2 * scale).expand_as(at),
        )
        product = factors.channel(0)
        for axis in range(1, self.inputs):
            product = product * factors.channel(axis)
        return product
