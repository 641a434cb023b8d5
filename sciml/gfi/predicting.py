"""Velocity maps of records in files, for ``sciml predict``.

============= ==========================================================================================
ending        contents
============= ==========================================================================================
.npy          records ``(shots, steps, receivers)``, or ``(maps, shots, steps, receivers)`` of several maps, of the
              network's acquisition; or those of a line, whose acquisition is given. To be written, the maps
              ``(depth, width)`` or ``(maps, depth, width)`` in m/s
.sgy, .segy   the shots of a line, which are brought to the network's geometry, see :mod:`sciml.gfi.matching`
.xdmf         and the other files of fields (.vtu, .msh, .med): one map, the field ``velocity`` in m/s on points in
              metres, of which the first coordinate is along the line and the second is minus the depth; of a refined
              map also ``start``, that of the network, and ``illumination``, how much the records change with each cell
              relative to the median cell
============= ==========================================================================================
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sciml.atomic import write_bytes
from sciml.checks import number, whole_number
from sciml.errors import InputError
from sciml.gfi.observed import Observed, read_observed
from sciml.gfi.remarks import UNRECORDED
from sciml.mesh import Grid
from sciml.mesh.files import WRITE, write_fields
from sciml.reference.waves import unrecorded
from sciml.status import Status

if TYPE_CHECKING:
    from sciml.gfi.refinement import Refined, Refinement
    from sciml.reference.waves import Acquisition
    from sciml.training.task import PredictionProgress

AT_ONCE = 32  # maps


@dataclass(frozen=True)
class Requests:
    """Requests beside the maps of the network.

    Parameters
    ----------
    solves : of the wave equation, with which each map is refined until its records fit those of the file
    noise : of the records relative to their root mean square, where it is known; the network then gets them behind a
        filter, and the refinement ends where what is left may be noise
    geometry : JSON file with the acquisition of records in ``.npy``, where it is not that of the network
    plot : picture of the map
    """

    solves: int = 0
    noise: float | None = None
    geometry: Path | None = None
    plot: Path | None = None

    def __post_init__(self) -> None:
        whole_number("refine", self.solves, at_least=0)
        if self.noise is not None:
            number("noise", self.noise, above=0.0, below=1.0, remedy="give a share of the records, 0.05 for 5 %")
        if self.solves:
            self.refinement(self.noise, False)
        if self.plot is not None:
            from sciml.plots.style import checked_path

            checked_path(self.plot)

    def refinement(self, noise: float | None, unknown_wavelet: bool) -> Refinement:
        """Return the settings of the refinement.

        Parameters
        ----------
        noise : of the records that are compared
        unknown_wavelet : whether the wavelet is to be found with the map
        """
        from sciml.gfi.refinement import Refinement

        try:
            return Refinement(solves=self.solves, noise=noise, unknown_wavelet=unknown_wavelet)
        except InputError as error:
            raise InputError(f"refine={self.solves} cannot be done: {error}") from error


@dataclass(frozen=True)
class Network:
    """Map records to velocities by a trained network, whose acquisition they have.

    Parameters
    ----------
    inverse : from records to maps
    acquisition : of the records
    deviation : of those of the training
    device : of the weights
    """

    inverse: Callable[[Tensor], Tensor]
    acquisition: Acquisition
    deviation: float
    device: torch.device | str = "cpu"

    @torch.no_grad()
    def maps(self, records: np.ndarray, progress: Callable[[float, str], None]) -> np.ndarray:
        """Return the maps ``(maps, depth, width)`` of records."""
        found = []
        for start in range(0, len(records), AT_ONCE):
            block = torch.from_numpy(np.ascontiguousarray(records[start : start + AT_ONCE], np.float32))
            found.append(self.inverse(block.to(self.device))[:, 0].cpu().double().numpy())
            progress((start + len(block)) / len(records), f"map {start + len(block)} of {len(records)}")
        return np.concatenate(found)


def predict_maps(
    network: Network, source: Path, output: Path, requests: Requests, progress: PredictionProgress | None = None
) -> dict[str, float]:
    """Write the maps of the records in a file; return numbers about them.

    These are the number of the maps, their least, mean and largest velocity, the share of the depth from below which no
    wave is back in time, how records were brought to the network, the number of dead traces, and of refinements
    misfits, solves, the share of cells not seen, and of the maps that converged, ended at the limit of solves or
    stalled.

    Parameters
    ----------
    network : that has been trained
    source, output : see the table above
    requests : beside the maps
    progress : called now and then
    """
    source, output = Path(source), Path(output)
    if output.suffix not in (".npy", *WRITE):
        raise InputError(f"{output} ends with {output.suffix!r}, expected one of .npy, {', '.join(WRITE)}.")
    observed = read_observed(source, requests.geometry, network.acquisition, network.deviation, requests.noise)
    if len(observed.records) > 1 and (output.suffix != ".npy" or requests.plot is not None):
        raise InputError(
            f"{source} has records of {len(observed.records)} maps, which one file of fields does not hold; write .npy "
            "without plot=."
        )
    report = progress or (lambda done, words: None)
    maps = observed.joined(network.maps(observed.windows, (lambda done, words: None) if requests.solves else report))
    fields, refined = {"velocity": maps}, []
    if requests.solves:
        refined = _refined(maps, observed, requests, report)
        names = {"velocity": "map", "illumination": "illumination"}
        fields = {name: np.stack([getattr(each, own) for each in refined]) for name, own in names.items()}
        fields["start"] = maps
    write_maps(output, fields, observed.acquisition.spacing, observed.corner)
    if requests.plot is not None:
        _draw(requests.plot, maps[0], observed, refined)
    found = fields["velocity"]
    ends = {"least": found.min(), "mean": found.mean(), "largest": found.max()}
    numbers = {"maps": float(len(found))} | {name: float(value) for name, value in ends.items()}
    numbers[UNRECORDED] = unrecorded(torch.from_numpy(found), observed.acquisition)
    return numbers | observed.about | _means(refined)


def write_maps(
    output: Path, fields: dict[str, np.ndarray], spacing: float, corner: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Write maps, ``(maps, depth, width)`` by name: all velocities to ``.npy``, the first of each to a file of fields.

    Parameters
    ----------
    output : file
    fields : ``velocity`` among them
    spacing : of the cells in metres
    corner : (depth, x) of the centre of the top left cell
    """
    velocity = fields["velocity"]
    if output.suffix == ".npy":
        file = io.BytesIO()
        np.save(file, velocity if len(velocity) > 1 else velocity[0])
        write_bytes(output, file.getvalue())
        return
    depth, width = velocity.shape[1:]
    top, left = corner
    # The first axis of a grid is across, the second upwards: the deepest row comes first.
    ends = (left, -top - (depth - 1) * spacing), (left + (width - 1) * spacing, -top)
    write_fields(output, Grid((width, depth), *ends), {name: maps[0, ::-1].T for name, maps in fields.items()})


