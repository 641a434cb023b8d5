"""Velocities below a line of shots: a network's map refined by the wave equation, beside inversions without either."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.bench.chapters import (
    Chapter,
    Picture,
    Progress,
    Story,
    Table,
    demo_command,
    one_thread,
    solve_command,
    solve_config,
)
from sciml.commands import command_line

if TYPE_CHECKING:
    import numpy as np

    from sciml.gfi.refinement import Refinement, Shots

CONFIG = "gfi/fwi_cpu"
NETWORK = "gfi/curvevel_a_cpu"
SEED = 2  # of the map, of five the one with the median change; those of seed 0 are in the network's training
SOLVES, QUICK_SOLVES = 150, 30
START, OURS = "network of 0.7 million parameters", "the same, refined in stages"
FULL_BAND, RISING = "the same, refined in the full band", "velocities that rise with depth, refined in stages"
COLUMNS = ("map", "solves", "mean absolute error [m/s]", "structural similarity")


class InversionChapter(Chapter):
    """A velocity map from shot records, by a network and by full-waveform inversion."""

    title = "Velocities from shot records"
    about = (
        "Five shots on the surface, 70 receivers, one second of records: which velocities are below? A network answers "
        "at once (after Gupta et al., ICLR 2025), and the wave equation refines its map until the records are those "
        "observed, from low frequencies to high ones, and says which cells they do not determine. Beside it, the same "
        "without stages, and without a network. The records are made by another scheme than the one that inverts them."
    )
    minutes = 0.9
    position = 6

    @one_thread()
    def run(self, folder: Path, progress: Progress) -> Story:
        """Refine the network's map as ``sciml solve`` does, and the same and another start by other settings."""
        import numpy as np

        from sciml.bench.gfi.refinements import PLAIN
        from sciml.gfi.refinement import Refinement, Survey

        solves = QUICK_SOLVES if self.settings.quick else SOLVES
        progress.say("Records of a map of curved layers, by the scheme of OpenFWI's data ...")
        shots = Survey().example(SEED)
        start = _proposed(shots.records)
        np.save(folder / "shots.npy", shots.records)
        np.save(folder / "start.npy", start)
        changes = [
            f"seed={SEED}",
            f"task.init_args.start={folder / 'start.npy'}",
            f"task.init_args.refinement.solves={solves}",
        ]
        progress.say(f"Refining the network's map by {solves} solves of the wave equation ...")
        result = solve_config(CONFIG, changes, folder / "run", progress)
        found = {START: (0.0, start), OURS: (result["metrics"]["solves"], _kept(folder / "run", "wave_speed"))}
        progress.say(f"  {result['training_seconds']:.1f} s; now without stages, and from another start ...")
        for name, begin, settings in (
            (FULL_BAND, start, dataclasses.replace(PLAIN, solves=solves)),
            (RISING, _rising(shots.truth), Refinement(solves=solves)),
        ):
            found[name] = _refined(shots, begin, settings, progress)
        numbers = {name: _numbers(velocity, shots.truth) for name, (_, velocity) in found.items()}
        progress.say("Drawing the pictures ...")
        return _story(folder, changes, result, found, numbers, _draw(folder, found))


CHAPTER = InversionChapter


def _proposed(records: np.ndarray) -> np.ndarray:
    """Return the map of the network for records (shots, steps, receivers)."""
    import torch

    from sciml import weights
    from sciml.training import load_task

    with torch.no_grad():
        return load_task(weights.find(NETWORK))(torch.from_numpy(records)[None])[0, 0].double().numpy()


def _kept(run: Path, name: str) -> np.ndarray:
    """Return a field of a run as a map (nz, nx)."""
    from sciml.mesh.series import read_series

    field = read_series(run / "fields.xdmf")[name]
    return field.values.reshape([len(axis) for axis in field.on.axes()])[:, ::-1].T


def _rising(truth: np.ndarray) -> np.ndarray:
    """Return velocities that rise linearly from the slowest of a map to its fastest."""
    import numpy as np

    return np.repeat(np.linspace(truth.min(), truth.max(), len(truth))[:, None], truth.shape[1], 1)


def _refined(shots: Shots, start: np.ndarray, settings: Refinement, progress: Progress) -> tuple[float, np.ndarray]:
    """Return the solves of a refinement and its map."""
    from sciml.gfi.refinement import refine

    def told(done: float, words: str) -> None:
        progress.show(f"{done:.0%}, {words}")

    found = refine(start, shots.records, shots.acquisition, settings, progress=told)
    return found.solves, found.map


