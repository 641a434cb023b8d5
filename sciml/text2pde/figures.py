"""Pictures of a trained denoiser: scores against calls, calibration, and an ensemble beside its truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from sciml.errors import InputError
from sciml.mesh import Field
from sciml.metrics import rank_histogram
from sciml.numerics.random import generator
from sciml.text2pde.evaluating import ensemble
from sciml.text2pde.scores import EnsembleScores
from sciml.text2pde.trajectories import trajectories

if TYPE_CHECKING:
    from sciml.text2pde.first_frame_task import FirstFrameTask

CALLS = (1, 2, 4, 8)
MOST_CALLS = 16  # of a sampler, as published ones take a thousand
MOST = 8  # trajectories
DRAWS = 3  # counter of draws out of the training


def draw_figures(task: FirstFrameTask, batch: Mapping[str, Tensor], folder: Path) -> None:
    """Write ``calls.png``, ``calibration.png`` and, on plane grids, ``ensemble.png`` into a folder.

    The energy score against the calls of the network, beside that of trajectories that stay as they begin; how often
    the truth has each rank among the members, for each field; and truth, mean, error, spread and members of one
    ensemble.

    Parameters
    ----------
    task : trained
    batch : trajectories that it has not seen, of which the first ones are taken
    folder : that exists
    """
    from sciml import plots

    like = next(task.network.parameters())
    given = {name: batch[name][:MOST].to(like) for name in ("history", "target", "parameters")}
    found = {calls: _members(task, given, calls) for calls in _calls(task)}
    numbers = batch["trajectory"][:MOST]
    truth = trajectories({**given, "trajectory": numbers}).cpu().double().numpy()
    scores = {calls: _energy_score(task, members, truth, numbers) for calls, members in found.items()}
    still = np.broadcast_to(truth[None, :, :, :1], (2, *truth.shape))
    plots.score_against_calls(
        {"samples": scores},
        folder / "calls.png",
        levels={"first frame at all times": _energy_score(task, still, truth, numbers)},
    )
    members = found[min(found, key=lambda calls: (abs(calls - task.steps), calls))]
    ranks = {name: rank_histogram(members[:, :, channel, 1:], truth[:, channel, 1:])
             for channel, name in enumerate(task.fields)}  # fmt: skip
    plots.calibration_picture(ranks, folder / "calibration.png")
    grid, times, name = task.place.grid, task.place.times.numpy(force=True), list(task.fields)[-1]
    if grid.dim == 2:
        shown = [Field(name, each[0, -1], grid, times=times, unit=task.fields[name]) for each in (*members, truth)]
        plots.ensemble_picture(shown[:-1], folder / "ensemble.png", truth=shown[-1])


def _calls(task: FirstFrameTask) -> list[int]:
    """Return the numbers of calls to be compared: those that the sampler can make, and that of the config."""
    found = []
    for calls in sorted({*CALLS, min(task.steps, MOST_CALLS)}):
        try:
            task.objective.check_sampler(task.sampler, task.sampler.calls(calls))
        except InputError:
            continue
        found.append(calls)
    return found


def _members(task: FirstFrameTask, given: Mapping[str, Tensor], calls: int) -> np.ndarray:
    """Return members, ``(members, batch, channels, time, *space)``."""
    frames = given["history"][:, 0].movedim(-1, 1)
    return ensemble(task, frames, given["parameters"], generator(0, DRAWS, device=frames.device), calls)


def _energy_score(task: FirstFrameTask, members: np.ndarray, truth: np.ndarray, numbers: Tensor) -> float:
    scores = EnsembleScores(task.deviations)
    scores.add(members, truth, numbers.tolist())
    return scores.means()["energy_score"]
