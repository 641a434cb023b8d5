"""What a solved case leaves behind: weights of every step, fields on a grid or mesh, pictures, and errors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sciml.domains import Box
from sciml.domains.output_points import array_on, place_in, points_of
from sciml.errors import InputError
from sciml.insr.integrators import NeuralFields
from sciml.insr.problems import Domain, Problem
from sciml.mesh import Field, Grid, Mesh, SeriesWriter, read_series
from sciml.metrics import relative_l2

VALUES_PER_AXIS = {1: 401, 2: 65, 3: 33}
EVALUATION_POINTS = {1: 4001, 2: 128}  # per axis; the paper's error is the mean over such points
SCATTERED = 20_000  # evaluation points in more dimensions
SNAPSHOTS = 4
SERIES = "fields.xdmf"
ERRORS = ("mean_absolute_error", "relative_l2", "mean_square_error")


@dataclass(frozen=True)
class Output:
    """Where the fields of a solution are written.

    Parameters
    ----------
    grid : values along each axis of a box; 401, 65 x 65 or 33 x 33 x 33 unless given
    mesh : a mesh file to take the points from instead
    every : steps between two written times
    animation : whether to draw one
    """

    grid: list[int] | None = None
    mesh: str | None = None
    every: int = 1
    animation: bool = True

    def __post_init__(self) -> None:
        if self.grid is not None and self.mesh is not None:
            raise InputError("the output is on a grid or on a mesh, got both; leave one of the two out.")
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise InputError(f"every of the output is {self.every!r}, expected a whole number of at least 1.")

    def place(self, domain: Domain) -> Grid | Mesh | None:
        """Return the grid or mesh to write on; None for a box of more than three dimensions.

        Raises
        ------
        InputError
            If the grid or mesh has another dimension than the domain, or the mesh reaches beyond it.
        MeshFileError
            If the mesh file cannot be read.
        """
        if self.mesh is None and isinstance(domain, Box) and domain.dim > 3:
            return None
        usual = [VALUES_PER_AXIS[domain.dim]] * domain.dim if domain.dim <= 3 else []
        return place_in(domain, self.grid, self.mesh, usual)


class Errors:
    """Errors of the first field where the exact one is known, at many fixed points.

    Parameters
    ----------
    problem : knows the exact field, or not
    """

    def __init__(self, problem: Problem) -> None:
        self._problem, self._name = problem, problem.headline
        self.points = evaluation_points(problem.domain)
        self.known = problem.exact(self._name, self.points[:1], 0.0) is not None

    def __call__(self, fields: NeuralFields, time: float) -> dict[str, float]:
        """Mean absolute, relative L2 and mean square error; empty where the exact field is not known.

        The means are over points and channels. The paper has the first of them in one dimension, the last for flows.
        """
        if not self.known:
            return {}
        points = self.points.to(next(iter(fields.weights.values())).device)
        exact = self._problem.exact(self._name, points, time)
        found = self._problem.present(fields, points, time)[self._name].to(exact)
        values, reference = found.cpu().numpy(), exact.cpu().numpy()
        error = {"mean_absolute_error": float(np.abs(values - reference).mean())}
        if np.any(reference):
            error["relative_l2"] = relative_l2(values, reference)
        return error | {"mean_square_error": float(np.square(values - reference).mean())}


def evaluation_points(domain: Domain) -> Tensor:
    """Return the points of errors: a fine lattice in one and two dimensions, low-discrepancy points in more."""
    draws = torch.Generator().manual_seed(1)
    if isinstance(domain, Box) and domain.dim in EVALUATION_POINTS:
        grid = domain.lattice(EVALUATION_POINTS[domain.dim])
        return torch.from_numpy(grid.coordinates().reshape(-1, domain.dim))
    return domain.interior(SCATTERED, draws, kind="shifted" if isinstance(domain, Box) else "stratified")


def write_states(folder: Path, step: int, weights: Mapping[str, Tensor]) -> None:
    """Write the weights of one step as ``states/00012.safetensors``."""
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    path = folder / f"{step:05d}.safetensors"
    part = path.with_name(path.name + ".part")
    save_file({name: vector.detach().cpu().contiguous() for name, vector in weights.items()}, part)
    os.replace(part, path)


def read_states(folder: Path, steps: Sequence[int]) -> Iterator[dict[str, Tensor]]:
    """Yield the weights of some steps.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for step in steps:
        path = folder / f"{step:05d}.safetensors"
        try:
            yield load_file(path)
        except (FileNotFoundError, SafetensorError) as error:
            raise InputError(f"{path} is missing or damaged; solve the case again.") from error


