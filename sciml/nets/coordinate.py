"""Coordinate networks: sine, tanh and periodic Fourier networks, each with exact derivatives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sciml.checks import positive, shape, whole_number
from sciml.errors import InputError
from sciml.numerics.derivatives import Jet, concatenate, coordinates, linear, sine, tanh

MOST_LAYERS, MOST_UNITS = 1000, 10**6  # beyond all networks of coordinates: a slip of the keyboard, or malice


class CoordinateNetwork(nn.Module, ABC):
    """Base of the coordinate networks: linear layers with activations between them, evaluated on jets.

    ``net(points)`` is a tensor ``(n, outputs)``; ``net(points, order, directions)`` a
    :class:`~sciml.numerics.derivatives.Jet`.

    Parameters
    ----------
    inputs : dimension of the points
    outputs : channels of the field
    features : channels that enter the first linear layer
    width : of the hidden layers
    layers : number of hidden layers, at least 1
    """

    def __init__(self, inputs: int, outputs: int, features: int, width: int, layers: int) -> None:
        super().__init__()
        check_counts(inputs=inputs, outputs=outputs, width=width, layers=layers)
        self.inputs, self.outputs = inputs, outputs
        sizes = [features, *[width] * layers, outputs]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))

    def encode(self, points: Jet) -> Jet:
        """Return what enters the first layer: the points themselves."""
        return points

    @abstractmethod
    def activate(self, jet: Jet) -> Jet:
        """Apply the activation function to a jet."""

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate the network at points ``(n, inputs)``, with derivatives up to ``order`` if one is given."""
        check_points(points, self.inputs)
        jet = self.encode(coordinates(points, order or 0, directions))
        for layer in self.layers[:-1]:
            jet = self.activate(linear(jet, layer.weight, layer.bias))
        jet = linear(jet, self.layers[-1].weight, self.layers[-1].bias)
        return jet.value if order is None else jet


class Siren(CoordinateNetwork):
    """A network with ``sin(frequency (W x + b))`` in every hidden layer and a linear output layer.

    Weights of the first layer are uniform in ``+-1 / inputs``, all others in ``+-sqrt(6 / fan_in) / frequency``, biases
    in ``+-1 / sqrt(fan_in)``. There are ``hidden_layers + 1`` sine layers: the network of the paper on implicit neural
    spatial representations counts only those from width to width.

    Parameters
    ----------
    inputs, outputs, width : as in :class:`CoordinateNetwork`
    hidden_layers : layers from width to width, 0 or more
    frequency : 30 as published; a smooth field on a box of size 2 fits far better with 3 to 10

    References
    ----------
    Sitzmann et al., "Implicit neural representations with periodic activation functions", NeurIPS 2020, section 3.2.
    Chen et al., "Implicit neural spatial representations for time-dependent PDEs", ICML 2023.
    """

    def __init__(
        self, inputs: int, outputs: int = 1, width: int = 20, hidden_layers: int = 2, frequency: float = 30.0
    ) -> None:
        positive("the frequency of a sine network", frequency)
        whole_number("hidden_layers of a sine network", hidden_layers, at_least=0)
        super().__init__(inputs, outputs, inputs, width, hidden_layers + 1)
        self.frequency = float(frequency)
        with torch.no_grad():
            for number, layer in enumerate(self.layers):
                fan_in = layer.in_features
                bound = math.sqrt(6 / fan_in) / frequency if number else 1 / fan_in
                layer.weight.uniform_(-bound, bound)

    def activate(self, jet: Jet) -> Jet:
        """Return the activation ``sin(frequency * x)``, elementwise."""
        return sine(jet, self.frequency)


class TanhNetwork(CoordinateNetwork):
    """A network with ``tanh`` in every hidden layer and a linear output layer, on a box scaled to [-1, 1].

    Weights are normal with variance ``1 / fan_in``, that of the first layer with ``spread^2 / fan_in``; biases are
    normal with deviation 0.3, in the first layer ``0.3 spread``.

    Parameters
    ----------
    inputs, outputs, width, layers : as in :class:`CoordinateNetwork`
    box : lower and upper corner of what is scaled to [-1, 1]; that cube itself by default
    spread : of the first layer; larger values suit fields with finer details
    """

    def __init__(
        self,
        inputs: int,
        outputs: int = 1,
        width: int = 16,
        layers: int = 2,
        box: Sequence[Sequence[float]] | None = None,
        spread: float = 1.0,
    ) -> None:
        super().__init__(inputs, outputs, inputs, width, layers)
        corners = corners_of(inputs, box)
        self.register_buffer("scale", 2 / (corners[1] - corners[0]))
        self.register_buffer("centre", (corners[0] + corners[1]) / 2)
        draw_normal(self.layers, spread)

    def encode(self, points: Jet) -> Jet:
        """Return the coordinates, scaled from the box to [-1, 1]."""
        scale = self.scale.to(points.rows.dtype)
        rows = points.rows * scale
        return Jet(torch.cat([rows[:1] - self.centre.to(scale.dtype) * scale, rows[1:]]), points.order)

    def activate(self, jet: Jet) -> Jet:
        """Return the activation ``tanh(x)``, elementwise."""
        return tanh(jet)


