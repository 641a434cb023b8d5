"""Random Fourier features of space and time, with a modified multilayer perceptron."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sciml.lpinn.baselines.standard import largest_speed
from sciml.lpinn.problems import TransportProblem
from sciml.nets.coordinate import CoordinateNetwork, draw_normal
from sciml.numerics.derivatives import Jet, concatenate, coordinates, linear, tanh
from sciml.numerics.random import generator, seeded


class RandomFourierNetwork(CoordinateNetwork):
    """A network with random Fourier features, whose hidden layers mix two encodings of the features.

    Each layer's output g becomes ``g U + (1 - g) V`` with U and V layers of the features. Time, and coordinates that
    are not periodic, are features too, from -1 to 1.

    Parameters
    ----------
    waves : wave vectors and frequencies, ``(features, dim + 1)``
    slopes : of the coordinates that are features, ``(number, dim + 1)``
    origin : point at which all phases are 0, ``(dim + 1,)``
    width, layers : of the perceptron

    References
    ----------
    Wang, Teng, Perdikaris, "Understanding and mitigating gradient flow pathologies in physics-informed neural
    networks", SIAM J. Sci. Comput. 43, 2021, section 2.6.
    """

    def __init__(self, waves: Tensor, slopes: Tensor, origin: Tensor, width: int, layers: int) -> None:
        features = 2 * len(waves) + len(slopes)
        super().__init__(waves.shape[1], 1, features, width, layers)
        self.encodings = nn.ModuleList(nn.Linear(features, width) for _ in range(2))
        for layer in self.encodings:
            draw_normal(nn.ModuleList([layer]), 1.0)
        draw_normal(self.layers, 1.0)
        for name, values in (("waves", waves), ("slopes", slopes), ("origin", origin)):
            self.register_buffer(name, values)

    def encode(self, points: Jet) -> Jet:
        """Return sines and cosines of the phases, and coordinates."""
        moved = points.shifted(-self.origin)
        phase = linear(moved, self.waves)
        sines, cosines = torch.sin(phase.value), torch.cos(phase.value)
        waves = concatenate(phase.apply(sines, cosines, -sines), phase.apply(cosines, -sines, -cosines))
        return concatenate(waves, linear(moved, self.slopes, -torch.ones_like(self.slopes[:, 0])))

    def activate(self, jet: Jet) -> Jet:
        """Return the activation ``tanh(x)``, elementwise."""
        return tanh(jet)

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate at points ``(n, dim + 1)``, with derivatives up to ``order`` if one is given."""
        jet = self.encode(coordinates(points, order or 0, directions))
        one, other = (self.activate(linear(jet, layer.weight, layer.bias)) for layer in self.encodings)
        between = Jet(one.rows - other.rows, one.order)
        for layer in self.layers[:-1]:
            jet = between * self.activate(linear(jet, layer.weight, layer.bias)) + other
        jet = linear(jet, self.layers[-1].weight, self.layers[-1].bias)
        return jet.value if order is None else jet


def random_fourier_network(
    problem: TransportProblem, features: int, modes: int, spread: float, width: int, layers: int, seed: int
) -> RandomFourierNetwork:
    """Draw a network whose wave vectors and frequencies match the periods and the speed of a problem.

    Parameters
    ----------
    problem : any
    features : number of random features
    modes : largest mode number along an axis of the box
    spread : standard deviation of the frequencies, relative to the frequency of the lowest mode at the largest speed
    width, layers : of the perceptron
    seed : of features and weights
    """
    box, draws = problem.labels, generator(seed, 0)
    lower, upper = torch.tensor([box.lower, box.upper], dtype=torch.float64)
    first, free = 2 * math.pi / (upper - lower), ~torch.tensor(box.periodic)
    shape = (features, box.dim)
    numbers = torch.randint(-modes, modes + 1, shape, generator=draws).to(lower)
    # without a period, wave numbers need not be integers
    numbers = numbers + free * (torch.rand(shape, generator=draws, dtype=lower.dtype) - 0.5)
    frequency = spread * max(largest_speed(problem) * float(first.max()), 1 / problem.duration)
    frequencies = frequency * torch.randn(features, 1, generator=draws, dtype=lower.dtype)
    sides = torch.cat([upper - lower, lower.new_tensor([problem.duration])])
    slopes = torch.diag(2 / sides)[torch.cat([free, torch.tensor([True])])]
    origin = torch.cat([lower, lower.new_zeros(1)])
    with seeded(seed):
        return RandomFourierNetwork(
            torch.cat([numbers * first, frequencies], 1), slopes, origin, width, layers
        ).double()