def sample_on(problem: Problem, fields: NeuralFields, place: Grid | Mesh, time: float) -> dict[str, np.ndarray]:
    """What a problem presents, as arrays on a grid or mesh, with the exact field beside it where it is known."""
    points = points_of(place)
    with torch.no_grad():
        shown = problem.present(fields, points, time)
        exact = problem.exact(problem.headline, points, time)
    if exact is not None:
        shown = {**shown, f"{problem.headline}_exact": exact}
    return {name: array_on(place, values) for name, values in shown.items()}


def write_series(
    problem: Problem,
    networks: Mapping,
    folder: Path,
    states: Sequence[tuple[float, Mapping[str, Tensor]]],
    on: Grid | Mesh,
) -> None:
    """Write the fields at some times into ``fields.h5`` and ``fields.xdmf``, which ParaView opens."""
    with SeriesWriter(folder / SERIES, on) as series:
        for time, weights in states:
            series.append(time, **sample_on(problem, NeuralFields(networks, weights), on, time))


def draw(problem: Problem, folder: Path, *, animation: bool) -> None:
    """Draw snapshots and an animation of what lies in ``fields.xdmf``, as far as its dimension allows.

    Bodies on a mesh are drawn where their displacement has moved them, in three dimensions too.
    """
    from sciml import plots

    series = read_series(folder / SERIES)
    if series.times is None or len(series.times) < 2:
        return
    figures = folder / "figures"
    figures.mkdir(exist_ok=True)
    named = {field.name: field for field in series.fields}
    if "displacement" in named and isinstance(series.on, Grid) and series.on.dim == 2:
        named = _on_cells(named, series.on.to_mesh())
    times = series.times[np.unique(np.linspace(0, len(series.times) - 1, SNAPSHOTS).round().astype(int))]
    film = folder / "animation.gif"
    if "displacement" in named and isinstance(named["displacement"].on, Mesh) and series.on.dim in (2, 3):
        body = {"obstacle": _obstacle(problem), "values": named.get(next(iter(problem.pictures), ""))}
        plots.deformed_mesh(named["displacement"], figures / "displacement.png", times=times, **body)
        if animation:
            plots.deformation_animation(named["displacement"], film, **body)
        return
    if series.on.dim > 2:
        return
    for name in problem.pictures:
        field: Field = named[name]
        exact = named.get(f"{name}_exact")
        velocity = named.get("velocity") if name != "velocity" else None
        plots.field_snapshots(field, figures / f"{name}.png", times=times, reference=exact, velocity=velocity)
        if animation and name == problem.pictures[0]:
            plots.field_animation(field, film, reference=exact)


def _on_cells(named: Mapping[str, Field], mesh: Mesh) -> dict[str, Field]:
    """Fields of a grid on the mesh of its cells, which can be drawn deformed."""
    flat = {}
    for name, field in named.items():
        shape = (len(field.times), mesh.n_points, *field.values.shape[1 + mesh.dim :])
        flat[name] = Field(name, field.values.reshape(shape), mesh, times=field.times, unit=field.unit)
    return flat


def _obstacle(problem: Problem) -> object | None:
    """The first obstacle of a body, as pictures know it."""
    from sciml import plots

    found = next(iter(getattr(problem, "obstacles", ())), None)
    if found is None:
        return None
    is_round = hasattr(found, "radius")
    return plots.Ball(found.center, found.radius) if is_round else plots.Plane(found.point, found.normal)