def _numbers(velocity: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    from sciml.gfi.refine_task import SIMILAR
    from sciml.metrics import mean_absolute_error, structural_similarity

    return {
        "error": mean_absolute_error(velocity, truth),
        "similarity": structural_similarity(velocity, truth, SIMILAR),
    }


def _draw(folder: Path, found: Mapping[str, tuple[float, np.ndarray]]) -> list[Picture]:
    import numpy as np

    from sciml import plots
    from sciml.gfi.refinement import Survey

    for drawn, name in {"maps": "maps", "gathers": "gathers", "history": "misfit"}.items():
        shutil.copyfile(folder / "run" / "figures" / f"{drawn}.png", folder / f"{name}.png")
    ends = np.stack([found[name][1] for name in (OURS, FULL_BAND, RISING)])
    seen = _kept(folder / "run", "illumination")
    plots.sensing_picture(seen, Survey().spacing, folder / "seen.png", spread=ends.std(0, ddof=1))
    return [
        Picture(folder / "maps.png", "Four sections: a network's, a sharper one, the truth, and their difference.",
                "The network's map, refined and true velocities, and what is still wrong."),
        Picture(folder / "gathers.png", "Records of three shots beside those of the refined map, and faint residuals.",
                "Observed and modelled records, and their difference on the same scale. What is left at late times "
                "comes from the edges of the scheme that made the records."),
        Picture(folder / "misfit.png", "Falling curves of misfit and error over the solves.",
                "The misfit in each stage, from low frequencies to the full band, and the error of the map."),
        Picture(folder / "seen.png", "Two sections: the illumination fades with depth, and the spread grows with it.",
                "How much the records change with each cell, and how far the three refined maps differ."),
    ]  # fmt: skip


def _story(
    folder: Path,
    changes: Sequence[str],
    result: Mapping[str, Any],
    found: Mapping[str, tuple[float, np.ndarray]],
    numbers: Mapping[str, Mapping[str, float]],
    pictures: list[Picture],
) -> Story:
    start, ours, full, rising = (numbers[name]["error"] for name in (START, OURS, FULL_BAND, RISING))
    fall = result["metrics"]["misfit"] / result["metrics"]["start_misfit"]
    return Story(
        summary=(
            f"A network proposes a map with a mean error of {start:.0f} m/s. {found[OURS][0]:.0f} solves of the wave "
            f"equation take the misfit of its records to {fall:.0e} of what it was, and the error to {ours:.0f} m/s; "
            f"in the full band alone to {full:.0f}, and without the network, from velocities that rise with depth, to "
            f"{rising:.0f} m/s."
        ),
        text=(
            ("A small misfit is no proof of a right map: deep cells change the records little, and there the start and "
             "the priors decide. This is what networks are for: they have seen what maps look like."),
            ("One map shows how it works, not which method is better: sciml bench gfi takes 16 genuine ones, with "
             "noise, with missing traces and with an unknown wavelet."),
        ),
        tables=[
            Table(COLUMNS, [(name, f"{found[name][0]:.0f}", f"{each['error']:.0f}", f"{each['similarity']:.2f}")
                            for name, each in numbers.items()],
                  "A solve is the wave equation and its adjoint for all shots."),
        ],
        pictures=pictures,
        commands={
            command_line("predict", NETWORK, folder / "shots.npy", "-o", folder / "velocity.xdmf", f"refine={SOLVES}"):
                "the same from a file of records, as you would for your own",
            solve_command(CONFIG, changes, folder / "run"): "repeats the refinement in stages",
            demo_command(folder): "repeats this chapter",
            "sciml solve gfi/fwi_cpu task.init_args.shots=line.sgy": "inverts shots of your own",
            "sciml bench gfi --quick": "measures solver, maps and refinements",
        },
        files={folder / "run" / "fields.xdmf": "the refined map with start, truth and illumination, for ParaView"},
        metrics={
            "mean_absolute_error": ours, "start_mean_absolute_error": start, "full_band_mean_absolute_error": full,
            "rising_mean_absolute_error": rising, "misfit_ratio": fall, "similarity": numbers[OURS]["similarity"],
            "start_similarity": numbers[START]["similarity"],
        },
    )  # fmt: skip
