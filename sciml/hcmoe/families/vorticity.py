"""Incompressible flows in a periodic square from random starts, the second problem of the paper, for an operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sciml.checks import positive, whole_number
from sciml.data.formats import DataField, DatasetWriter, Description
from sciml.errors import InputError
from sciml.hcmoe.families.base import Family, Instances
from sciml.hcmoe.families.cases import about_errors, each_case, relative_error, same, until
from sciml.hcmoe.families.comparison import Comparison, in_time
from sciml.hcmoe.families.vorticity_cases import VorticityCases, read_cases, starts
from sciml.hcmoe.layer import ConstraintOutput
from sciml.hcmoe.periodic import TERMS, PeriodicConstraint, PeriodicSettings
from sciml.hcmoe.periodic_grid import PeriodicGrid, Times, resampled
from sciml.mesh import Grid
from sciml.numerics.polynomials import chebyshev
from sciml.reference.vorticity import LEAST_POINTS

ROUNDING = 1e-9  # of times
STRONGEST = 3.0  # root mean square of a start
UNHELD = 0.01  # share of a start that may be lost on the places of the family; values in files are in single precision
DEFAULT = PeriodicSettings(ridge=1e-4)


class FlowExperts(nn.Module):
    r"""A constraint layer on outputs that are values on a periodic grid.

    Experts also move the field :math:`\bar w` of the sum of the outputs to first order: beside the outputs, their basis
    has the fields :math:`\bar w_x T_p(2 t / T - 1)` and :math:`\bar w_y T_p(2 t / T - 1)`. An operator errs above all
    in the places of its vortices, which combinations of a few outputs do not move.

    Parameters
    ----------
    layer : of the experts
    viscosity : of all instances
    shifts : the number of polynomials :math:`T_p`; 0 for none
    """

    def __init__(self, layer: PeriodicConstraint, viscosity: float, shifts: int = 0) -> None:
        super().__init__()
        self.layer, self.viscosity, self.shifts = layer, viscosity, shifts

    @property
    def fields(self) -> tuple[int, int]:
        """The numbers of experts and of fields beside the outputs, whose weights are 1."""
        return self.layer.count, 2 * self.shifts

    def forward(
        self, outputs: Tensor, instances: Instances, generator: torch.Generator, guess: Tensor
    ) -> ConstraintOutput:
        """Return the combination that satisfies the equation best, at even times if not at all of them."""
        basis = self._basis(outputs, instances["start"])
        return self.layer(basis, instances["start"], self.viscosity, guess=guess)

    def squares(
        self, outputs: Tensor, instances: Instances, generator: torch.Generator, guess: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the mean square of the residual after the iteration as a loss, and the weights."""
        basis = self._basis(outputs, instances["start"])
        squares, weights = self.layer.squares(basis, instances["start"], self.viscosity, generator, guess)
        return {"residual": squares.mean()}, weights

    def _basis(self, outputs: Tensor, start: Tensor) -> Tensor:
        """Return the basis of the experts; with the weights 1, it is the sum of the outputs."""
        if not self.shifts:
            return outputs
        grid = self.layer.grid
        spectrum = grid.spectrum(summed(grid, outputs, start))
        polynomials = chebyshev(2 * grid.t / grid.duration - 1, self.shifts - 1)[0].to(spectrum.real)
        slopes = torch.stack([grid.term(name, spectrum) for name in ("x", "y")], -1)
        moved = (slopes[..., None] * polynomials[:, None, None, None]).flatten(-2)
        outputs = outputs.double()
        last = outputs[..., -1:] - moved.sum(-1, keepdim=True)
        return torch.cat([outputs[..., :-1], last, moved], -1)


def summed(grid: PeriodicGrid, outputs: Tensor, start: Tensor) -> Tensor:
    """Return the field of a start and the sum of outputs, which rises, ``(instances, times, nx, ny)``."""
    weights = start.new_ones(len(start), 1, outputs.shape[-1], dtype=torch.float64)
    return PeriodicConstraint(grid).assembled(outputs.double(), start.double(), weights)