class FourierNetwork(CoordinateNetwork):
    """A network of ``tanh`` layers on Fourier modes of a box: exactly periodic, with all derivatives.

    The features are ``g_k sin(2 pi k x_i / L_i)`` and ``g_k cos(...)`` for every axis and ``k = 1 ... modes``, with
    ``g_k = 2 exp(-(k / decay)^2 / 2)``: the network is smooth at first, and fine modes are available. An axis that is
    not periodic, such as time, enters scaled from the box to [-1, 1].

    Parameters
    ----------
    inputs, outputs, width, layers : as in :class:`CoordinateNetwork`
    box : lower and upper corner, [-1, 1] along every axis by default
    modes : number of Fourier modes along each axis
    decay : wave number over which the amplitudes decay
    periodic : whether each axis is periodic; all by default
    """

    def __init__(  # noqa: PLR0913 - sizes and features
        self,
        inputs: int,
        outputs: int = 1,
        width: int = 16,
        layers: int = 2,
        box: Sequence[Sequence[float]] | None = None,
        modes: int = 8,
        decay: float = 5.0,
        periodic: Sequence[bool] | None = None,
    ) -> None:
        amplitudes = mode_amplitudes(modes, decay)
        flags = [True] * inputs if periodic is None else [bool(flag) for flag in periodic]
        if len(flags) != inputs or not any(flags):
            raise InputError(f"periodic is {periodic!r}, expected {inputs} times true or false, at least once true.")
        axes, others = ([axis for axis in range(inputs) if flags[axis] is kind] for kind in (True, False))
        super().__init__(inputs, outputs, 2 * len(axes) * modes + len(others), width, layers)
        corners = corners_of(inputs, box)
        numbers, sides = torch.arange(1, modes + 1, dtype=torch.float64), corners[1] - corners[0]
        self.register_buffer("wave_numbers", torch.kron(torch.diag(2 * math.pi / sides)[axes], numbers[:, None]))
        self.register_buffer("amplitudes", amplitudes.repeat(len(axes)))
        self.register_buffer("scale", torch.diag(2 / sides)[others])
        self.register_buffer("origin", corners[0])
        draw_normal(self.layers, 1.0)

    def encode(self, points: Jet) -> Jet:
        """Return the Fourier modes, and the other coordinates."""
        dtype = points.rows.dtype
        phase = phases(points, self.origin, self.wave_numbers)
        sines, cosines = torch.sin(phase.value), torch.cos(phase.value)
        waves = concatenate(phase.apply(sines, cosines, -sines), phase.apply(cosines, -sines, -cosines))
        waves = Jet(waves.rows * self.amplitudes.to(dtype).repeat(2), waves.order)
        if not len(self.scale):
            return waves
        scale = self.scale.to(dtype)
        others = linear(points.shifted(-self.origin.to(dtype)), scale, -torch.ones_like(scale[:, 0]))
        return concatenate(waves, others)

    def activate(self, jet: Jet) -> Jet:
        """Return the activation ``tanh(x)``, elementwise."""
        return tanh(jet)


def mode_amplitudes(modes: int, decay: float) -> Tensor:
    """Return the amplitudes ``2 exp(-(k / decay)^2 / 2)`` of the Fourier modes ``k = 1 ... modes``, ``(modes,)``."""
    check_counts(modes=modes)
    positive("the decay of a network's modes", decay)
    return 2 * torch.exp(-((torch.arange(1, modes + 1, dtype=torch.float64) / decay) ** 2) / 2)


def phases(points: Jet, origin: Tensor, wave_numbers: Tensor) -> Jet:
    """Return the phases of Fourier modes at points, from an origin ``(inputs,)``; wave numbers ``(modes, inputs)``."""
    dtype = points.rows.dtype  # the buffers stay in float64: rounded wave numbers would break the period
    return linear(points.shifted(-origin.to(dtype)), wave_numbers.to(dtype))


def check_counts(**counts: int) -> None:
    """Refuse numbers of channels, layers or units that are not whole numbers of at least 1, or beyond any network."""
    for name, value in counts.items():
        whole_number(f"{name} of a network", value, at_least=1)
        whole_number(f"{name} of a network", value, at_most=MOST_LAYERS if name.endswith("layers") else MOST_UNITS)


def check_points(points: Tensor, inputs: int) -> None:
    """Refuse points of another dimension than that of a network."""
    shape("the points", points, ("number of points", inputs))


def corners_of(inputs: int, box: Sequence[Sequence[float]] | None) -> Tensor:
    """Return the lower and the upper corner of a box, ``(2, inputs)``, by default those of [-1, 1]^inputs."""
    given = [[-1.0] * inputs, [1.0] * inputs] if box is None else [list(corner) for corner in box]
    if [len(corner) for corner in given] != [inputs, inputs]:
        raise InputError(f"the box of a network is {given}, expected a lower and an upper corner of {inputs} numbers.")
    corners = torch.tensor(given, dtype=torch.float64)
    if not bool((corners[0] < corners[1]).all()) or not bool(corners.isfinite().all()):
        raise InputError(f"the box of a network is {given}, expected every lower bound below its upper one.")
    return corners


def draw_normal(layers: nn.ModuleList, spread: float) -> None:
    """Draw weights for ``tanh`` layers from the global generator, as torch's own layers do."""
    positive("the spread of a network", spread)
    with torch.no_grad():
        for number, layer in enumerate(layers):
            factor = 1.0 if number else spread
            layer.weight.normal_(0, factor / math.sqrt(layer.in_features))
            layer.bias.normal_(0, 0.3 * factor)