def _refined(maps: np.ndarray, observed: Observed, requests: Requests, report: PredictionProgress) -> list[Refined]:
    """Return what the refinements of the maps come to, from the network's maps within the bounds."""
    from sciml.gfi.refinement import refine

    noise = None if requests.noise is None else requests.noise * observed.noise_factor
    settings = requests.refinement(noise, not observed.wavelet_is_known)
    np.clip(maps, settings.slowest, settings.fastest, out=maps)
    found = []
    for place, start in enumerate(maps):

        def told(done: float, words: str, place: int = place) -> None:
            report((place + done) / len(maps), words)

        found.append(refine(start, observed.records[place], observed.acquisition_of(place), settings, progress=told))
    return found


def _means(refined: list[Refined]) -> dict[str, float]:
    """Return the means of the numbers about refinements."""
    from sciml.training import fit_outcomes

    names = ("solves", "start_misfit", "misfit", "unseen")
    rows = [
        {name: getattr(each, name) for name in names}
        | {"converged": float(each.status == Status.CONVERGED)}
        | fit_outcomes.columns(each.status)
        for each in refined
    ]
    return {name: float(np.mean([row[name] for row in rows])) for name in (rows[0] if rows else ())}


def _draw(path: Path, start: np.ndarray, observed: Observed, refined: list[Refined]) -> None:
    """Draw the map of the network; or it beside the refined one, what the records see, and how they fit."""
    from sciml import plots
    from sciml.reference.waves import WaveSolver

    acquisition = observed.acquisition_of(0)
    if not refined:
        plots.velocity_maps_picture({"predicted": start}, acquisition.spacing, path)
        return
    found = refined[0]
    with torch.no_grad():
        solver = WaveSolver(replace(acquisition, wavelet=found.wavelet))
        modelled = solver(torch.from_numpy(found.map)[None])[0].numpy()
    middle = acquisition.shots // 2
    traces = slice(None) if acquisition.mask is None else acquisition.mask[middle]
    seen = {"observed": observed.records[0, middle][:, traces], "modelled": modelled[middle][:, traces]}
    seen["residual"] = seen["observed"] - seen["modelled"]
    scales = acquisition.spacing, acquisition.time_step
    plots.inversion_picture({"start": start, "refined": found.map}, found.illumination, seen, scales, path)
