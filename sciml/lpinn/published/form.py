r"""The equations of the method as its authors published them, written anew from paper and code.

The network N of the label's angle 2 pi \xi / L and the time gives X and w, periodic in \xi. Frame and initial
condition are terms of the loss,

    loss = 10 |X_t - velocity| + |w_t - viscosity w_{\xi\xi}| + 1000 (|X(\xi, 0) - \xi| + |w(\xi, 0) - u_0|),

norms that are not squared, over a lattice of labels and times, both ends included. The factors are the
``training.weights`` of a config. Two things are wrong, and can be corrected one by one: ``w_{\xi\xi}`` is not
u_xx where X_\xi is not 1 (``diffusion="physical"``), and X itself grows by L where N is periodic (``adds_label``).

References
----------
Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks: a
causality-conforming manifold for convection-dominated PDEs", CMAME 404, 2023, and its code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from sciml.checks import choice, whole_number
from sciml.errors import CharacteristicCrossingError, InputError
from sciml.lpinn.frames import LabelMotion
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.problems.cases import ViscousBurgers
from sciml.lpinn.readout.error_norms import relative_error
from sciml.nets.coordinate import check_counts, check_points
from sciml.numerics.derivatives import Jet, concatenate, coordinates, linear, sine, tanh
from sciml.reference.trigonometric_series import TrigonometricSeries

HALVINGS = 60  # of an interval of labels, to rounding

NetworkOfLabels = Callable[[Tensor, int, Tensor], Jet]


class PublishedNetwork(nn.Module):
    """The published network: ``tanh`` layers of (cos angle, sin angle, time), with position and state as outputs.

    Weights are initialised as those of torch's own layers. The official code has one trunk, whose third layer is reused
    for all later ones, and one output layer with one channel: applied after ``position_layers`` it gives X, after
    ``state_layers`` w. The paper has two branches.

    Parameters
    ----------
    width : of the hidden layers
    position_layers, state_layers : number of hidden layers before X and before w
    shared : the trunk of the official code; False for two branches without common weights
    """

    inputs, outputs = 2, 2

    def __init__(self, width: int = 50, position_layers: int = 2, state_layers: int = 5, shared: bool = True) -> None:
        super().__init__()
        check_counts(width=width, position_layers=position_layers, state_layers=state_layers)
        self.depths, self.shared = (position_layers, state_layers), shared
        longest = [min(max(self.depths), 3)] if shared else self.depths
        self.branches = nn.ModuleList(
            nn.ModuleList(nn.Linear(width if number else 3, width) for number in range(depth)) for depth in longest
        )
        self.last = nn.ModuleList(nn.Linear(width, 1) for _ in longest)

    def forward(self, points: Tensor, order: int | None = None, directions: Tensor | None = None) -> Tensor | Jet:
        """Evaluate at points (angle, time), ``(n, 2)``, with derivatives up to ``order`` if one is given."""
        check_points(points, self.inputs)
        jet = coordinates(points, order or 0, directions)
        angle, time = jet.channel(0), jet.channel(1)
        start = concatenate(sine(angle.shifted(angle.value.new_tensor(math.pi / 2))), sine(angle), time)
        found = concatenate(*self._shared(start)) if self.shared else concatenate(*self._separate(start))
        return found.value if order is None else found

    def _shared(self, jet: Jet) -> list[Jet]:
        (layers,), (last,) = self.branches, self.last
        trunk = []
        for number in range(max(self.depths)):
            layer = layers[min(number, len(layers) - 1)]
            jet = tanh(linear(jet, layer.weight, layer.bias))
            trunk.append(jet)
        return [linear(trunk[depth - 1], last.weight, last.bias) for depth in self.depths]

    def _separate(self, start: Jet) -> list[Jet]:
        found = []
        for layers, last in zip(self.branches, self.last, strict=True):
            jet = start
            for layer in layers:
                jet = tanh(linear(jet, layer.weight, layer.bias))
            found.append(linear(jet, last.weight, last.bias))
        return found


@dataclass(frozen=True)
class SoftCharacteristics:
    """The equations of characteristics on a periodic interval, and their initial conditions, as terms of a loss.

    Parameters
    ----------
    problem : on a periodic interval
    diffusion : ``"label"`` as published, which is wrong where X_xi is not 1, or ``"physical"``
    adds_label : whether X is the label plus the output of the network; as published it is the output, which is periodic
        and cannot be equal to the label at both ends of the interval
    labels, times : numbers of the lattice, both ends included
    """

    problem: TransportProblem
    diffusion: Literal["label", "physical"] = "label"
    adds_label: bool = False
    labels: int = 256
    times: int = 100

    def __post_init__(self) -> None:
        self.problem.check()
        choice("diffusion", self.diffusion, ("label", "physical"))
        for name in ("labels", "times"):
            whole_number(name, getattr(self, name), at_least=4)
        box = self.problem.domain
        if box.dim != 1 or not all(box.periodic):
            raise InputError(
                f"{type(self.problem).__name__} is on {box}, expected a periodic interval, as the published form "
                "requires; use SpaceTimeFitting."
            )
        if self.diffusion == "physical" and self.problem.viscosity and not self.adds_label:
            raise InputError(
                "a position that is periodic in the label has X_xi = 0 somewhere, by which physical diffusion divides; "
                "set adds_label to true."
            )

    @property
    def length(self) -> float:
        """The length of the interval."""
        return self.problem.domain.upper[0] - self.problem.domain.lower[0]

    def lattice(self) -> Tensor:
        """Return labels and times, ``(times * labels, 2)``; those of time 0 first."""
        (lower,), (upper,) = self.problem.domain.lower, self.problem.domain.upper
        labels = torch.linspace(lower, upper, self.labels, dtype=torch.float64)
        times = torch.linspace(0.0, self.problem.duration, self.times, dtype=torch.float64)
        return torch.stack([labels.repeat(self.times), times.repeat_interleave(self.labels)], 1)

    def motion(self, network: NetworkOfLabels, points: Tensor, order: int, with_label: bool = True) -> LabelMotion:
        """Return position and state with their derivatives by label, if asked for, and time.

        Parameters
        ----------
        network : of angle and time
        points : labels and times, ``(n, 2)``
        order : 0 to 2
        with_label : whether derivatives by label are needed
        """
        rate = 2 * math.pi / self.length
        axes = torch.eye(2, dtype=points.dtype, device=points.device)[0 if with_label else 1 :]
        scale = axes.new_tensor([rate, 1.0])
        angles = (points[:, :1] - self.problem.domain.lower[0]) * rate
        jet = network(torch.cat([angles, points[:, 1:]], 1), order, axes * scale)
        position = jet.channel(0)
        if self.adds_label:
            position = position + coordinates(points, order, axes).channel(0)
        return LabelMotion(position, jet.channel(1), points[:, 1:])

    def residuals(self, motion: LabelMotion) -> tuple[Tensor, Tensor]:
        """Return the unscaled residuals of position and state, ``(n, 1)`` each."""
        problem, position, state = self.problem, motion.position, motion.state
        given = (position.value, motion.time, state.value)
        moved, changed = position.first[-1] - problem.velocity(*given), state.first[-1]
        source = problem.source(*given)
        if source is not None:
            changed = changed - source
        if problem.viscosity:
            by_label = self.diffusion == "label"
            changed = changed - problem.viscosity * (state.second[0] if by_label else motion.laplacian(motion.gradient))
        return moved, changed

    def terms(self, network: NetworkOfLabels, points: Tensor) -> dict[str, Tensor]:
        """Return norms, not squared: ``position`` and ``state`` of the residuals, ``start`` of both initial conditions.

        Parameters
        ----------
        network : of angle and time
        points : the lattice, in the precision to compute in
        """
        viscous = self.problem.viscosity > 0
        motion = self.motion(network, points, 2 if viscous else 1, with_label=viscous)
        moved, changed = self.residuals(motion)
        labels = points[: self.labels, :1]
        start = self.problem.initial(labels)
        return {
            "position": torch.linalg.vector_norm(moved),
            "state": torch.linalg.vector_norm(changed),
            "start": torch.linalg.vector_norm(motion.position.value[: self.labels] - labels)
            + torch.linalg.vector_norm(motion.state.value[: self.labels] - start),
        }


@dataclass(frozen=True)
class LabelDiffusion:
    r"""The solution of Burgers' equation with diffusion by label, ``w_t = nu w_{\xi\xi}, X_t = w``, in closed form.

    Modes decay independently, w = m + \sum_k e^{-\nu k^2 t} (a_k cos k \xi + b_k sin k \xi), and X is the integral of
    w over time. No network that is trained on this equation comes closer to Burgers' equation than it.

    Parameters
    ----------
    problem : Burgers' equation, of any mean
    """

    problem: ViscousBurgers

    def __post_init__(self) -> None:
        if not isinstance(self.problem, ViscousBurgers):
            raise InputError(
                f"diffusion by label is known in closed form for ViscousBurgers, got {type(self.problem).__name__}."
            )

    def follow(self, labels: Tensor, time: float) -> tuple[Tensor, Tensor]:
        """Return position and state of labels ``(n, 1)`` at a time."""
        state, shift = self._series(time)
        return labels + self.problem.initial_series.mean * time + shift(labels), state(labels)

    def __call__(self, points: Tensor, time: float) -> Tensor:
        """Return u at points ``(n, 1)`` and a time.

        Raises
        ------
        CharacteristicCrossingError
            If labels have met.
        """
        state, shift = self._series(time)
        stretch = 1 + float(shift.slope(self._labels).min())
        if stretch <= 0:
            raise CharacteristicCrossingError(
                f"with diffusion by label characteristics have crossed before t = {time:.4g}: the smallest J is "
                f"{stretch:.2g}; use a shorter duration or a larger viscosity."
            )
        reach = sum(map(abs, (*shift.cosines, *shift.sines)))
        home = points - self.problem.initial_series.mean * time
        lower, upper = home - reach, home + reach
        for _ in range(HALVINGS):
            middle = (lower + upper) / 2
            beyond = middle + shift(middle) > home
            lower, upper = torch.where(beyond, lower, middle), torch.where(beyond, middle, upper)
        return state((lower + upper) / 2)

    @cached_property
    def _labels(self) -> Tensor:
        return self.problem.probes()

    def _series(self, time: float) -> tuple[TrigonometricSeries, TrigonometricSeries]:
        """Return the state, and its integral over time without the mean."""
        start, viscosity = self.problem.initial_series, self.problem.viscosity
        state, shift = [], []
        for waves in (start.cosines, start.sines):
            rates = [viscosity * (number + 1) ** 2 for number in range(len(waves))]
            state.append([size * math.exp(-rate * time) for size, rate in zip(waves, rates, strict=True)])
            integrals = [-math.expm1(-rate * time) / rate if rate else time for rate in rates]
            shift.append([size * integral for size, integral in zip(waves, integrals, strict=True)])
        return TrigonometricSeries(start.mean, *state), TrigonometricSeries(0.0, *shift)


def label_diffusion_floor(problem: ViscousBurgers, points: int = 256, times: int = 101) -> float:
    """Return the relative L2 error, of the fluctuation over the run, that diffusion by label keeps after any training.

    Parameters
    ----------
    problem : Burgers' equation with viscosity; its mean matters only for the positions of the points
    points, times : numbers of the lattice, by default those of the errors of runs; with few times, late ones weigh more
    """
    places = torch.linspace(0.0, 2 * math.pi, points + 1, dtype=torch.float64)[:-1, None]
    moments = [problem.duration * k / (times - 1) for k in range(times)]
    return relative_error(LabelDiffusion(problem), moments, places)
