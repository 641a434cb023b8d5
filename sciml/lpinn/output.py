"""What a solved transport problem leaves behind: u on a grid or mesh, its errors, pictures, and diagnostics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sciml.atomic import write_text
from sciml.domains import Box
from sciml.domains.output_points import array_on, place_in, points_of
from sciml.errors import InputError
from sciml.lpinn.diagnostics import gauss_newton_spectrum, loss_landscape, modes
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout import Field, Readout, relative_error
from sciml.lpinn.solver import SpaceTimeSolver, State
from sciml.mesh import Grid, Mesh, SeriesWriter, read_series
from sciml.run_folder import plain

SERIES, FILM, DIAGNOSTICS = "fields.xdmf", "animation.gif", "diagnostics.json"
VALUES_PER_AXIS = {1: 256, 2: 65, 3: 25}
TIMES = {1: 101, 2: 25, 3: 9}
EVALUATION = {1: (256, 101), 2: (64, 21), 3: (24, 7)}  # points along each axis and times, of the error
LABELS = 256  # whose error is watched during the run
STEPS = 25  # of a landscape along each direction
PATHS = 24  # characteristics in a picture; fewer if each goes round several times


@dataclass(frozen=True)
class Output:
    """Where and when the solution is written.

    Parameters
    ----------
    grid : values along each axis of the box; 256, 65 x 65 or 25 x 25 x 25 unless given
    mesh : a mesh file to take the points from instead
    times : evenly spread over the run, both ends included; 101, 25 or 9 in one, two or three dimensions unless given
    animation : whether to draw one
    diagnostics : whether to write modes, bandwidths, the Gauss-Newton spectrum and a landscape of the loss, some
        seconds of work
    """

    grid: list[int] | None = None
    mesh: str | None = None
    times: int | None = None
    animation: bool = True
    diagnostics: bool = False

    def __post_init__(self) -> None:
        if self.times is not None and (isinstance(self.times, bool) or self.times < 2):
            raise InputError(f"times of the output is {self.times!r}, expected a whole number of at least 2.")

    def place(self, box: Box) -> Grid | Mesh:
        """Return the grid or mesh to write on; refuse what does not fit into the box."""
        return place_in(box, self.grid, self.mesh, [VALUES_PER_AXIS[box.dim]] * box.dim)

    def moments(self, problem: TransportProblem) -> list[float]:
        """Times to write."""
        return _spread(problem.duration, self.times or TIMES[problem.domain.dim])


class LabelErrors:
    """Error of what labels carry to where they are, which needs no inversion and exists while the map has folds.

    Parameters
    ----------
    problem : knows the exact solution, or not
    """

    def __init__(self, problem: TransportProblem) -> None:
        self._problem = problem
        self.labels = problem.labels.interior(LABELS, torch.Generator().manual_seed(1), kind="shifted")
        self.known = problem.exact(self.labels[:1], 0.0) is not None
        self._mean = float(problem.initial(problem.probes()).mean())

    def __call__(self, field: Field, times: Sequence[float]) -> float:
        """``|w - exact| / |exact - mean|`` over the labels that are in the domain, and the times."""
        difference = size = 0.0
        for time in times:
            position, state = field.follow(self.labels.to(field.weights), time)
            position = field.home(position)
            inside = self._problem.domain.contains(position)
            exact = self._problem.exact(position[inside], time)
            difference += float((state[inside] - exact).square().sum())
            size += float((exact - self._mean).square().sum())
        return (difference / max(size, 1e-300)) ** 0.5


def sample_on(field: Field, place: Grid | Mesh, time: float) -> dict[str, np.ndarray]:
    """Return u at one time on a grid or mesh, and the exact one beside it where it is known; nan outside of regions."""
    problem = field.problem
    points = problem.domain.clamp(points_of(place)).to(field.weights)
    inside = problem.domain.contains(points)
    values = {"u": field(points[inside], time)}
    exact = problem.exact(points[inside], time)
    if exact is not None:
        values["u_exact"] = exact
    everywhere = {name: found.new_full((len(points), 1), torch.nan) for name, found in values.items()}
    for name, found in values.items():
        everywhere[name][inside] = found
    return {name: array_on(place, found) for name, found in everywhere.items()}


def write_series(field: Field, folder: Path, place: Grid | Mesh, times: Sequence[float]) -> None:
    """Write u at some times into ``fields.h5`` and ``fields.xdmf``, which ParaView opens."""
    with SeriesWriter(folder / SERIES, place) as series:
        for time in times:
            series.append(time, **sample_on(field, place, time))


def errors(field: Field) -> dict[str, float]:
    """Relative L2 errors, of the fluctuation, over the run and at its end; and the smallest J of the run."""
    _, number = EVALUATION[field.problem.domain.dim]
    stretches = [float(field.stretch(time)) for time in _spread(field.problem.duration, number)]
    return {**relative_errors(field), "smallest_stretch": min(stretches)}


def relative_errors(field: Readout) -> dict[str, float]:
    """Relative L2 errors, of the fluctuation, over the run and at its end; none where no exact solution is known."""
    problem = field.problem
    count, number = EVALUATION[problem.domain.dim]
    times, points = _spread(problem.duration, number), points_of(problem.domain.lattice(count))
    points = points[problem.domain.contains(points)]
    if problem.exact(points[:1], 0.0) is None:
        return {}
    return {
        "relative_l2": relative_error(field, times, points),
        "relative_l2_at_end": relative_error(field, times[-1:], points),
    }


def draw(field: Field, folder: Path, *, animation: bool) -> None:
    """Draw what lies in ``fields.xdmf``: snapshots, a film, and in one dimension characteristics over u(x, t)."""
    from sciml import plots

    series = read_series(folder / SERIES)
    u, exact = series["u"], next((other for other in series.fields if other.name == "u_exact"), None)
    if series.on.dim > 2:
        return
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    plots.field_snapshots(u, figures / "u.png", reference=exact)
    if series.on.dim == 1 and isinstance(series.on, Grid):
        plots.space_time(u, figures / "characteristics.png", paths=paths(field, series.times))
    if animation:
        plots.field_animation(u, folder / FILM, reference=exact)


def paths(field: Field, times: Sequence[float]) -> np.ndarray:
    """Positions of evenly spread labels of one dimension at some times, ``(labels, times)``."""
    box = field.problem.labels
    length = box.upper[0] - box.lower[0]
    labels = box.lower[0] + length * (torch.arange(PATHS, dtype=torch.float64) + 0.5)[:, None] / PATHS
    found = torch.cat([field.follow(labels.to(field.weights), float(time))[0] for time in times], 1).cpu()
    laps = float((found[:, -1:] - labels).abs().max()) / length
    return found[:: round((1 + laps) ** 0.5)].numpy()


def draw_history(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Draw the residual, and the error where it is known, over the rounds."""
    from sciml import plots

    names = [name for name in ("loss/error", "loss/residual") if any(name in row for row in rows)]
    if names:
        (folder / "figures").mkdir(exist_ok=True)
        plots.training_history(rows, folder / "figures" / "history.png", names)


