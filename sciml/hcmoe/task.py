"""``sciml solve`` by coupled experts: a task whose epochs are time slabs, without training."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe.coupled import CoupledExperts, SlabState, about_start
from sciml.hcmoe.elements import Elements, Slabs
from sciml.hcmoe.pictures import expert_boxes
from sciml.hcmoe.problems import SpaceTimeProblem
from sciml.mesh.series import Series
from sciml.metrics import relative_l2
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.run_records import METRICS, read_rows
from sciml.tables import counted
from sciml.training import fit_outcomes
from sciml.training.output import Output
from sciml.training.solve_task import Fields, FieldsInTime, SolveTask

MEASURED = 4  # times of each slab at which errors over the run are measured
PLACES = 257  # points at which they are, evenly spread


class SpectralExperts(SolveTask):
    """Solve a problem by coupled polynomial experts, one time slab after the other.

    Parameters
    ----------
    problem : to be solved, one instance of it
    elements : where the experts live
    slabs : number of time slabs
    time_degree : of the polynomials in time
    first_slab : end of the first slab as a share of the duration, from where slabs grow geometrically; equal slabs
        without it
    iteration : dampings and ends of the iterations of each slab
    output : where and when the solution is written

    References
    ----------
    Chalapathi, Du, Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024, for
    experts on subdomains; here they are coupled, and their basis is not learned.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true",)
    epochs_of: ClassVar[str | None] = "slabs"
    epoch_name: ClassVar[str] = "slab"
    watched: ClassVar[tuple[str, ...]] = ("loss/relative_l2", "loss/residual")

    def __init__(
        self,
        problem: SpaceTimeProblem,
        elements: Elements | None = None,
        slabs: int = 20,
        time_degree: int = 8,
        first_slab: float | None = None,
        iteration: BatchedSettings | None = None,
        output: Output | None = None,
    ) -> None:
        super().__init__(problem, output)
        self.experts = CoupledExperts(problem, elements, Slabs(slabs, time_degree, first_slab), iteration)
        if problem.instances != 1:
            raise InputError(
                f"the problem has {problem.instances} instances, expected one; solve several with "
                "sciml.hcmoe.CoupledExperts."
            )
        self.register_buffer("state", self.experts.start.clone())

    def describe(self) -> str:
        """Return the problem, the experts and the unknowns on one line."""
        experts = self.experts
        return (
            f"{type(self.problem).__name__}, {counted(experts.elements.count, 'coupled expert')} of degree "
            f"{experts.elements.degree} in space and {experts.slabs.degree} in time, "
            f"{counted(experts.slabs.count, 'time slab')}, {counted(experts.unknowns, 'unknown')}"
        )

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Solve one slab. The error at its end comes first, where it is known."""
        after, report = self.experts.advance(self.current_epoch, self.state.cpu().clone())
        self.state.copy_(after.end)
        self.write_state(after.number, {"start": after.start, "change": after.change})
        errors = self.errors(self._fields(after, report.time), report.time)
        numbers = {"time": report.time, "residual": report.residual, "solves": report.solves}
        return {**errors, **numbers, **fit_outcomes.columns(report.status)}

    @property
    def known_times(self) -> tuple[float, float]:
        """Time 0 and the end of the last slab; published weights hold the latter alone."""
        last = self.experts.times[self._done]
        return (0.0 if self._has_slabs else last), last

    @property
    def in_time(self) -> str:
        """The polynomials of all time slabs."""
        slabs = counted(self.experts.slabs.count, "time slab")
        return f"polynomials of degree {self.experts.slabs.degree} in {slabs}, continuous in time and smooth in space"

    def fields_at(self, time: float) -> Fields:
        """Return u at a time."""
        return self._fields(self._slab_at(time), time)

    def fields_in_time(self, time: float) -> FieldsInTime:
        """Return u around a time."""
        state = self._slab_at(time)
        return lambda points, times: {"u": self.experts.values(state, points[:, 0], times[:, 0])[0][:, None]}

    def metrics(self) -> dict[str, float]:
        """Return the errors over the run so far, and at its end; those against a reference where none is exact."""
        end = self.known_times[1]
        at_end = super().errors(self.fields_at(end), end)
        if not at_end:
            return self._against_reference()
        over = {"relative_l2": self._relative_error()} if self._has_slabs else {}
        return {**over, **{f"{name}_at_end": value for name, value in at_end.items()}}

    def solution(self, folder: Path) -> dict[str, float]:
        """Write fields and pictures; return the metrics of the run, its unknowns, and how its slabs ended."""
        numbers = super().solution(folder)
        outcomes = fit_outcomes.summed(read_rows(folder / METRICS), "slab", "residual")
        start = {"start_error": self.experts.start_error, "unknowns": float(self.experts.unknowns)}
        return {**numbers, **start, **outcomes}

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return sentences if slabs stopped before they met their tolerance, or their start is inaccurate."""
        fits = fit_outcomes.remarks(metrics, "slab", "allow more solves, or take more slabs")
        return [*about_start(metrics.get("start_error", 0.0)), *fits]

    def memory_bytes(self) -> int:
        """Return the bytes of the coefficients of all slabs."""
        slab = self.state.numel() * (1 + self.experts.slabs.degree)
        return self.experts.slabs.count * slab * self.state.element_size()

    def draw_more(self, series: Series, figures: Path) -> None:
        """Draw u with the boxes of the experts, and what each of them misses."""
        from sciml import plots

        boxes = expert_boxes(self.experts, [self._stored(number) for number in range(1, self._done + 1)])
        plots.experts_picture(series["u"], boxes, figures / "experts.png")
        plots.residual_picture(boxes, figures / "residual.png")

    def draw_history(self, history: list[dict[str, Any]], path: Path) -> None:
        """Draw residual and error of the slabs over the seconds that were spent on them."""
        from sciml import plots

        names = {"seconds": "seconds", "loss/time": "time", "loss/residual": "residual", "loss/relative_l2": "error"}
        rows = [{names[key]: value for key, value in row.items() if key in names} for row in history]
        later = {float(time): relative_l2(u, exact) for time, u, exact in zip(*self._beside_reference, strict=True)}
        plots.slab_history(rows, path, later=later)

    def _against_reference(self) -> dict[str, float]:
        """Return the relative L2 errors against the problem's reference, over all its times and at the last one."""
        _, found, exact = self._beside_reference
        if not len(found):
            return {}
        return {"relative_l2": relative_l2(found, exact), "relative_l2_at_end": relative_l2(found[-1], exact[-1])}

    @cached_property
    def _beside_reference(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The known times of the problem's reference, and the solution and the reference there; without one, empty."""
        reference = self.problem.reference()
        if reference is None:
            return np.empty(0), np.empty(0), np.empty(0)
        first, last = self.known_times
        known = (reference.t >= first) & (reference.t <= last)
        times, points = reference.t[known].numpy(), reference.x[:, None].to(self.state)
        found = [self.fields_at(float(time))(points)["u"][:, 0].cpu().numpy() for time in times]
        return times, np.array(found), reference.u[known].numpy()

    def _relative_error(self) -> float:
        """Return the relative L2 error over the slabs that are solved, at times within and points across them."""
        (lower,), (upper,) = self.problem.domain.lower, self.problem.domain.upper
        points = torch.linspace(lower, upper, PLACES, dtype=torch.float64, device=self.state.device)[:, None]
        found: list[Tensor] = []
        exact: list[Tensor] = []
        for number, (begin, end) in enumerate(itertools.pairwise(self.experts.times[: self._done + 1]), start=1):
            state = self._stored(number)
            for share in range(1, MEASURED + 1):
                time = begin + (end - begin) * share / MEASURED
                found.append(self.experts.values(state, points[:, 0], time)[0])
                exact.append(self.exact(points, time)[:, 0])
        return relative_l2(torch.stack(found).cpu().numpy(), torch.stack(exact).cpu().numpy())

    def _fields(self, state: SlabState, time: float) -> Fields:
        return lambda points: {"u": self.experts.values(state, points[:, 0], time)[0][:, None]}

    def _slab_at(self, time: float) -> SlabState:
        if self._has_slabs:
            return self._stored(min(self.experts.slab_at(time), self._done))
        still = self.state[..., None].new_zeros(*self.state.shape, self.experts.slabs.degree)
        return SlabState(self.experts.slabs.count, self.state, still, self.state)

    def _stored(self, number: int) -> SlabState:
        stored = self.read_state(number)
        return SlabState(number, stored["start"], stored["change"], self.state)

    @property
    def _done(self) -> int:
        """The number of slabs that are solved, as far as is known."""
        count = self.experts.slabs.count
        return count if self.completed_epochs is None else min(self.completed_epochs, count)

    @property
    def _has_slabs(self) -> bool:
        """Whether there is a folder with the coefficients of all slabs."""
        return self._trainer is not None or self.loaded_from is not None
