r"""Loss landscapes of least squares: the spectrum of the Gauss-Newton matrix at a point, and the loss in a plane.

With stacked residuals r(\theta), whose square is the loss, and their Jacobian J, the loss at \theta + a d along a unit
eigenvector d of J^T J is that at \theta plus a^2 times the eigenvalue, if \theta is a minimum and r linear. How far the
picture is from such a valley is what is not linear.

References
----------
Li, Xu, Taylor, Studer, Goldstein, "Visualizing the loss landscape of neural nets", NeurIPS 2018: planes, and random
directions of the size of the weights. Krishnapriyan et al., "Characterizing possible failure modes in physics-informed
neural networks", NeurIPS 2021: planes of leading eigenvectors for PINNs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import vmap

from sciml.checks import positive, shape, whole_number
from sciml.errors import InputError
from sciml.numerics.flat import FlatModule
from sciml.numerics.linearisation import Residuals, ResidualSystem

MEMORY = 1 << 30  # bytes of a Jacobian
AT_ONCE = 1 << 27  # bytes that losses evaluated together may take
AROUND = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


@dataclass(frozen=True)
class Spectrum:
    """The spectrum of a Gauss-Newton matrix ``J^T J``, from singular values of J, which resolve small eigenvalues.

    Attributes
    ----------
    values : eigenvalues, falling, ``(p,)``
    vectors : unit eigenvectors of the largest ones in columns, ``(p, k)``, their largest entries positive
    rank : singular values of J above rounding
    """

    values: Tensor
    vectors: Tensor
    rank: int

    @property
    def condition(self) -> float:
        """The largest eigenvalue over the smallest one above rounding; infinite if all are 0.

        For networks it is mostly a matter of rounding: the largest eigenvalue, and how many are near it, say more.
        """
        return float(self.values[0] / self.values[self.rank - 1]) if self.rank else float("inf")


def gauss_newton(
    groups: Sequence[Residuals], parameters: Tensor, count: int | None = None, memory: int = MEMORY
) -> Spectrum:
    """Return all eigenvalues of ``J^T J``, and the eigenvectors of some.

    Parameters
    ----------
    groups : of residuals, stacked and scaled as in the loss
    parameters : where, ``(p,)``
    count : of the eigenvectors; by default as many as eigenvalues that can differ from 0
    memory : bytes that the Jacobian may take

    Raises
    ------
    InputError
        If the Jacobian is larger than that, or not finite.
    """
    system = ResidualSystem(groups, len(parameters))
    system.residual(parameters)
    rows, columns = system.rows, system.columns
    if 8 * rows * columns > memory:
        raise InputError(
            f"the Jacobian of {rows} residuals by {columns} parameters takes {8 * rows * columns / 2**30:.2g} GiB, "
            f"expected at most {memory / 2**30:.2g}; take fewer points."
        )
    jacobian = torch.cat([block.double() for block in system.jacobian_chunks(parameters)])
    if not bool(jacobian.isfinite().all()):
        raise InputError("the Jacobian is not finite at these parameters; take others.")
    singular, vectors = torch.linalg.svd(jacobian, full_matrices=False)[1:]
    vectors = vectors[:count].T
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    values = torch.cat([singular.square(), singular.new_zeros(columns - len(singular))])
    rounding = max(rows, columns) * torch.finfo(singular.dtype).eps * singular[0]
    return Spectrum(values, vectors * largest.sign(), int((singular > rounding).sum()))


@dataclass(frozen=True)
class Landscape:
    """The losses at a lattice of points in a plane of the parameters.

    Attributes
    ----------
    steps : along both directions, ``(count,)``, 0 in the middle
    loss : ``[i, j]`` is that at ``parameters + steps[i] * first + steps[j] * second``, ``(count, count)``
    """

    steps: Tensor
    loss: Tensor

    @property
    def log10(self) -> Tensor:
        """Logarithm of the loss, ``(count, count)``; what is below the square of rounding counts as that, 5e-32."""
        return self.loss.clamp_min(torch.finfo(self.loss.dtype).eps ** 2).log10()

    @property
    def roughness(self) -> float:
        """Share of the finite losses, less their mean, that no quadratic of both steps explains: 0 for linear fits."""
        x, y = torch.cartesian_prod(self.steps, self.steps).T
        basis = torch.stack([torch.ones_like(x), x, y, x * x, x * y, y * y], 1)
        loss = self.loss.flatten()
        basis, loss = basis[loss.isfinite()], loss[loss.isfinite()]
        size = float((loss - loss.mean()).norm())
        if not size > torch.finfo(loss.dtype).eps * float(loss.norm()):
            return 0.0
        return float((loss - basis @ torch.linalg.lstsq(basis, loss).solution).norm()) / size

    @property
    def minima(self) -> int:
        """Points inside whose loss is lower than those of the eight around them: 1 for a valley."""
        inner = self.loss[1:-1, 1:-1]
        lower = torch.ones_like(inner, dtype=torch.bool)
        for shift in AROUND:
            lower &= inner < self.loss.roll(shift, (0, 1))[1:-1, 1:-1]
        return int(lower.sum())


def landscape(
    groups: Sequence[Residuals], parameters: Tensor, directions: Tensor, span: float = 1.0, count: int = 41
) -> Landscape:
    """Evaluate the loss in the plane through a point along two directions, from ``-span`` to ``span`` along each.

    Parameters
    ----------
    groups : of residuals
    parameters : in the middle, ``(p,)``
    directions : ``(p, 2)``
    span : largest multiple of a direction
    count : of steps along each, odd

    Raises
    ------
    InputError
        If a shape, the span or the count does not suit.
    """
    shape("the directions", directions, (len(parameters), 2))
    positive("the span of a landscape", span)
    if whole_number("the count of a landscape", count, at_least=3) % 2 == 0:
        raise InputError(f"the count of a landscape is {count}, expected an odd number.")
    half = count // 2
    steps = span / half * torch.arange(-half, half + 1, dtype=parameters.dtype, device=parameters.device)
    plane = torch.cartesian_prod(steps, steps)
    points = sum(len(group.data[0]) if group.data else 1 for group in groups)
    at_once = max(1, AT_ONCE // (8 * points * len(parameters)))  # activations are fewer than weights

    def loss(step: Tensor) -> Tensor:
        moved = parameters + directions @ step
        return sum(group.loss(moved) for group in groups)

    with torch.no_grad():
        found = vmap(loss, chunk_size=at_once)(plane)
    return Landscape(steps, found.reshape(count, count))


def filter_normalised(network: FlatModule, parameters: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a random direction whose part for each unit is as long as the weights of that unit, ``(p,)``.

    Biases do not move, nor do units whose weights are 0 (Li et al., section 4).

    Parameters
    ----------
    network : whose weights the parameters are
    parameters : ``(p,)``
    generator : of the draw
    """
    draw = torch.randn(len(parameters), generator=generator, dtype=parameters.dtype, device=parameters.device)
    parts = []
    for weight, part in zip(network.views(parameters).values(), network.views(draw).values(), strict=True):
        if weight.ndim < 2:
            parts.append(torch.zeros_like(weight).flatten())
            continue
        rows, drawn = weight.flatten(1), part.flatten(1)
        parts.append((drawn * (rows.norm(dim=1) / drawn.norm(dim=1))[:, None]).flatten())
    return torch.cat(parts)