def diagnose(field: Field, solver: SpaceTimeSolver, state: State, folder: Path) -> dict[str, Any]:
    """Write ``diagnostics.json`` and pictures of spectrum and landscape; return what is in the file.

    Spectrum and landscape are of the slab with the largest residual.
    """
    from sciml import plots

    name = type(solver.characteristics.frame).__name__
    slab = max(range(len(state.rms)), key=state.rms.__getitem__)
    spectrum = gauss_newton_spectrum(solver, state, slab=slab, count=2)
    land = loss_landscape(solver, state, slab=slab, count=STEPS, directions=spectrum.vectors)
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    plots.spectrum({name: spectrum.values.cpu().numpy()}, figures / "spectrum.png")
    plots.loss_landscape({name: land.log10.cpu().numpy()}, figures / "landscape.png", span=float(land.steps[-1]))
    numbers = {"rank": spectrum.rank, "condition": spectrum.condition, "eigenvalues": spectrum.values}
    around = {"minima": land.minima, "roughness": land.roughness, "steps": land.steps, "log10_loss": land.log10}
    found = {
        "frame": name,
        "modes": {kind: asdict(counted) for kind, counted in modes(field).items()},
        "spectrum": {"slab": slab, **numbers},
        "landscape": {"slab": slab, **around},
    }
    found = plain(found)
    write_text(folder / DIAGNOSTICS, json.dumps(found, allow_nan=False) + "\n", durable=True)
    return found


def _spread(duration: float, number: int) -> list[float]:
    return [duration * k / (number - 1) for k in range(number)]
