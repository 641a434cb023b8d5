"""Guidance: flows that change another one, towards its condition or towards smaller residuals of an equation.

Each is a flow itself, so that samplers need not know of it and guidance adds up: the outer one changes the inner one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from sciml.checks import finite, instance, number
from sciml.errors import InputError
from sciml.generative.flows import Condition, Flow
from sciml.generative.paths import Path
from sciml.generative.predictions import Pair

Residual = Callable[[Tensor], Tensor]
"""Maps data ``(batch, ...)`` to what they miss of an equation or of observations, ``(batch, ...)``."""


class ClassifierFree(Flow):
    r"""Classifier-free guidance, :math:`v_0 + w (v_c - v_0)`, of a network trained with dropped conditions.

    The scale w = 1 is the conditional flow itself, bit for bit and in one call, and w = 0 the unconditional one; every
    other costs two. Above 1 samples follow the condition more closely than their law, and are less diverse: an
    ensemble with w > 1 is not calibrated.

    Parameters
    ----------
    flow : conditional
    scale : w
    null : what the network is given by name in place of the condition, such as a learned null token; a tensor whose
        first axis has length 1 stands for any batch. None for a network that was trained without dropped conditions

    Raises
    ------
    InputError
        The scale is not 1, but the network was trained without dropped conditions.

    References
    ----------
    Ho and Salimans, "Classifier-free diffusion guidance", 2022, Eq. 6, with w - 1 for their w.
    """

    def __init__(self, flow: Flow, scale: float, null: Condition | None) -> None:
        self.flow, self.path = flow, flow.path
        self.scale, self.null = _guided_scale(scale, null), null

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the velocity beyond the conditional one, as seen from the unconditional one."""
        if self.scale == 1.0:
            return self.flow.velocity(x, t, condition)
        without = self.flow.velocity(x, t, _nulled(condition, self.null, len(x)))
        if self.scale == 0.0:
            return without
        return without + self.scale * (self.flow.velocity(x, t, condition) - without)

    def pair(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Pair:
        """Return data and source beyond the conditional ones, as seen from the unconditional ones."""
        if self.scale == 1.0:
            return self.flow.pair(x, t, condition)
        without = self.flow.pair(x, t, _nulled(condition, self.null, len(x)))
        if self.scale == 0.0:
            return without
        return Pair(*(a + self.scale * (b - a) for a, b in zip(without, self.flow.pair(x, t, condition), strict=True)))


class Adaptive(Flow):
    """Classifier-free guidance that stops asking for the unconditional velocity of an item once both agree.

    Each item decides for itself, so that it does not depend on its batch. The flow remembers between calls: a call at
    or before the first time begins a new run.

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
        self.flow, self.path = flow, flow.path
        self.scale, self.null = _guided_scale(scale, null), null
        self.threshold = number("the threshold of the cosine", threshold)
        self._begin, self._open, self.calls = 0.0, torch.zeros(0, dtype=torch.bool), torch.zeros(0, dtype=torch.long)

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the guided velocity of the items that are not done, and the conditional one of the others."""
        self._begin_run(x, float(t.min()))
        found = self.flow.velocity(x, t, condition)
        self.calls += 1
        items = self._open.nonzero()[:, 0]
        if self.scale == 1.0 or not len(items):
            return found
        part = condition and {name: _items(value, items, len(x)) for name, value in condition.items()}
        without = self.flow.velocity(x[items], t[items], _nulled(part, self.null, len(items)))
        self.calls[items] += 1
        among = found[items]
        agree = torch.cosine_similarity(among.flatten(1), without.flatten(1), dim=1) >= self.threshold
        self._open[items[agree]] = False
        return found.index_copy(0, items, without + self.scale * (among - without))

    def _begin_run(self, x: Tensor, time: float) -> None:
        if len(self._open) != len(x) or time <= self._begin:
            self._begin = time
            self._open = torch.ones(len(x), dtype=torch.bool, device=x.device)
            self.calls = torch.zeros(len(x), dtype=torch.long, device=x.device)


class ChangedData(Flow):
    """A flow with another estimate of the data, and the source that goes with it at the same point.

    With this source the point is where it was, so that a last step ends on the estimate: of DDIM, and of Euler's
    method on the linear path.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow, self.path = flow, flow.path

    @abstractmethod
    def changed(self, data: Tensor, x: Tensor, t: Tensor) -> Tensor:
        """Return the estimate of the data, ``(batch, ...)``, in place of that of the flow."""

    def velocity(self, x: Tensor, t: Tensor, condition: Condition | None = None) -> Tensor:
        """Return the velocity of the changed estimates."""
        return self.path.motion(*self.pair(x, t, condition), t)

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


def descended(data: Tensor, residual: Residual, strength: float = 1.0, metric: Tensor | float = 1.0) -> Tensor:
    """Return data after one step down half the square of a residual, see :class:`ResidualGuidance`.

    Parameters
    ----------
    data : z, ``(batch, ...)``
    residual : of the data
    strength : w
    metric : positive numbers by which the gradient is multiplied, in a shape that expands to the data's: their
        variances, for a step that is small in units of their deviations

    Raises
    ------
    InputError
        The residual is not finite.
    """
    with torch.inference_mode(False), torch.enable_grad():  # samples are drawn without gradients
        at = data.detach().clone().requires_grad_()
        missed = residual(at)
        size = missed.flatten(1).square().sum(1)
        (gradient,) = torch.autograd.grad(size.sum() / 2, at)
    finite("the residual", size.detach(), remedy="check it on data of the training")
    direction = metric * gradient
    slope = (gradient * direction).flatten(1).sum(1)
    step = torch.where(slope > 0, size.detach() / slope.clamp(min=torch.finfo(slope.dtype).tiny), 0.0)
    return data - strength * step.reshape(-1, *(1,) * (data.ndim - 1)) * direction


def _ratio(path: Path, x: Tensor, t: Tensor) -> Tensor:
    """Return alpha / sigma beside the items; 0 at the data, where no estimate differs from the point."""
    at = path.coefficients(t).beside(x)
    return torch.where(at.sigma > 0, at.alpha / at.sigma.clamp(min=torch.finfo(x.dtype).tiny), 0.0)


def _guided_scale(scale: float, null: Condition | None) -> float:
    scale = number("the scale of the guidance", scale)
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
