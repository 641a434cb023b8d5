"""Families of diffusion with sorption, the first problem of the paper, in the root of the time."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from sciml.checks import choice, number, whole_number
from sciml.data.formats import DataField, DatasetWriter, Description
from sciml.errors import ConfigError, InputError
from sciml.hcmoe.bases import GridBasis
from sciml.hcmoe.boxes import Boxes
from sciml.hcmoe.constraint_settings import ConstraintSettings
from sciml.hcmoe.families.base import Family, Instances
from sciml.hcmoe.families.cases import Batch, about_errors, each_case, relative_error, same, until
from sciml.hcmoe.families.comparison import Comparison, in_time
from sciml.hcmoe.families.grid_experts import ContinuedExperts, GridExperts, slabs
from sciml.hcmoe.families.sorption_cases import SorptionCases, read_cases
from sciml.hcmoe.families.sorption_data import NAMES
from sciml.hcmoe.families.sorption_instances import coefficients_of_instances, drawn, instances_of
from sciml.hcmoe.layer import ExpertConstraint
from sciml.hcmoe.problems.base import Points, Reference
from sciml.hcmoe.problems.profiles import Profile, spread
from sciml.hcmoe.problems.sorption import VariedSorption
from sciml.hcmoe.rows import Lattice
from sciml.mesh import Grid
from sciml.numerics.finite_differences import ORDERS
from sciml.numerics.local_interpolation import interpolate
from sciml.reference.diffusion_sorption import Sorption, cell_centres
from sciml.reference.diffusion_sorption_families import FAMILIES, HIGHEST_START, LOGARITHMIC, WIDE_RANGES

SAME = 1e-9  # the relative difference of numbers of an equation that counts as none
CONSTANT = 1e-6  # the variation of a start that counts as none; values in files are in single precision
ROUNDING = 1e-9  # of times
SLACK = 1e-5  # of the ends of ranges, relative; values in files are in single precision
DEFAULT = ConstraintSettings(start="grid", coupling="windows")


class SorptionInRootTime(VariedSorption):
    r"""Diffusion with sorption in the root of the time :math:`s = \sqrt{t / T}`, from 0 to 1.

    .. math:: u_s = \frac{2 s T D}{R(u)}\, u_{xx}

    Fronts start like the root of the time, so that they move steadily in s, and an even grid in s has early times.

    Parameters
    ----------
    seconds : T
    """

    orders = ((0, 0), (1, 0), (0, 2))
    time_power = 1.0

    def __init__(self, seconds: float = 500.0) -> None:
        super().__init__(duration=1.0)
        self.seconds = number("the duration in seconds", seconds, above=0)

    def residual(self, terms: Sequence[Tensor], at: Points) -> Tensor:
        """Return the difference of both sides."""
        u, u_s, u_xx = terms
        return u_s - 2 * self.seconds * at.t * at["diffusivity"] / self.retardation(u, at) * u_xx

    def reference(self) -> Reference:
        """Return extrapolated finite volumes of the first instance, whose times are roots, too."""
        found = self._reference(self.seconds * self.duration**2)
        return found._replace(t=(found.t / self.seconds).sqrt())


class SorptionFamily(Family):
    r"""Diffusion with sorption from random starts, on a grid that is even in x and in :math:`s = \sqrt{t / T}`.

    An instance is a start on the centres of the cells, and four numbers: diffusivity, coefficient and exponent of
    sorption, and the value at x = 0.

    Parameters
    ----------
    family : ``"paper"``, constant starts of one equation, or ``"wide"``, see
        :mod:`sciml.reference.diffusion_sorption_families`
    times, cells : of the grid
    order : of accuracy of the differences, 2, 4, 6 or 8
    experts : boxes along time and place
    constraint : its rows and its solve, with ``start="grid"`` and ``coupling="windows"`` by default
    training_solves : iterations in each update, after which the sum of squares is near its least
    duration : T in seconds
    trained_until : seconds after which training sees neither residual nor conditions; the duration by default. Experts
        go on after it as :class:`~sciml.hcmoe.families.grid_experts.ContinuedExperts` do, by ``order`` times at most
        together; the sum of the outputs of the mode "soft" has not been trained there
    """

    terms: ClassVar[tuple[str, ...]] = ("residual", "conditions")
    cases: ClassVar[type[SorptionCases]] = SorptionCases

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        family: Literal["paper", "wide"] = "paper",
        times: int = 26,
        cells: int = 32,
        order: int = 4,
        experts: tuple[int, int] = (1, 4),
        constraint: ConstraintSettings | None = DEFAULT,
        training_solves: int = 3,
        duration: float = 500.0,
        trained_until: float | None = None,
    ) -> None:
        self.family, self.order = choice("the family", family, tuple(FAMILIES)), choice("the order", order, ORDERS)
        self.shape = (
            whole_number("the number of times of the grid", times, at_least=order + 2),
            whole_number("the number of cells of the grid", cells, at_least=order + 3),
        )
        self.experts, self.settings = experts, constraint or DEFAULT
        if self.settings.over_ranks:
            raise ConfigError(
                "over_ranks is set in the constraint of a family, expected false: an operator draws other instances on "
                "each rank, whose solves are not shared out."
            )
        self.problem = SorptionInRootTime(duration)
        self.s = torch.linspace(0, 1, times, dtype=torch.float64)
        self.y = torch.from_numpy(cell_centres(cells))
        self.varying = NAMES if family == "wide" else ()
        self.channels = 3 + len(self.varying)
        self.training_solves = whole_number("training_solves", training_solves, at_least=1)
        until = number("trained_until", duration if trained_until is None else trained_until, above=0, at_most=duration)
        self.seen = int((self.problem.seconds * self.s**2 <= until * (1 + 1e-12)).sum())
        if self.seen < order + 2:
            raise ConfigError(
                f"training sees {self.seen} times until {until:g} s, expected at least {order + 2}; see later ones too."
            )
        self.objective(experts=True, training=True)  # which refuses experts that do not divide the grid

    def sample(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return instances whose start is ``(count, cells)``, and each number ``(count,)``."""
        return instances_of(drawn(self.family, count, generator), self.y.to(generator.device))

    def inputs(self, instances: Instances) -> Tensor:
        """Return s, x, the start and the numbers that vary, each from -1 to 1."""
        count = len(instances["start"])
        start = instances["start"].double()
        axes = torch.meshgrid(2 * self.s.to(start) - 1, 2 * self.y.to(start) - 1, indexing="ij")
        channels = [each.expand(count, -1, -1) for each in axes]
        channels.append((2 * start / HIGHEST_START - 1)[:, None].expand(-1, self.shape[0], -1))
        for name in self.varying:
            values, ends = instances[name].double(), torch.tensor(WIDE_RANGES[name], dtype=torch.float64)
            if name in LOGARITHMIC:
                values, ends = values.log(), ends.log()
            low, high = ends.tolist()
            channels.append((2 * (values - low) / (high - low) - 1)[:, None, None].expand(-1, *self.shape))
        return torch.stack(channels, -1)

    def unconstrained(self, outputs: Tensor, instances: Instances) -> Tensor:
        """Return the sum of the outputs, which begins at the start if that is exact in the constraint, too."""
        start, total = instances["start"][:, None], outputs.double().sum(-1)
        if self.settings.start == "rows":
            return total
        s = self.s.to(start)[:, None]
        return start + (s if self.settings.start == "lift" else (s > 0).to(start)) * total

    def squares(self, u: Tensor, instances: Instances, *, training: bool = False) -> dict[str, Tensor]:
        """Return the mean squares of the residual, and of start and conditions at both ends with their weights."""
        lattice, coefficients = self._lattice(training, u.device), coefficients_of_instances(instances, self.y)
        basis = GridBasis(u.double()[:, : len(lattice.times), :, None], lattice.times, lattice.x, self.order)
        terms = basis.derivatives(self.problem.orders, lattice.times, lattice.x)[..., 0].unbind(1)
        at = Points(lattice.x, lattice.times[:, None], spread(coefficients, 2))
        residual = lattice.weights.view_as(terms[0][0]) * self.problem.residual(terms, at).square()
        pairs = [lattice.start_rows(basis, coefficients), *lattice.end_rows(basis, coefficients)]
        rows = [(matrix[..., 0] - right) for matrix, right in pairs]
        conditions = torch.cat(rows, 1).square().sum(1)
        return {"residual": residual.sum((1, 2)).mean(), "conditions": conditions.mean()}

    def residual(self, u: Tensor, instances: Instances) -> Tensor:
        """Return the residual in s and x at all points, ``(instances, times, cells)``."""
        basis = GridBasis(u[..., None], self.s, self.y, self.order)
        terms = basis.derivatives(self.problem.orders, self.s, self.y)[..., 0].unbind(1)
        at = Points(self.y, self.s[:, None], spread(coefficients_of_instances(instances, self.y), 2))
        return self.problem.residual(terms, at)

    def objective(self, *, experts: bool, training: bool = False) -> GridExperts:
        """Return the constraint of one expert, or of all, which goes on after the times that training sees."""
        count, settings = self.experts if experts else (1, 1), self.settings
        if training:
            settings = replace(settings, iteration=replace(settings.iteration, max_solves=self.training_solves))
        layer = ExpertConstraint(*self._stated(self.seen), count, settings)
        if training or self.seen == len(self.s):
            return GridExperts(layer, self.order)
        known, alone = replace(settings, start="grid", points=None), (1, count[1])
        ends = slabs(self.seen, len(self.s), self.order)
        later = [ExpertConstraint(*self._stated(end), alone, known) for end in ends]
        return ContinuedExperts(layer, later, self.order)

    def compared(self, u: Tensor, case: Mapping[str, Tensor]) -> Tensor:
        """Return u at the times in seconds and the places of a solution, by polynomials of the order of the family."""
        s = (case["times"].double() / self.problem.seconds).sqrt()
        if float(s.max()) > 1 + ROUNDING:
            raise InputError(
                f"the solutions go on until {float(case['times'].max()):g} s, expected at most "
                f"{self.problem.seconds:g} s, the duration of the family; generate shorter ones."
            )
        values = interpolate(u, self.s.to(u.device), s, self.order, 1)
        return interpolate(values, self.y.to(u.device), case["x"].double(), self.order, 2)

    def instances(self, case: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the instances of solutions, with their starts on the cells of the family."""
        if self.family == "paper":
            _require_published(case)
        else:
            _require_within(case)
        start = Profile(case["start"].double(), case["x"].double())(self.y.to(case["x"].device))
        return {"start": start.clamp_min(0), **{name: case[name].double() for name in NAMES}}

    def check_cases(self, data: SorptionCases) -> None:
        """Refuse solutions of another family, or after the end of this one."""
        same("the family of the data", data.family, self.family, "that of the operator")
        until("the duration of the data", data.duration, self.problem.seconds)

    def predict(
        self,
        source: Path,
        output: Path,
        operator: Callable[[Instances], Tensor],
        picture: Comparison | None = None,
    ) -> dict[str, float]:
        """Write u and its residual in s and x on the grid of the family, and compare u with that of the file.

        Parameters
        ----------
        source : data set of ``sciml data generate diffusion_sorption``, or of starts alone, at the time 0
        output : data set with ``u`` and ``residual`` at the times and in the cells of the family
        operator : returns the solutions of instances
        picture : of the first of them
        """
        times = self.problem.seconds * self.s.numpy() ** 2
        fields = tuple(DataField(name, location="cells") for name in ("u", "residual"))
        cases = list(each_case(read_cases(str(source), least_times=1)))
        about = Description(
            *("diffusion_sorption", Grid((self.shape[1],), centring="cell"), times, fields, len(cases)),
            parameters=dict.fromkeys(NAMES, np.zeros(0)),
        )
        errors = []
        with DatasetWriter(output, about) as writer:
            for case in cases:
                instances = self.instances(case)
                u = operator(instances).cpu()
                if picture is not None and not errors:
                    self._draw(picture, u, case)
                values = {"u": u[0].numpy(), "residual": self.residual(u, instances)[0].numpy()}
                writer.append(values, {name: float(instances[name]) for name in NAMES})
                errors.append(relative_error(self.compared(u, case), case))
        return about_errors(errors)

    def _draw(self, picture: Comparison, u: Tensor, case: Batch) -> None:
        """Draw one instance at the times and places of its solution, or of the family where there is a start alone."""
        cells, times, truth = self.shape[1], self.problem.seconds * self.s**2, None
        if len(case["times"]) > 1:
            u, truth = self.compared(u, case), case["u"][0]
            cells, times = len(case["x"]), case["times"]
        picture.draw(in_time("u", u[0], Grid((cells,), centring="cell"), times), truth, self.experts[1:])

    def _lattice(self, training: bool, device: torch.device) -> Lattice:
        problem, s, y = self._stated(self.seen if training else len(self.s))
        return Lattice(problem, s.to(device), y.to(device), Boxes(len(s), len(y)), self.settings.weighting)

    def _stated(self, times: int) -> tuple[SorptionInRootTime, Tensor, Tensor]:
        """Return the problem until so many times, and the grid; until half a step after the last, unless these are all.

        So that this one stands for no more than its own share of the time.
        """
        if times == len(self.s):
            return self.problem, self.s, self.y
        problem = copy.copy(self.problem)
        problem.duration = float(self.s[times - 1] + self.s[times]) / 2
        return problem, self.s[:times], self.y


def _require_published(case: Mapping[str, Tensor]) -> None:
    """Check that instances are of the published family: an operator of that family sees nothing else of them."""
    for name in NAMES:
        published = getattr(Sorption(), name)
        other = (case[name].double() - published).abs() > SAME * abs(published)
        if bool(other.any()):
            number = int(other.nonzero()[0])
            raise InputError(
                f"instance {number} has the {name} {float(case[name][number]):g}, expected {published:g}, that of the "
                "published family, which the operator was trained for; train one with family=wide."
            )
    varies = case["start"].amax(1) - case["start"].amin(1)
    if bool((varies > CONSTANT).any()):
        number = int((varies > CONSTANT).nonzero()[0])
        raise InputError(
            f"instance {number} starts from values that differ by {float(varies[number]):.3g}, expected a constant "
            "start, as the operator was trained for; train one with family=wide."
        )


def _require_within(case: Mapping[str, Tensor]) -> None:
    """Check that instances are within the ranges of the wide family, beyond which a network has seen nothing."""
    for name, (low, high) in {"start": (0.0, HIGHEST_START), **WIDE_RANGES}.items():
        values = case[name].double()
        outside = (values < low - SLACK * high) | (values > high + SLACK * high)
        if bool(outside.any()):
            raise InputError(
                f"an instance has the {name} {float(values[outside][0]):g}, expected one from {low:g} to {high:g}, the "
                "range that the operator was trained for."
            )
