r"""Hard constraints as layers: the combination of any basis that satisfies an equation, as one batched solve.

Each expert k minimises, over the combinations :math:`b \cdot w_k` of the fields of a basis in its box of time and
space, the sum of squares of the residual at its points and of rows for start, ends and faces. The solution is a
differentiable function of the basis and of the coefficients of the equation, by the implicit function theorem.

>>> layer = ExpertConstraint(problem, times, x, experts=(1, 4))                                   # doctest: +SKIP
>>> output = layer(GridBasis(network(inputs), times, x))                                          # doctest: +SKIP
>>> output.u.square().mean().backward()                                                           # doctest: +SKIP

References
----------
Chalapathi, Du, Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024, sections
3.1 and 3.2; Négiar, Mahoney, Krishnapriyan, "Learning differentiable solvers for systems with hard constraints", ICLR
2023, for one expert.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sciml.checks import instance, real_tensor, shape
from sciml.errors import InputError
from sciml.hcmoe.bases import Basis, GridBasis, LiftedBasis
from sciml.hcmoe.boxes import Boxes, axis
from sciml.hcmoe.constraint_settings import ConstraintSettings
from sciml.hcmoe.local_bases import LocalBasis, PiecewiseBasis, WindowedBasis, corners
from sciml.hcmoe.memory import require_memory
from sciml.hcmoe.problems.base import Points, SpaceTimeProblem
from sciml.hcmoe.problems.pointwise import EquationResidual
from sciml.hcmoe.problems.profiles import Coefficients, spread
from sciml.hcmoe.ranks import gathered, share_of
from sciml.hcmoe.rows import Lattice, expanded, independent_rows
from sciml.numerics.batched_steps import DenseLinearisation
from sciml.numerics.pointwise_least_squares import PointwiseProblem, PointwiseReport, minimum, solve
from sciml.numerics.pointwise_residuals import product
from sciml.status import Status


@dataclass(frozen=True, eq=False)
class ConstraintOutput:
    """The field that satisfies the constraint best.

    Attributes
    ----------
    u : ``(instances, times, places)``, in float64, in which the constraint is solved whatever the basis has
    weights : of the basis in each box, ``(instances, K, N)``
    report : statuses, iterations and costs, of the solves of this process
    """

    u: Tensor
    weights: Tensor
    report: PointwiseReport


class ExpertConstraint(nn.Module):
    """One combination of a basis for each of K boxes in time and space, which satisfy an equation together.

    Parameters
    ----------
    problem : equation, start, conditions at the ends
    times, x : the grid of residuals, rising; usually that of the basis
    experts : boxes along the axes of time and place, which divide the numbers of points
    settings : of rows and solve

    Raises
    ------
    InputError
        If the experts do not divide the grid, or the grid leaves the domain of the problem.
    """

    def __init__(
        self,
        problem: SpaceTimeProblem,
        times: Tensor,
        x: Tensor,
        experts: tuple[int, int] = (1, 1),
        settings: ConstraintSettings | None = None,
    ) -> None:
        super().__init__()
        instance("the problem", problem, SpaceTimeProblem, "a SpaceTimeProblem").check()
        settings = instance("settings", settings or ConstraintSettings(), ConstraintSettings, "ConstraintSettings")
        self.problem, self.settings = problem, settings
        times = axis("the times of the constraint", times, 0.0, problem.duration)
        x = axis("the places of the constraint", x, problem.domain.lower[0], problem.domain.upper[0])
        shape("experts", experts, (2,), remedy="give their numbers along time and place, such as (1, 4)")
        if (0, 0) not in problem.orders:
            raise InputError(f"the orders of {type(problem).__name__} lack (0, 0), expected u itself among the terms.")
        self.boxes = Boxes(len(times), len(x), *experts)
        if self.settings.points is not None and self.settings.points > self.boxes.points:
            raise InputError(
                f"{self.settings.points} points of each expert are to be drawn, expected at most the "
                f"{self.boxes.points} in its box."
            )
        # windows blend all experts into one field, for which the lattice is one box
        self._solved = Boxes(len(times), len(x)) if self.settings.coupling == "windows" else self.boxes
        self._lattice = Lattice(problem, times, x, self._solved, self.settings.weighting)
        # Coordinates stay in double precision whatever the module is converted to; this buffer tells the device.
        self.register_buffer("_place", times.new_empty(0), persistent=False)
        self._told = False

    @property
    def lattice(self) -> Lattice:
        """The grid of residuals, on the device of the module."""
        if self._lattice.x.device != self._place.device:
            times, x = (each.to(self._place.device) for each in (self._lattice.times, self._lattice.x))
            self._lattice = replace(self._lattice, times=times, x=x)
        return self._lattice

    def forward(
        self,
        basis: Basis | LocalBasis,
        coefficients: Coefficients | None = None,
        generator: torch.Generator | None = None,
        guess: Tensor | None = None,
    ) -> ConstraintOutput:
        """Return the best combination of a basis.

        Parameters
        ----------
        basis : of fields, the same in all boxes, or other ones in each of them
        coefficients : of the problem by name, ``(instances,)`` each, or profiles; its own by default
        generator : of the points that are drawn, on the device of the grid; needed if ``settings.points`` is given
        guess : weights from which the iteration begins, ``(instances or 1, K, N)``; by default those nearest to the
            start at all times

        Raises
        ------
        InputError
            If the basis is not finite (the sentence names the expert), or has more fields than an expert has points.
        """
        problem, members, start = self._stated(basis, coefficients, generator, guess)
        own, share = self._own(problem)
        w, report = solve(own, start[share], settings=self.settings.iteration, hessian=self.settings.hessian)
        if not self._told:
            self._told = warn_of_limits(report)
        if self.settings.over_ranks:
            w = gathered(w, share, problem.items)
        fields = members[:, self.problem.orders.index((0, 0))]
        u = self._solved.assemble(product(fields, w.reshape(len(members), -1)))
        return ConstraintOutput(u, w.reshape(len(u), self.boxes.count, -1), report)

    def squares(
        self,
        basis: Basis | LocalBasis,
        coefficients: Coefficients | None = None,
        generator: torch.Generator | None = None,
        guess: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the sums of squares at the combination that is found, as a loss for the basis, and its weights.

        At the best combination, their sum has the derivatives of the least sum of squares by the basis and the
        coefficients, by variable projection: without an adjoint solve, and thus at a fraction of the cost of
        derivatives of u. Where ``settings.iteration`` ends the iteration before, sum and derivatives are approximations
        of these, the better the nearer to the best combination it begins.

        Parameters
        ----------
        basis, coefficients, generator, guess : as those of the call

        Returns
        -------
        squares : of the residual, of the conditions (with the ridge) and of the faces, ``(instances,)`` each
        weights : ``(instances, K, N)``, without derivatives
        """
        problem, members, start = self._stated(basis, coefficients, generator, guess)
        own, share = self._own(problem)
        w = minimum(own, start[share], self.settings.iteration).w
        if self.settings.over_ranks:
            w = gathered(w, share, problem.items)
        instances = len(members) // self._solved.count
        squares = {name: each.reshape(instances, -1).sum(1) for name, each in problem.squares(w).items()}
        named = zip(("residual", "conditions", "faces"), squares.values(), strict=True)
        return dict(named), w.reshape(instances, self.boxes.count, -1)

    def _own(self, problem: PointwiseProblem) -> tuple[PointwiseProblem, slice]:
        """Return the items of the problem that this process solves, and which they are: all, unless they are shared."""
        if not self.settings.over_ranks:
            return problem, slice(0, problem.items)
        share = share_of(problem.items)
        return problem.chosen(share), share

    def _stated(
        self,
        basis: Basis | LocalBasis,
        coefficients: Coefficients | None,
        generator: torch.Generator | None,
        guess: Tensor | None,
    ) -> tuple[PointwiseProblem, Tensor, Tensor]:
        """Return the least-squares problem, the terms of all members at all points, and the first unknowns."""
        lattice, boxes = self.lattice, self._solved
        coefficients = dict(self.problem.coefficients if coefficients is None else coefficients)
        self.problem.check_coefficients(coefficients)
        basis = self.joined(basis, coefficients)
        self._require_memory(basis, coefficients)
        terms = basis.derivatives(self.problem.orders, lattice.times, lattice.x).double()
        counts = {"basis": len(terms)} | {name: len(values) for name, values in coefficients.items()}
        instances = max(counts.values())
        if 0 in counts.values() or len(set(counts.values()) - {1}) > 1:
            raise InputError(f"the numbers of instances are {counts}, expected 1, or one number for all others.")
        members = boxes.partition(terms).unflatten(0, (len(terms), boxes.count))
        members = members.expand(instances, *members.shape[1:]).flatten(0, 1)
        self._check(members)
        problem = self._least_squares(members, basis, coefficients, generator)
        if guess is None:
            return problem, members, self._start(problem, list(coefficients))
        fields = members.shape[3] * boxes.count // self.boxes.count
        name = "the guess of the constraint"
        shape(name, real_tensor(name, guess), ("instances", self.boxes.count, fields))
        if len(guess) not in (1, instances):
            raise InputError(f"{name} is one for {len(guess)} instances, expected 1 or {instances}.")
        start = guess.detach().to(members).expand(instances, *guess.shape[1:])
        return problem, members, start.reshape(problem.items, -1)

    def _require_memory(self, basis: Basis, coefficients: Coefficients) -> None:
        """Refuse sizes that do not fit into the memory, before there are terms of such a size."""
        lattice, boxes = self.lattice, self._solved
        few, functions = basis.derivatives([(0, 0)], lattice.times[:1], lattice.x[:1]).shape[::4]
        instances = max(few, *(len(values) for values in coefficients.values()), 1)
        coupled = boxes.count > 1 and self.settings.coupling != "independent"
        group = boxes.count if coupled else 1
        rows = 2 * (boxes.by_place - 1) * boxes.times + (boxes.by_time - 1) * boxes.places if coupled else 0
        items = instances * boxes.count // group
        sizes = (items, group * functions, boxes.points, len(self.problem.orders), rows)
        require_memory(*sizes, lattice.x.device)

    def jumps(self, basis: Basis | LocalBasis, weights: Tensor, coefficients: Coefficients | None = None) -> Tensor:
        """Return the largest jump across faces, of values and of slopes times the size of a box, ``(instances,)``.

        Parameters
        ----------
        basis : of fields
        weights : those of the output, ``(instances, K, N)``
        coefficients : as those of the call
        """
        if self._solved.count == 1:
            return weights.new_zeros(len(weights))
        plain = replace(self.lattice, weighting="paper")
        basis = self.joined(basis, self.problem.coefficients if coefficients is None else coefficients)
        return product(plain.face_rows(basis), weights.flatten(1)).abs().amax(1)

    def joined(self, basis: Basis | LocalBasis, coefficients: Coefficients) -> Basis:
        """Return the fields that are combined: those of each box, with the start if it is lifted, times windows if any.

        With ``coupling="windows"`` the solution at any point is their combination by the weights of all experts, one
        after the other; else that by the weights of the expert in whose box it is.

        Parameters
        ----------
        basis : as that of the call
        coefficients : of the problem by name
        """
        instance("the basis", basis, (Basis, LocalBasis), "a basis, such as GridBasis(values, times, x)")
        windows, local = self.settings.coupling == "windows", isinstance(basis, LocalBasis)
        if local and self.settings.coupling == "independent":
            raise InputError(
                "independent experts have the rows of the whole start, which a basis of each box by itself does not "
                "reach; expected a basis that is the same in all boxes, or another coupling."
            )
        faces = replace(self.lattice, boxes=self.boxes).faces
        bases = [basis.within(*each) for each in corners(faces, windows)] if local else [basis]
        if self.settings.start == "grid":
            grid = instance("the basis", basis, GridBasis, "a GridBasis, whose first time has the start ('grid')")
            start = self.problem.initial_values(Points(grid.x, grid.times[:1], spread(coefficients, 1)))
            bases = [grid.started(torch.atleast_2d(start).expand(-1, len(grid.x)))]
        if self.settings.start == "lift" and (windows or not local):
            bases = [LiftedBasis(each, self.problem, coefficients) for each in bases]
        if windows:
            return WindowedBasis(bases, faces)
        if not local:
            return bases[0]
        pieces = PiecewiseBasis(bases, faces)
        return pieces if self.settings.start == "rows" else LiftedBasis(pieces, self.problem, coefficients)

    def _least_squares(
        self,
        members: Tensor,
        basis: Basis,
        coefficients: Coefficients,
        generator: torch.Generator | None,
    ) -> PointwiseProblem:
        lattice, count = self.lattice, self._solved.count
        instances = len(members) // count
        t, x = lattice.points
        values = self.problem.coefficients_at(Points(x, t, spread(coefficients, 2)))
        own = [each.double().expand(instances, count, -1).flatten(0, 1) for each in values.values()]
        given = [*(each.repeat(instances, 1) for each in (lattice.weights, t, x)), *own]
        if self.settings.points is not None:
            members, given = self._drawn(members, given, generator)
        weights, *given = given
        coupled = count > 1 and self.settings.coupling != "independent"
        group = count if coupled else 1
        couplings, constraints = self._between_experts(basis, instances, members.shape[3], group)
        return PointwiseProblem(
            members,
            EquationResidual(self.problem, list(coefficients)),
            given,
            weights,
            self._rows(basis, coefficients, instances),
            constraints,
            group,
            couplings,
            self._name if group == 1 else "instance {}".format,
        )

    def _between_experts(
        self, basis: Basis, instances: int, functions: int, group: int
    ) -> tuple[tuple[Tensor, Tensor] | None, tuple[Tensor, Tensor] | None]:
        """Return rows and constraints on the unknowns of a group of experts, with their right-hand sides."""
        windows = self.settings.coupling == "windows"
        couplings, exact = None, self.lattice.x.new_zeros(1, 0, group * functions)
        if group > 1:
            faces = self.lattice.face_rows(basis)
            if self.settings.lifted:  # the start, the last field, has the same weight on both sides
                own = faces.unflatten(2, (group, functions))[..., :-1]
                faces = torch.cat([own, torch.zeros_like(own[..., :1])], 3).flatten(2)
            if self.settings.coupling == "exact":
                exact = independent_rows(faces)
            else:
                couplings = expanded(faces, 0.0, instances)
        items = instances * self._solved.count // group
        if self.settings.lifted:
            parts = self.boxes.count if windows else group
            each = torch.arange(parts, device=exact.device)
            lift = exact.new_zeros(1, parts, group * functions)
            lift[0, each, (each + 1) * (group * functions // parts) - 1] = 1
            (c, d), (e, f) = expanded(exact, 0.0, items), expanded(lift, 1.0, items)
            return couplings, (torch.cat([c, e], 1), torch.cat([d, f], 1))
        return couplings, expanded(exact, 0.0, items)

    def _rows(self, basis: Basis, coefficients: Coefficients, instances: int) -> tuple[Tensor, Tensor]:
        """Return the rows of start and ends of each expert, and the ridge."""
        boxes, touched = self._solved, self.settings.coupling != "independent"
        times, places = (torch.arange(each, device=self.lattice.x.device) for each in (boxes.by_time, boxes.by_place))
        rows = []
        if self.settings.start == "rows":
            rows.append((boxes.along_place, times[:, None] == 0, self.lattice.start_rows(basis, coefficients)))
        for own, given in zip((0, boxes.by_place - 1), self.lattice.end_rows(basis, coefficients), strict=True):
            rows.append((boxes.along_time, places[None, :] == own, given))
        found = []
        for along, mask, (matrix, right) in rows:
            joined = torch.cat([matrix.expand(instances, *matrix.shape[1:]), right.expand(instances, -1)[..., None]], 2)
            own = along(joined) * mask[:, :, None, None] if touched else joined[:, None, None]
            found.append(own.expand(instances, boxes.by_time, boxes.by_place, *own.shape[3:]).flatten(0, 2))
        functions = found[0].shape[2] - 1
        ridge = self.settings.ridge * torch.eye(functions, functions + 1, dtype=found[0].dtype, device=found[0].device)
        together = torch.cat([*found, ridge.expand(len(found[0]), -1, -1)], 1)
        return together[..., :-1], together[..., -1]

    def _start(self, problem: PointwiseProblem, names: list[str]) -> Tensor:
        """Return the combination of each expert nearest to the start at all times, from which the iteration begins."""
        with torch.no_grad():
            fields = problem.terms[:, self.problem.orders.index((0, 0))]
            t, x, *values = problem.coefficients
            at = Points(x, torch.zeros_like(t), dict(zip(names, values, strict=True)))
            wanted = self.problem.initial_values(at).expand(fields.shape[:2]).to(fields)
            fit = DenseLinearisation(-wanted, lambda: fields)
            return fit.step(1e-8 * fit.scale).reshape(problem.items, -1)

    def _drawn(
        self, members: Tensor, given: list[Tensor], generator: torch.Generator | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return some points of each expert, uniformly without replacement, whose weights make up for the rest.

        The weights are the first of what is given at points, ``(members, points)``, or for all of a member.
        """
        if generator is None:
            raise InputError("the constraint draws points, expected a generator: pass one of the device of the grid.")
        draws = torch.rand(given[0].shape, generator=generator, device=generator.device)
        count = self.settings.points * self.boxes.count // self._solved.count
        chosen = draws.argsort(1)[:, :count].to(members.device)
        index = chosen[:, None, :, None].expand(-1, members.shape[1], -1, members.shape[3])
        found = [each.gather(1, chosen) if each.shape[1] > 1 else each for each in given]
        found[0] = found[0] * (draws.shape[1] / count)
        return members.gather(2, index), found

    def _name(self, member: int) -> str:
        """Return a member of the batch in words."""
        return self.boxes.name(member) if self._solved is self.boxes else f"instance {member}"

    def _check(self, members: Tensor) -> None:
        broken = ~members.detach().flatten(1).isfinite().all(1)
        if bool(broken.any()):
            raise InputError(
                f"the basis is not finite for {int(broken.sum())} of {len(broken)} experts, the first of them "
                f"{self._name(int(broken.nonzero()[0]))}; expected finite fields with finite derivatives."
            )
        points, fields = self.settings.points or self.boxes.points, members.shape[3]
        fields //= self.boxes.count // self._solved.count
        if points < fields:
            raise InputError(
                f"each expert has {points} points for the {fields} fields of the basis, expected at least as "
                "many points as fields; choose fewer experts, more points, or a smaller basis."
            )


class HardConstraintLayer(ExpertConstraint):
    """The combination of a basis that satisfies an equation best on the whole domain: one expert.

    Parameters
    ----------
    problem, times, x, settings : as those of :class:`ExpertConstraint`
    """

    def __init__(
        self, problem: SpaceTimeProblem, times: Tensor, x: Tensor, settings: ConstraintSettings | None = None
    ) -> None:
        super().__init__(problem, times, x, (1, 1), settings)


def warn_of_limits(report: PointwiseReport) -> bool:
    """Warn if an iteration has not ended at a minimum, and return whether one has not."""
    status = report.minimum.status
    missed = [each for each in status if each in (Status.LIMIT, Status.DIVERGED)]
    if missed:
        warnings.warn(
            f"the constraint has not converged for {len(missed)} of {len(status)} items: {report.minimum}.",
            UserWarning,
            stacklevel=4,
        )
    return bool(missed)
