"""``sciml solve`` of an inversion: velocities from shot records by full-waveform inversion, without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.gfi.preparing import declared_traces, without_dead_traces
from sciml.gfi.refinement.misfit import ShotProblem
from sciml.gfi.refinement.refined import Refined, assemble
from sciml.gfi.refinement.refining import Refiner, State
from sciml.gfi.refinement.settings import Refinement
from sciml.gfi.refinement.survey import Survey
from sciml.gfi.remarks import DEAD, UNRECORDED, remarks
from sciml.mesh.series import Series
from sciml.metrics import SSIM_WINDOW, mean_absolute_error, structural_similarity
from sciml.reference.waves import unrecorded
from sciml.status import Status
from sciml.tables import counted
from sciml.training import fit_outcomes
from sciml.training.output import Output
from sciml.training.settings import Training
from sciml.training.solve_task import Fields, SolveTask

TOPS = np.linspace(0.0, 0.4, 9)  # of the way between the bounds, velocities at the top of the start by default
RISE = 0.6  # of the way between the bounds, by which it is faster at the bottom
MOST_BLOCKS = 10_000  # each of which writes a checkpoint
SIMILAR = 3000.0  # m/s, the range in which structural similarity is measured
STATUSES = (Status.LIMIT, Status.FINISHED, Status.CONVERGED, Status.STALLED)


class RefineTask(SolveTask):
    """Invert shot records for a velocity map, in blocks of steps.

    Parameters
    ----------
    shots : SEG-Y or ``.npy`` file (:meth:`~sciml.gfi.refinement.Survey.read`); without one, records of a map that the
        seed draws
    problem : the section, and what the file does not say
    start : ``.npy`` file with the map to begin from; without one, velocities that rise linearly with depth, from that
        of nine at the top whose records are nearest to those observed (4.5 solves more)
    truth : ``.npy`` file with the true map, where it is known
    refinement : the algorithm
    blocks : parts in which the solves are made, between which a run may be interrupted
    output : where the map is written

    References
    ----------
    Tarantola, Geophysics 49 (1984) 1259; Bunks et al., Geophysics 60 (1995) 1457.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true",)
    epochs_of: ClassVar[str | None] = "blocks"
    epoch_name: ClassVar[str] = "block"
    watched: ClassVar[tuple[str, ...]] = ("loss/misfit",)
    states_problem: ClassVar[tuple[str, ...]] = ("shots", "problem", "start", "truth")
    units: ClassVar[Mapping[str, str]] = {"mean_absolute_error": "m/s", "structural_similarity": "of 1"}

    def __init__(
        self,
        shots: str | None = None,
        problem: Survey | None = None,
        start: str | None = None,
        truth: str | None = None,
        refinement: Refinement | None = None,
        blocks: int = 15,
        output: Output | None = None,
    ) -> None:
        self.survey = problem or Survey()
        output = output or Output()
        if output.grid is None and output.mesh is None:
            output = dataclasses.replace(output, grid=[self.survey.columns, self.survey.rows])
        super().__init__(self.survey, output)
        self.files, self.refinement = {"shots": shots, "start": start, "truth": truth}, refinement or Refinement()
        self.blocks = whole_number("the number of blocks", blocks, at_least=1, at_most=MOST_BLOCKS)
        terms = 1 + len(self.refinement.priors)
        self._packed = State.packed_shapes(self.survey.shape, terms)
        for name, shape in self._packed.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        for name in ("found", "seen"):
            self.register_buffer(name, torch.zeros(self.survey.shape, dtype=torch.float64))
        self.register_buffer("ends", torch.zeros(4, dtype=torch.float64))  # misfits, solves, share not seen
        self.register_buffer("outcome", torch.tensor(STATUSES.index(Status.FINISHED)))
        self._refiner: Refiner | None = None
        self._dead = 0  # traces of zeros that no mask leaves out
        self._given: dict[str, Tensor] = {}

    def describe(self) -> str:
        """Return section, solves and stages on one line."""
        rows, columns = self.survey.shape
        return (
            f"full-waveform inversion for {rows} x {columns} cells, at most "
            f"{counted(self.refinement.solves, 'solve')} in {counted(len(self.refinement.stages), 'stage')}"
        )

    def prepare(self, settings: Training, seed: int) -> None:
        """Read the records, the start and the truth."""
        super().prepare(settings, seed)
        file = self.files["shots"]
        refinement = self.refinement
        shots = self.survey.example(seed) if file is None else self.survey.read(file, refinement.fastest)
        if refinement.noise is not None:
            refinement = dataclasses.replace(refinement, noise=refinement.noise * shots.noise_factor)
        start, truth = self.files["start"], self.files["truth"]
        truth = shots.truth if truth is None else self.survey.read_map(truth)
        acquisition = without_dead_traces(shots.acquisition, shots.records)
        self._dead = declared_traces(shots.acquisition) - declared_traces(acquisition)
        problem = ShotProblem(torch.from_numpy(shots.records), acquisition, refinement.unknown_wavelet)
        self._refiner = Refiner(problem, refinement)
        start = self._rising() if start is None else self.survey.read_map(start)
        if not self.found.any():
            self.found.copy_(torch.from_numpy(start))  # the map until the first block has ended
        given = {"records": shots.records, "start": start, "truth": np.empty(0) if truth is None else truth}
        self._given = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in given.items()}

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Make the steps of a block. The error comes first, where the true map is known."""
        self._keep_given()
        refiner, ends = self._refiner, self.current_epoch + 1
        state = self._state if self.current_epoch else refiner.begin(self._given["start"].numpy())
        quota = self.refinement.solves * ends / self.blocks
        while not refiner.has_ended(state) and (ends == self.blocks or state.solves < quota):
            self.tell(f"stage {state.stage + 1}", min(state.solves / self.refinement.solves, 1.0))
            state = refiner.advance(state)
        for name, array in state.packed().items():
            getattr(self, name).copy_(torch.from_numpy(array))
        self.found.copy_(torch.from_numpy(state.velocity))
        if refiner.has_ended(state):
            self._assess(state)
        stage = min(state.stage + 1.0, float(len(self.refinement.stages)))  # the last one, once all are over
        numbers = {"misfit": float(state.position.values[0]), "stage": stage, "solves": state.solves}
        return {**self._map_errors(), **numbers, **fit_outcomes.columns(self._status)}

    @property
    def pictures(self) -> tuple[str, ...]:
        """No field by itself: the maps have pictures of their own."""
        return ()

    @property
    def headline(self) -> str:
        """The name of the map; ``velocity`` would be that of a vector."""
        return "wave_speed"

    def fields_at(self, time: float) -> Fields:
        """Return the map found, the start, and the illumination, linear between the centres of cells."""
        maps = {"wave_speed": self.found, "start": self._kept["start"], "illumination": self.seen}
        return lambda points: {name: self._between_cells(field, points) for name, field in maps.items()}

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the true map, where it is known."""
        truth = self._kept["truth"]
        return self._between_cells(truth, points) if truth.numel() else None

    def metrics(self) -> dict[str, float]:
        """Return errors of the map where the truth is known, misfits, solves, and the share of cells not seen."""
        misfits = {"misfit": self.ends[1], "start_misfit": self.ends[0]}
        told = {"solves": self.ends[2], "unseen": self.ends[3]}
        numbers = {name: float(value) for name, value in {**misfits, **told}.items()}
        return {**self._map_errors(), **numbers, **fit_outcomes.columns(self._status)}

    def run_metrics(self, history: list[dict[str, Any]]) -> dict[str, float]:
        """Return :meth:`metrics`, the share of the depth below which no wave is back in time, and the dead traces."""
        share = unrecorded(self.found[None], self._refiner.problem.acquisition)
        return {**self.metrics(), UNRECORDED: share, **({DEAD: float(self._dead)} if self._dead else {})}

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return sentences about dead traces, how the search ended, cells not seen, and records that are too short."""
        return remarks(metrics)

    def draw_history(self, history: list[dict[str, Any]], path: Path) -> None:
        """Draw the misfit of each block by stage, beside the error of the map where the truth is known."""
        from sciml import plots

        columns = {name: [float(row[f"loss/{name}"]) for row in history] for name in ("solves", "misfit", "stage")}
        known = [row.get("loss/mean_absolute_error") for row in history]
        errors = None if None in known else [float(each) for each in known]
        plots.misfit_picture(columns["solves"], columns["misfit"], columns["stage"], path, errors=errors)

    def draw_more(self, series: Series, figures: Path) -> None:
        """Draw start, map and truth, the gathers of the map beside those observed, and the illumination."""
        from sciml import plots

        spacing, kept = self.survey.spacing, {name: field.cpu().numpy() for name, field in self._kept.items()}
        maps = {"start": kept["start"], "refined": self.found.cpu().numpy()}
        if kept["truth"].size:
            maps["truth"] = kept["truth"]
        plots.velocity_maps_picture(maps, spacing, figures / "maps.png")
        plots.sensing_picture(self.seen.cpu().numpy(), spacing, figures / "illumination.png")
        if self._refiner is not None:
            observed = self._refiner.problem.observed
            modelled = self._refiner.modelled(self.found.cpu().numpy()) * self._refiner.problem.traces
            gathers = {"observed": observed, "modelled": modelled, "residual": observed - modelled}
            arrays = {name: records.numpy() for name, records in gathers.items()}
            plots.gathers_picture(arrays, self._refiner.problem.acquisition.time_step, figures / "gathers.png")

    def memory_bytes(self) -> int:
        """Return the bytes of the map."""
        return self.found.numel() * self.found.element_size()

    def _assess(self, state: State) -> None:
        """Keep what the refinement comes to: map, illumination, misfits, status."""
        found: Refined = assemble(self._refiner, [(state, [])])
        self.found.copy_(torch.from_numpy(found.map))
        self.seen.copy_(torch.from_numpy(found.illumination))
        self.ends.copy_(torch.tensor([found.start_misfit, found.misfit, found.solves, found.unseen]))
        self.outcome.fill_(STATUSES.index(found.status))

    def _map_errors(self) -> dict[str, float]:
        """Return errors against the true map over all cells."""
        truth = self._kept["truth"].cpu().numpy()
        if not truth.size:
            return {}
        found = self.found.cpu().numpy()
        errors = {"mean_absolute_error": mean_absolute_error(found, truth)}
        if min(truth.shape) >= SSIM_WINDOW:
            errors["structural_similarity"] = structural_similarity(found, truth, SIMILAR)
        return errors

    def _keep_given(self) -> None:
        """Write records, start and truth at the start, and refuse others later on."""
        if self.current_epoch == 0:
            self.write_state(0, self._given)
        kept = self.read_state(0)
        if any(not torch.equal(kept[name].cpu(), values) for name, values in self._given.items()):
            raise InputError("the records or the start have changed since the run began; start it anew.")
        self._given = kept

    @property
    def _kept(self) -> dict[str, Tensor]:
        if not self._given:
            self._given = self.read_state(0)
        return self._given

    @property
    def _state(self) -> State:
        arrays = {name: getattr(self, name).cpu().numpy().copy() for name in self._packed}
        return State.unpacked(arrays)

    @property
    def _status(self) -> Status:
        return STATUSES[int(self.outcome)]

    def _rising(self) -> np.ndarray:
        """Return the start by default: velocities that rise linearly with depth, with a top whose direct waves fit."""
        slowest, fastest = self.refinement.slowest, self.refinement.fastest
        profiles = slowest + (fastest - slowest) * np.linspace(TOPS, TOPS + RISE, self.survey.rows, axis=1)
        tried = [np.repeat(profile[:, None], self.survey.columns, 1) for profile in profiles]
        return tried[int(np.argmin([self._refiner.first_misfit(each) for each in tried]))]

    def _between_cells(self, field: Tensor, points: Tensor) -> Tensor:
        """Return a map at points (x, y) of the section, (n, 1)."""
        ends = points.new_tensor([self.survey.columns - 1, self.survey.rows - 1])
        places = points * points.new_tensor([1.0, -1.0]) / (self.survey.spacing * ends) * 2.0 - 1.0
        values = functional.grid_sample(
            field.to(points)[None, None], places[None, None], padding_mode="border", align_corners=True
        )
        return values[0, 0, 0, :, None]