class VorticityFamily(Family):
    r"""Flows :math:`w_t + u w_x + v w_y = \nu \Delta w` from Gaussian random vorticities, on a grid in time and space.

    The start holds by construction, so that the residual is the only term of the loss.

    Parameters
    ----------
    shape : numbers of times and of places along x and y, the latter equal and at least 15
    duration : T
    viscosity : :math:`\nu`
    length : of the kernel of the random starts, see :func:`sciml.reference.vorticity.random_vorticity`
    times : of the grid, see :class:`~sciml.hcmoe.periodic_grid.PeriodicGrid`
    experts : windows along x and y
    constraint : its rows and its solve, with the ridge 1e-4 by default
    training_times : of the grid whose residuals are rows in each update; all by default
    training_solves : of the iteration in each update
    shifts : polynomials in time by which experts move the sum of the outputs, see :class:`FlowExperts`

    References
    ----------
    Chalapathi, Du, Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024,
    sections 4.2 and C.2: 64 values per axis, with a kernel and an amplitude that are not published.
    """

    channels: ClassVar[int] = 3
    terms: ClassVar[tuple[str, ...]] = ("residual",)
    cases: ClassVar[type[VorticityCases]] = VorticityCases

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        shape: tuple[int, int, int] = (16, 32, 32),
        duration: float = 5.0,
        viscosity: float = 1e-4,
        length: float = 0.8,
        times: Times = "chebyshev",
        experts: tuple[int, int] = (2, 2),
        constraint: PeriodicSettings | None = DEFAULT,
        training_times: int | None = None,
        training_solves: int = 8,
        shifts: int = 0,
    ) -> None:
        self.grid = PeriodicGrid(tuple(shape), duration, times)
        self.shape, self.viscosity, self.length = self.grid.shape, positive("the viscosity", viscosity), length
        self.places = self.shape[1]
        if self.places != self.shape[2] or self.places < LEAST_POINTS:
            raise InputError(
                f"there are {self.places} and {self.shape[2]} places along x and y, expected equal numbers of at least "
                f"{LEAST_POINTS}, which resolve the random starts."
            )
        self.experts, self.settings = experts, constraint or DEFAULT
        self.training_times = training_times
        self.training_solves = whole_number("training_solves", training_solves, at_least=1)
        self.shifts = whole_number("the number of shifts", shifts, at_least=0, at_most=self.shape[0])
        self.objective(experts=True, training=True)  # which refuses experts that do not divide the grid

    def sample(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return instances whose start is ``(count, nx, ny)``; no solution is among them."""
        return {"start": starts(self.places, count, self.length, generator).to(generator.device)}

    def inputs(self, instances: Instances) -> Tensor:
        r"""Return what a network sees: time, start, and :math:`w_t` at the start, ``(instances, *shape, 3)``.

        There are no coordinates among them: an operator that commutes with translations translates the flow with its
        start, as the equation does.
        """
        start = instances["start"].double()[:, None]
        spectrum = self.grid.spectrum(start)
        u, v, x, y, laplace = (self.grid.term(name, spectrum) for name in TERMS)
        t = (self.grid.t / self.grid.duration).to(start)[None, :, None, None]
        channels = t, start, self.viscosity * laplace - u * x - v * y
        return torch.stack([each.expand(len(start), *self.shape) for each in channels], -1)

    def unconstrained(self, outputs: Tensor, instances: Instances) -> Tensor:
        """Return the field of a network by itself: the start, and the sum of the outputs, which rises."""
        return summed(self.grid, outputs, instances["start"])

    def squares(self, u: Tensor, instances: Instances, *, training: bool = False) -> dict[str, Tensor]:
        """Return the mean square of the residual times the duration."""
        residual = self.grid.residual(u.double(), self.viscosity)
        return {"residual": self.grid.mean_squares(self.grid.duration * residual).mean()}

    def objective(self, *, experts: bool, training: bool = False) -> FlowExperts:
        """Return the constraint of one expert, or of all."""
        settings = self.settings
        if training:
            iteration = replace(settings.iteration, max_solves=self.training_solves)
            settings = replace(settings, times=self.training_times, iteration=iteration)
        layer = PeriodicConstraint(self.grid, self.experts if experts else (1, 1), settings)
        return FlowExperts(layer, self.viscosity, self.shifts)

    def compared(self, u: Tensor, case: Instances) -> Tensor:
        """Return u at the times and the places of a solution, by its series in space."""
        last, duration = float(case["times"].max()), self.grid.duration
        if last > duration * (1 + ROUNDING):
            raise InputError(
                f"the solutions go on until {last:g} s, expected at most {duration:g} s, the duration of the family; "
                "generate shorter ones."
            )
        return self.grid.at(u, case["times"], case["u"].shape[-1])

    def instances(self, case: Instances) -> dict[str, Tensor]:
        """Return the instances of solutions, with their starts on the places of the family.

        Raises
        ------
        InputError
            If a solution has another viscosity, or a start is larger than those of the training or has waves that the
            places do not hold.
        """
        for viscosity in case.get("viscosity", torch.empty(0)).tolist():
            if abs(viscosity - self.viscosity) > ROUNDING * self.viscosity:
                raise InputError(
                    f"a solution is of viscosity {viscosity:g}, expected {self.viscosity:g}, that of the operator; "
                    f"generate vorticity with viscosity={self.viscosity:g}."
                )
        given = case["start"].double()
        strongest = float(given.square().mean((1, 2)).max().sqrt())
        if strongest > STRONGEST:
            raise InputError(
                f"a start has the root mean square {strongest:g}, expected at most {STRONGEST:g}: that of the starts "
                "of the training is 1; give vorticities in units of which it is about 1."
            )
        start = resampled(given, self.places)
        lost = (resampled(start, given.shape[-1]) - given).flatten(1).norm(dim=1)
        if bool((lost > UNHELD * given.flatten(1).norm(dim=1)).any()):
            raise InputError(
                f"a start on {given.shape[-1]} x {given.shape[-1]} places has waves that {self.places} x {self.places} "
                "places, those of the operator, do not hold; give smoother starts, or train on a finer grid."
            )
        return {"start": start - start.mean((1, 2), keepdim=True)}

    def check_cases(self, data: VorticityCases) -> None:
        """Refuse solutions of another viscosity or kernel of the starts, or after the end of the family."""
        same("the viscosity of the data", data.viscosity, self.viscosity, "that of the family")
        same("the length of the data", data.length, self.length, "that of the family")
        until("the duration of the data", data.duration, self.grid.duration)

    def predict(
        self,
        source: Path,
        output: Path,
        operator: Callable[[Instances], Tensor],
        picture: Comparison | None = None,
    ) -> dict[str, float]:
        """Write the vorticity and its residual on the grid of the family, and compare it with that of the file.

        Parameters
        ----------
        source : data set of ``sciml data generate vorticity``, or of starts alone, at the time 0
        output : data set with ``vorticity`` and ``residual``
        operator : returns the solutions of instances
        picture : of the first of them
        """
        cases = read_cases(str(source), least_times=1)
        about = Description(
            "vorticity",
            Grid((self.places, self.places), periodic=True),
            self.grid.t.numpy(),
            tuple(DataField(name) for name in ("vorticity", "residual")),
            len(cases["u"]),
            boundary=dict.fromkeys("xy", "periodic"),
            parameters={"viscosity": np.zeros(0)},
        )
        errors = []
        with DatasetWriter(output, about) as writer:
            for case in each_case(cases):
                u = operator(self.instances(case)).cpu()
                if picture is not None and not errors:
                    self._draw(picture, u, case)
                residual = self.grid.residual(u, self.viscosity)
                values = {"vorticity": u[0].numpy(), "residual": residual[0].numpy()}
                writer.append(values, {"viscosity": self.viscosity})
                errors.append(relative_error(self.compared(u, case), case))
        return about_errors(errors)

    def _draw(self, picture: Comparison, u: Tensor, case: Instances) -> None:
        """Draw one instance at the times and places of its solution, or of the family where there is a start alone."""
        places, times, truth = self.places, self.grid.t, None
        if len(case["times"]) > 1:
            u, truth = self.compared(u, case), case["u"][0]
            places, times = case["u"].shape[-1], case["times"]
        grid = Grid((places, places), periodic=True)
        picture.draw(in_time("vorticity", u[0], grid, times), truth, self.experts)
