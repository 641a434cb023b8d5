"""Guidance: flows that change another one, towards its condition or towards smaller residuals of an equation.

Each is a flow itself, so that samplers need not know of it and guidance adds up: the outer one changes the inner one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from sciml.checks import finite, instance, number
from sciml.errors import InputError
from sciml.generative.flows import Condition, Flow, OuterFlow
from sciml.generative.paths import Path, expand
from sciml.generative.predictions import Pair

Residual = Callable[[Tensor], Tensor]
"""Maps data ``(batch, ...)`` to what they miss of an equation or of observations, ``(batch, ...)``."""

_Ask = Callable[[slice | Tensor, Condition | None], Tensor]
"""Maps some items of a batch, and their condition, to what a flow answers for them."""


class ClassifierFree(OuterFlow):
    r"""Classifier-free guidance, :math:`v_0 + w (v_c - v_0)`, of a network trained with dropped conditions.

    The scale w = 1 is the conditional flow itself, bit for bit and in one call, and w = 0 the unconditional one; every
    other costs two. Mean velocities between two times are guided in the same way. Above 1 samples follow the condition
    more closely than their law, and are less diverse: an ensemble with w > 1 is not calibrated.

    Parameters
    ----------
    flow : conditional
    scale : w, at least 0
    null : what the network is given by name in place of the condition, such as a learned null token; a tensor whose
        first axis has length 1 stands for any batch. None for a network that was trained without dropped conditions

    Raises
    ------
    InputError
        The scale is negative, or not 1 although the network was trained without dropped conditions.

    References
    ----------
    Ho and Salimans, "Classifier-free diffusion guidance", 2022, Eq. 6, with w - 1 for their w.
    """

    def __init__(self, flow: Flow, scale: float, null: Condition | None) -> None:
        super().__init__(flow)
        self.scale, self.null = _guided_scale(scale, null), null

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the velocity beyond the conditional one, as seen from the unconditional one."""
        return self._guided(lambda known: self.flow.velocity(x, t, known), condition, len(x))

    def mean_velocity(self, x: Tensor, t: Tensor, until: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the mean velocity beyond the conditional one, as seen from the unconditional one."""
        return self._guided(lambda known: self.flow.mean_velocity(x, t, until, known), condition, len(x))

    def pair(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Pair:
        """Return data and source beyond the conditional ones, as seen from the unconditional ones."""
        return Pair(*self._guided(lambda known: torch.stack(self.flow.pair(x, t, known)), condition, len(x)))

    def _guided(self, ask: Callable[[Condition | None], Tensor], condition: Condition | None, batch: int) -> Tensor:
        """Return the answer beyond that with the condition, as seen from that without."""
        if self.scale == 1.0:
            return ask(condition)
        without = ask(_nulled(condition, self.null, batch))
        return without if self.scale == 0.0 else without + self.scale * (ask(condition) - without)


class Adaptive(OuterFlow):
    """Classifier-free guidance that stops asking for the unconditional velocity of an item once both agree.

    Each item decides for itself, so that it does not depend on its batch. The flow remembers between calls which items
    are done, until :meth:`begin_run`, which samplers call, or a call with another number of items.

    Parameters
    ----------
    flow, scale, null : as in :class:`ClassifierFree`
    threshold : cosine of the angle between both velocities from which on an item is done; above 1, none ever is

    Attributes
    ----------
    calls : of the network for each item in this run, ``(batch,)``: two where :class:`ClassifierFree` makes two

    References
    ----------
    Castillo et al., "Adaptive guidance: training-free acceleration of conditional diffusion models", 2025.
    """

    calls: Tensor

    def __init__(self, flow: Flow, scale: float, null: Condition | None, threshold: float = 0.991) -> None:
        super().__init__(flow)
        self.scale, self.null = _guided_scale(scale, null), null
        self.threshold = number("the threshold of the cosine", threshold)
        self._restart(0, None)

    def begin_run(self) -> None:
        """Ask for all items again, and begin a run of the flow within."""
        super().begin_run()
        self._restart(0, None)

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the guided velocity of the items that are not done, and the conditional one of the others."""
        return self._guided(lambda of, known: self.flow.velocity(x[of], t[of], known), condition, x)

    def mean_velocity(self, x: Tensor, t: Tensor, until: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the guided mean velocity of the items that are not done, and the conditional one of the others."""
        return self._guided(lambda of, known: self.flow.mean_velocity(x[of], t[of], until[of], known), condition, x)

    def _guided(self, ask: _Ask, condition: Condition | None, x: Tensor) -> Tensor:
        """Return the guided answers for the items that are not done, and the conditional ones for the others."""
        everything, batch = slice(None), len(x)
        if len(self._open) != batch:
            self._restart(batch, x.device)
        self.calls += 1
        if self.scale == 0.0:
            return ask(everything, _nulled(condition, self.null, batch))
        found = ask(everything, condition)
        items = self._open.nonzero()[:, 0]
        if self.scale == 1.0 or not len(items):
            return found
        part = condition and {name: _items(value, items, batch) for name, value in condition.items()}
        without = ask(items, _nulled(part, self.null, len(items)))
        self.calls[items] += 1
        among = found[items]
        agree = torch.cosine_similarity(among.flatten(1), without.flatten(1), dim=1) >= self.threshold
        self._open[items[agree]] = False
        return found.index_copy(0, items, without + self.scale * (among - without))

    def _restart(self, batch: int, device: torch.device | None) -> None:
        self._open = torch.ones(batch, dtype=torch.bool, device=device)
        self.calls = torch.zeros(batch, dtype=torch.long, device=device)


class ChangedData(OuterFlow):
    """A flow with another estimate of the data, and the source that goes with it at the same point.

    With this source the point is where it was, so that a last step ends on the estimate: of DDIM, and of Euler's
    method on the linear path. Mean velocities between two times do not follow from a changed estimate at one: where
    the flow knows them, samplers that ask for them, such as Euler's method, are refused.
    """

    @abstractmethod
    def changed(self, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the estimate of the data, ``(batch, ...)``, in place of that of the flow."""

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the velocity of the changed estimates."""
        return self.path.motion(*self.pair(x, t, condition), t)

    def mean_velocity(self, x: Tensor, t: Tensor, until: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the velocity at the begin, unless the flow knows better and that is not what was asked for."""
        if self.knows_mean_velocity:
            raise InputError(
                f"The sampler asks for mean velocities between two times, which {type(self).__name__} cannot change, "
                "expected one that asks for velocities; take AdamsBashforth2 or Heun, or a flow of velocities."
            )
        return self.velocity(x, t, condition)

    def pair(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Pair:
        """Return the changed estimate of the data with the source that goes with it."""
        pair = self.flow.pair(x, t, condition)
        data = self.changed(pair.data, x, t)
        return Pair(data, pair.source - _ratio(self.path, x, t) * (data - pair.data))


class ResidualGuidance(ChangedData):
    r"""Guidance by the residual r of an equation: the estimate of the data takes a step that makes it smaller.

    .. math:: z' = z - w \frac{\|r\|^2}{\|g\|^2} g, \qquad g = \nabla_z \tfrac12 \|r(z)\|^2

    For linear residuals that can vanish, w = 1 is the step that brings z nearest to the solutions, and every w in
    (0, 2) brings it nearer. No gradient passes the network.

    Parameters
    ----------
    flow : any other
    residual : of the data, by differentiable torch operations
    strength : w

    References
    ----------
    Huang et al., "DiffusionPDE", 2024 (guidance by the residual of a PDE); Patel et al. 2025 (without
    gradients of the network).
    """

    def __init__(self, flow: Flow, residual: Residual, strength: float = 1.0) -> None:
        super().__init__(flow)
        self.residual, self.strength = residual, number("the strength of the guidance", strength, above=0, below=2)

    def changed(self, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the data after a step down the residual."""
        return descended(data, self.residual, self.strength)


def descended(data: Tensor, residual: Residual, strength: float = 1.0) -> Tensor:
    """Return data after one step down half the square of a residual, see :class:`ResidualGuidance`.

    Parameters
    ----------
    data : z, ``(batch, ...)``
    residual : of the data
    strength : w
    """
    return data - strength * steepest(data, residual).step


class Descent(NamedTuple):
    """The way down half the square of a residual.

    Attributes
    ----------
    missed : the residual, ``(batch, ...)``
    step : against the gradient, on which its first derivative brings the square to 0, in the shape of the data
    """

    missed: Tensor
    step: Tensor


def steepest(data: Tensor, residual: Residual, metric: Tensor | float = 1.0) -> Descent:
    """Return the way down half the square of a residual.

    Parameters
    ----------
    data : ``(batch, ...)``
    residual : of the data
    metric : positive numbers by which the gradient is multiplied, in a shape that expands to the data's: their
        variances, for a step that is small in units of their deviations

    Raises
    ------
    InputError
        The residual is not finite, is none for each item, or does not depend on the data by torch operations.
    """
    with torch.inference_mode(False), torch.enable_grad():  # samples are drawn without gradients
        at = data.detach().clone().requires_grad_()
        missed = residual(at)
        if not missed.requires_grad:
            raise InputError(
                "the residual has no derivative with respect to the data, expected one that is computed from them by "
                "torch operations; leave out detach and programs of NumPy."
            )
        if missed.ndim < 2 or len(missed) != len(data):  # else residuals of different items would add up
            expected = f"({len(data)}, ...), numbers for each item"
            raise InputError(f"the shape of the residual is {tuple(missed.shape)}, expected {expected}.")
        size = missed.flatten(1).square().sum(1)
        (gradient,) = torch.autograd.grad(size.sum() / 2, at)
    finite("the residual", size.detach(), remedy="check it on data of the training")
    direction = metric * gradient
    slope = (gradient * direction).flatten(1).sum(1)
    reach = torch.where(slope > 0, size.detach() / slope.clamp(min=torch.finfo(slope.dtype).tiny), 0.0)
    return Descent(missed.detach(), expand(reach, data) * direction)


def _ratio(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Return alpha / sigma beside the items; 0 at the data, where no estimate differs from the point."""
    at = path.coefficients(t).beside(x)
    return torch.where(at.sigma > 0, at.alpha / at.sigma.clamp(min=torch.finfo(x.dtype).tiny), 0.0)


def _guided_scale(scale: float, null: Condition | None) -> float:
    scale = number("the scale of the guidance", scale, at_least=0)
    if null is not None:
        instance("the null condition", null, Mapping, "tensors by name")
    elif scale != 1.0:
        raise InputError(
            f"the scale of the guidance is {scale:g}, but the network was trained without dropped conditions, expected "
            "1; train it with dropped conditions and give their null condition."
        )
    return scale


def _nulled(condition: Condition | None, null: Condition | None, batch: int) -> Condition:
    """Return the condition with the entries of the null condition in place of its own."""
    return {**(condition or {}), **{name: _expanded(value, batch) for name, value in (null or {}).items()}}


def _expanded(value: object, batch: int) -> object:
    if isinstance(value, Tensor) and value.ndim and len(value) == 1:
        return value.expand(batch, *value.shape[1:])
    return value


def _items(value: object, items: Tensor, batch: int) -> object:
    """Return the part of an entry of the condition that belongs to some items."""
    return value[items] if isinstance(value, Tensor) and value.ndim and len(value) == batch else value
