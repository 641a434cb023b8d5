r"""The vorticity equation as a hard constraint: a start, and the combination of a basis that satisfies it best.

On the periodic square, :math:`w_t + u w_x + v w_y = \nu \Delta w` with the velocity (u, v) of the vorticity w. The
fields :math:`b_j` of a basis become those of K experts by smooth windows that sum to one,

.. math:: w = w_0 + \frac tT \sum_{k=1}^K \sum_{j=1}^N \omega_{kj}\, (\phi_k b_j - \text{its mean}),

so that start and mean hold exactly, and the field is as smooth as the basis. Its velocity, which depends on the
vorticity everywhere, is that of the whole field. All terms are linear in the weights, which minimise the sum of squares
of the residual over the points of the grid.

>>> layer = PeriodicConstraint(PeriodicGrid((16, 32, 32)), experts=(2, 2))                        # doctest: +SKIP
>>> output = layer(network(inputs), start, viscosity=1e-4)                                        # doctest: +SKIP

References
----------
Chalapathi, Du, Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024, section
4.2: there, each expert has its own box and the velocity that its weights would have on the whole square, its rows are
the squares of the residual, and derivatives are one-sided at the edges of the square.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from sciml.checks import choice, number, real_tensor, shape, whole_number
from sciml.errors import InputError
from sciml.hcmoe.layer import ConstraintOutput, warn_of_limits
from sciml.hcmoe.memory import require_memory
from sciml.hcmoe.periodic_grid import PeriodicGrid, Term, per_instance
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.numerics.partition_of_unity import product_windows
from sciml.numerics.pointwise_least_squares import PointwiseProblem, PointwiseResidual, minimum, solve

TERMS: tuple[Term, ...] = ("u", "v", "x", "y", "laplace")
MEAN = 1e-6  # of a start relative to its largest value, which counts as zero: that of rounding in single precision


@dataclass(frozen=True)
class PeriodicSettings:
    """The settings of a constraint on a periodic square.

    Parameters
    ----------
    coupling : ``"windows"``: all experts of an instance are solved for together; ``"independent"``, as published: each
        has the rows of its own box, with the velocity that its weights would have on the whole square. That is not the
        velocity of the field, which jumps between boxes: for comparisons
    times : of the grid whose residuals are rows: with a generator drawn anew for each call, one of each of so many
        equal parts, and without one at even distances, the last among them; all by default
    ridge : of rows ``ridge * w``, which choose among combinations that are equally good
    hessian : of the gradient, see :func:`sciml.numerics.pointwise_least_squares.solve`
    iteration : dampings and ends of the Levenberg-Marquardt iteration
    """

    coupling: Literal["windows", "independent"] = "windows"
    times: int | None = None
    ridge: float = 1e-6
    hessian: Literal["exact", "gauss_newton"] = "exact"
    iteration: BatchedSettings = field(default_factory=BatchedSettings)

    def __post_init__(self) -> None:
        choice("the coupling of experts", self.coupling, ("windows", "independent"))
        choice("the hessian of the constraint", self.hessian, ("exact", "gauss_newton"))
        number("the ridge of the constraint", self.ridge, at_least=0)
        if self.times is not None:
            whole_number("the times of the constraint", self.times, at_least=1)


class PeriodicConstraint(nn.Module):
    """The combination of a basis that satisfies the vorticity equation, with weights for each of K windows.

    Parameters
    ----------
    grid : of the basis and of the residuals
    experts : windows along x and y, which divide the numbers of places
    settings : of rows and solve

    Raises
    ------
    InputError
        If the experts do not divide the grid, or more times are to be drawn than there are.
    """

    def __init__(
        self, grid: PeriodicGrid, experts: tuple[int, int] = (1, 1), settings: PeriodicSettings | None = None
    ) -> None:
        super().__init__()
        self.grid, self.settings, self.experts = grid, settings or PeriodicSettings(), tuple(experts)
        shape("the numbers of experts along x and y", self.experts, (2,))
        for axis, places, count in zip("xy", grid.shape[1:], self.experts, strict=True):
            whole_number(f"the number of experts along {axis}", count, at_least=1)
            if places % count:
                raise InputError(
                    f"the axis of {axis} has {places} places for {count} experts, expected a multiple of {count}; "
                    "choose another number of experts or of places."
                )
        self.count = self.experts[0] * self.experts[1]
        self.independent = self.settings.coupling == "independent"
        self.times = self.settings.times or grid.shape[0]
        if self.times > grid.shape[0]:
            raise InputError(f"{self.times} times are to be drawn, expected at most the {grid.shape[0]} of the grid.")
        self._windows = self._boxes() if self.independent else product_windows((grid.x, grid.y), self.experts)
        self._told = False

    def forward(
        self,
        basis: Tensor,
        start: Tensor,
        viscosity: Tensor | float,
        generator: torch.Generator | None = None,
        guess: Tensor | None = None,
    ) -> ConstraintOutput:
        """Return the best combination of a basis.

        Parameters
        ----------
        basis : values b of N fields, ``(instances, times, nx, ny, N)``, or one basis for all instances
        start : the vorticity at time 0, ``(instances, nx, ny)``, of mean zero
        viscosity : a number of at least 0, or one for each instance, ``(instances,)``
        generator : of the times that are drawn if ``settings.times`` is given; without it they are even
        guess : weights from which the iteration begins, ``(instances or 1, K, N)``; zeros by default

        Returns
        -------
        ConstraintOutput
            The vorticity, the weights in the order of rows of the experts, and the report of the solve.

        Raises
        ------
        InputError
            If shapes differ, the basis is not finite (the sentence names the expert) or has more unknowns than there
            are points, or the mean of a start is not zero.
        """
        basis, start = self._checked(basis, start)
        problem = self._least_squares(basis, start, viscosity, generator)
        first = self._first(problem, guess)
        w, report = solve(problem, first, settings=self.settings.iteration, hessian=self.settings.hessian)
        if not self._told:
            self._told = warn_of_limits(report)
        weights = w.reshape(len(start), self.count, -1)
        return ConstraintOutput(self.assembled(basis, start, weights), weights, report)

    def squares(
        self,
        basis: Tensor,
        start: Tensor,
        viscosity: Tensor | float,
        generator: torch.Generator | None = None,
        guess: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the mean square of the residual of the best combination times the duration, a loss, and its weights.

        Its derivatives are those at fixed weights. Where these minimise it, that is with all times and without ridge,
        they are the derivatives of the minimum (variable projection), at a fraction of the cost of those of the field.

        Parameters
        ----------
        basis, start, viscosity, generator, guess : as those of the call

        Returns
        -------
        squares : ``(instances,)``, over all times
        weights : ``(instances, K, N)``, without derivatives
        """
        basis, start = self._checked(basis, start)
        with torch.no_grad():
            problem = self._least_squares(basis, start, viscosity, generator)
            found = minimum(problem, self._first(problem, guess), self.settings.iteration)
        weights = found.w.reshape(len(start), self.count, -1)
        residual = self.grid.residual(self.assembled(basis, start, weights), viscosity)
        return self.grid.mean_squares(self.grid.duration * residual), weights

    def assembled(self, basis: Tensor, start: Tensor, weights: Tensor) -> Tensor:
        """Return the vorticity with some weights of the basis in each window, ``(instances, times, nx, ny)``.

        Parameters
        ----------
        basis, start : as those of the call, in double precision
        weights : ``(instances, K, N)``
        """
        each = torch.einsum("btxyn,bkn->btxyk", basis, weights)
        return start[:, None] + self._rising(torch.einsum("btxyk,kxy->btxy", each, self._windows.to(each)))

    def name(self, item: int) -> str:
        """Return the name of an item of the least-squares problem in sentences."""
        if not self.independent:
            return f"instance {item}"
        instance, box = divmod(item, self.count)
        return self._expert(instance, box)

    def _first(self, problem: PointwiseProblem, guess: Tensor | None) -> Tensor:
        """Return the unknowns from which the iteration begins."""
        items, functions = problem.items, problem.unknowns // (1 if self.independent else self.count)
        if guess is None:
            return problem.terms.new_zeros(items, problem.unknowns)
        shape("the guess of the constraint", guess, (len(guess), self.count, functions))
        instances = items // (self.count if self.independent else 1)
        return guess.detach().to(problem.terms).expand(instances, -1, -1).reshape(items, -1)

    def _expert(self, instance: int, box: int) -> str:
        return f"expert {divmod(box, self.experts[1])} by (x, y) of instance {instance}"

    def _boxes(self) -> Tensor:
        """Return windows that are 1 in one box and 0 in all others, ``(K, nx, ny)``."""
        along, across = (
            torch.eye(count, dtype=torch.float64).repeat_interleave(places // count, 1)
            for places, count in zip(self.grid.shape[1:], self.experts, strict=True)
        )
        return torch.einsum("kx,ly->klxy", along, across).flatten(0, 1)

    def _checked(self, basis: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return basis and start in double precision, for the same number of instances."""
        shape("the start", real_tensor("the start", start), ("instances", *self.grid.shape[1:]))
        own = 1 if basis.ndim and len(basis) == 1 else len(start)
        shape("the basis", real_tensor("the basis", basis), (own, *self.grid.shape, "functions"))
        if not start.numel() or not basis.numel():
            raise InputError(
                f"the basis has the shape {tuple(basis.shape)} and the start {tuple(start.shape)}, expected at least "
                "one instance and one function."
            )
        start = start.double()
        mean, largest = start.mean((1, 2)), start.abs().amax((1, 2))
        off = ~(mean.abs() <= MEAN * largest) | ~largest.isfinite()
        if bool(off.any()):
            item = int(off.nonzero()[0])
            raise InputError(
                f"the start of instance {item} has the mean {float(mean[item]):g} and the largest value "
                f"{float(largest[item]):g}, expected finite values of mean 0, as the vorticity of a periodic flow has "
                "on a grid with each place once; leave out places that come twice, or subtract the mean."
            )
        broken = ~basis.detach().isfinite().all(4).all(1)  # by instance and place
        if bool(broken.any()):
            instance, *place = broken.nonzero()[0].tolist()
            row, column = (
                at * count // places for at, count, places in zip(place, self.experts, self.grid.shape[1:], strict=True)
            )
            raise InputError(
                f"the basis is not finite at {int(broken.sum())} of {broken.numel()} places, the first of them in the "
                f"box of {self._expert(instance, row * self.experts[1] + column)}; expected finite fields."
            )
        unknowns = basis.shape[4] * (1 if self.independent else self.count)
        points = self.times * self.grid.shape[1] * self.grid.shape[2] // (self.count if self.independent else 1)
        if points < unknowns:
            raise InputError(
                f"there are {points} points for {unknowns} unknowns, expected at least as many points as unknowns; "
                "choose fewer experts, more times, or a smaller basis."
            )
        solves = len(start) * (self.count if self.independent else 1)
        require_memory(solves, unknowns, points, len(TERMS), 0, basis.device)
        return basis.double().expand(len(start), *basis.shape[1:]), start - mean[:, None, None]

    def _rising(self, fields: Tensor) -> Tensor:
        """Return fields of mean zero that vanish at time 0, ``(instances, times, nx, ny, ...)``."""
        t = (self.grid.t / self.grid.duration).to(fields)
        fields = fields * t.reshape(-1, *[1] * (fields.ndim - 2))
        return fields - fields.mean((2, 3), keepdim=True)

    def _least_squares(
        self, basis: Tensor, start: Tensor, viscosity: Tensor | float, generator: torch.Generator | None
    ) -> PointwiseProblem:
        grid, chosen = self.grid, self._drawn(generator).to(basis.device)
        viscosity = per_instance(viscosity, start)
        at_start = grid.spectrum(start[:, None])
        u0, v0, x0, y0, laplace0 = (grid.term(name, at_start) for name in TERMS)
        constant = self._rows((u0 * x0 + v0 * y0 - viscosity * laplace0)[..., None])[..., 0]
        if not self.independent:
            basis = (self._windows.to(basis).movedim(0, 2)[..., None] * basis[..., None, :]).flatten(4)
        fields = self._rising(basis)
        spectrum = grid.spectrum(fields[:, chosen])
        # one term after the other, so that on large grids only one has to fit into memory on the grid
        u, v, x, y = (self._rows(grid.term(name, spectrum)) for name in TERMS[:4])
        linear = self._rows(grid.time_derivative(fields, chosen))
        linear = linear - self._rows(viscosity[..., None] * grid.term("laplace", spectrum))
        for factor, term in ((u0, x), (v0, y), (x0, u), (y0, v)):
            linear = linear + self._rows(factor[..., None]) * term
        weights = self._rows(grid.weights.to(start)[None, chosen, None, None, None])[0, :, 0]
        weights = weights * grid.duration**2 / weights.sum()
        unknowns, items = u.shape[2], len(u)
        ridge = self.settings.ridge * torch.eye(unknowns, dtype=u.dtype, device=u.device)
        return PointwiseProblem(
            torch.stack([u, v, x, y, linear], 1),
            _Transport(),
            (constant,),
            weights,
            (ridge.expand(items, -1, -1), u.new_zeros(items, unknowns)),
            name=self.name,
        )

    def _rows(self, values: Tensor) -> Tensor:
        """Return values ``(instances, times, nx, ny, n)``, or of one length, by items, ``(items, points, n)``."""
        values = values.expand(-1, self.times, *self.grid.shape[1:], -1)
        if not self.independent:
            return values.flatten(1, 3)
        boxes = values.unflatten(3, (self.experts[1], -1)).unflatten(2, (self.experts[0], -1))
        return boxes.permute(0, 2, 4, 1, 3, 5, 6).flatten(3, 5).flatten(0, 2)

    def _drawn(self, generator: torch.Generator | None) -> Tensor:
        """Return the numbers of the times whose residuals are rows, the same for all items."""
        count = self.grid.shape[0]
        if self.times == count:
            return torch.arange(count)
        if generator is None:
            return torch.linspace(0, count - 1, self.times + 1).round().long()[1:]
        draws = torch.rand(self.times, dtype=torch.float64, generator=generator, device=generator.device)
        parts = (torch.arange(self.times, device=draws.device) + draws) * count / self.times
        return parts.long().clamp(max=count - 1)


class _Transport(PointwiseResidual):
    """The residual in the velocity and the slopes of the increment, and all that is linear in it."""

    def value(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        u, v, x, y, linear = v.unbind(1)
        return u * x + v * y + linear + coefficients[0]

    def gradient(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        u, v, x, y, linear = v.unbind(1)
        return torch.stack([x, y, u, v, torch.ones_like(linear)], 1)

    def curvature(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        constant = v.new_zeros(5, 5)
        constant[[0, 1, 2, 3], [2, 3, 0, 1]] = 1
        return constant[None, :, :, None].expand(len(v), 5, 5, v.shape[2])
