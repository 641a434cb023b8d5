"""Start, conditions at the ends and mass of a problem, made exact on fields over a grid without any training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from sciml.checks import instance, real_tensor, rising, shape
from sciml.errors import InputError
from sciml.hcmoe.boxes import widths
from sciml.hcmoe.problems.base import EndCondition, Points, SpaceTimeProblem
from sciml.hcmoe.problems.profiles import Coefficients, spread
from sciml.numerics.projection import LinearConstraints
from sciml.tables import summary

FROM_ARRAY = "torch.as_tensor makes one of an array"


MOST_KNOWN = 64  # constraints with other factors at the ends that are kept


class Projection:
    r"""The nearest fields, in the mean square over time and space, that start right, and obey at both ends.

    At an end, u and u_x are those of the straight line through the two nearest points of the grid. The conditions hold
    at all times after the start. The equation itself is not a constraint, see
    :class:`~sciml.hcmoe.layer.ExpertConstraint`.

    Parameters
    ----------
    problem : start, and conditions at the ends
    times, x : of the grid, rising, the first time 0
    mass : whether the integral over the interval is given at all times, too

    Raises
    ------
    InputError
        If the grid does not begin at time 0 or leaves the interval.

    Examples
    --------
    >>> from sciml.hcmoe import Heat
    >>> times, x = torch.linspace(0, 1, 5).double(), torch.linspace(0, 1, 9).double()
    >>> u = Projection(Heat(), times, x)(torch.rand(2, 5, 9))
    >>> bool(u[:, :, 0].abs().max() < 1e-14)
    True
    """

    def __init__(self, problem: SpaceTimeProblem, times: Tensor, x: Tensor, *, mass: bool = False) -> None:
        instance("the problem", problem, SpaceTimeProblem, "a SpaceTimeProblem").check()
        for name, coordinates in (("times", times), ("places", x)):
            real_tensor(f"the {name} of the projection", coordinates, remedy=FROM_ARRAY)
        self.problem, self.times, self.x = problem, times.double(), x.double()
        (self.lower,), (self.upper,) = problem.domain.lower, problem.domain.upper
        self._check_grid()
        self.mass, self.device = mass, times.device
        self._known: dict[tuple[float, ...], LinearConstraints] = {}
        self._constraints(self._factors(self._ends(problem.coefficients))[0])

    def __call__(self, u: Tensor, coefficients: Coefficients | None = None, mass: Tensor | None = None) -> Tensor:
        """Return the nearest fields, ``(instances, times, places)``, in double precision.

        They are differentiable in the fields, the start, the targets at the ends and the mass.

        Parameters
        ----------
        u : ``(instances, times, places)``, such as the output of a network
        coefficients : of the problem by name, ``(instances,)`` each, or profiles; its own by default
        mass : integrals, ``(times,)`` or ``(instances, times)``, where they are constraints

        Raises
        ------
        InputError
            If a shape differs, a value is not finite, mass is missing or has no row, start and mass contradict one
            another, or the factors of a condition require gradients.
        """
        real_tensor("the fields", u, remedy=FROM_ARRAY)
        shape("the fields", u, ("instances", len(self.times), len(self.x)))
        coefficients = self.problem.coefficients if coefficients is None else coefficients
        self.problem.check_coefficients(coefficients)
        for name, each in coefficients.items():
            if len(each) not in (1, len(u)):
                raise InputError(
                    f"the coefficient {name!r} has {len(each)} instances for {len(u)} fields, expected 1 or as many."
                )
        initial = self.problem.initial_values(Points(self.x, self.times.new_zeros(1), spread(coefficients, 1)))
        values = {"start": initial.expand(len(u), len(self.x))}
        ends = self._ends(coefficients)
        for name, condition in zip(("lower", "upper"), ends, strict=True):
            target = torch.as_tensor(condition.target, dtype=torch.float64).to(self.times)
            values[name] = target.expand(*target.shape[:-1], len(self.times))[..., 1:].expand(len(u), -1)
        if mass is not None:
            real_tensor("the mass", mass, remedy=FROM_ARRAY)
            shape("the mass", mass, (len(u), len(self.times)) if mass.dim() > 1 else (len(self.times),))
            values["mass"] = mass.expand(len(u), -1)
        factors = [tuple(each) for each in self._factors(ends).expand(len(u), -1).tolist()]
        found = torch.empty_like(u, dtype=torch.float64)
        for each in dict.fromkeys(factors):
            items = torch.tensor([k for k, own in enumerate(factors) if own == each], device=u.device)
            given = {name: value[items] for name, value in values.items()}
            nearest = self._constraints(each).project(u[items].flatten(1), given)
            found = found.index_copy(0, items, nearest.unflatten(1, u.shape[1:]))
        return found

    def __repr__(self) -> str:
        """Return the problem, the grid and what is exact as a table."""
        rows = ", ".join(next(iter(self._known.values())).counts)
        grid = f"{len(self.times)} times, {len(self.x)} places"
        return summary("Projection", {"problem": type(self.problem).__name__, "grid": grid, "exact": rows})

    def _ends(self, coefficients: Coefficients) -> tuple[EndCondition, EndCondition]:
        places = self.x.new_tensor([self.lower, self.upper])
        return self.problem.ends(Points(places, self.times, spread(coefficients, 1)))

    def _factors(self, ends: tuple[EndCondition, EndCondition]) -> Tensor:
        """Return the factors of u and u_x at the lower and at the upper end, ``(instances or 1, 4)``."""
        parts = [torch.as_tensor(part, dtype=torch.float64) for condition in ends for part in condition[:2]]
        if torch.is_grad_enabled() and any(each.requires_grad for each in parts):
            raise InputError(
                "the factors of u or u_x at an end require gradients, which a projection has in its targets alone; "
                "detach them."
            )
        columns = [each.reshape(len(each) if each.ndim > 1 else 1, -1) for each in parts]
        return torch.cat([each[:, :1].expand(max(map(len, columns)), 1) for each in columns], 1).detach()

    def _constraints(self, factors: Sequence[float] | Tensor) -> LinearConstraints:
        """Return the constraints with some factors at the ends."""
        key = tuple(float(each) for each in factors)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            lengths, steps = widths(self.x, self.lower, self.upper), len(self.times)
            at_times = sparse.eye_array(steps, format="csr")
            rows = {"start": sparse.kron(at_times[:1], sparse.eye_array(len(self.x)))}
            for side, name in enumerate(("lower", "upper")):
                rows[name] = sparse.kron(at_times[1:], self._at_end(*key[2 * side : 2 * side + 2], side)[None])
            if self.mass:
                rows["mass"] = sparse.kron(at_times, lengths.cpu().numpy()[None])
            weights = torch.outer(widths(self.times, 0.0, float(self.times[-1])), lengths).flatten()
            self._known[key] = LinearConstraints(rows, weights, device=self.device)
        return self._known[key]

    def _at_end(self, value: float, slope: float, side: int) -> np.ndarray:
        """Return the row of ``value * u + slope * u_x`` at an end and one time, ``(places,)``."""
        first, place = ((0, self.lower), (len(self.x) - 2, self.upper))[side]
        near, far = self.x[first : first + 2].tolist()
        share = (place - near) / (far - near)
        row = np.zeros(len(self.x))
        row[first : first + 2] = value * np.array([1 - share, share]) + slope / (far - near) * np.array([-1, 1])
        return row

    def _check_grid(self) -> None:
        for name, each in (("times", self.times), ("places", self.x)):
            shape(f"the {name} of the projection", each, (f"number of {name}",))
            rising(f"the {name} of the projection", each)
            if len(each) < 2 or not bool((each.diff() > 0).all()):
                raise InputError(f"the {name} of the projection are {len(each)}, expected two or more that differ.")
        if float(self.times[0]) != 0 or not self.lower <= float(self.x[0]) < float(self.x[-1]) <= self.upper:
            raise InputError(
                f"the grid of the projection begins at time {float(self.times[0]):g} and lies between "
                f"{float(self.x[0]):g} and {float(self.x[-1]):g}, expected time 0 and places between {self.lower:g} "
                f"and {self.upper:g}."
            )
