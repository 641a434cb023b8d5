"""Ensembles of trajectories for a first frame in a file, for ``sciml predict``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sciml.checks import choice, finite, whole_number
from sciml.data import FieldData
from sciml.data.windows import Windows
from sciml.errors import DataFormatError, InputError
from sciml.memory import check_memory
from sciml.mesh import Grid, SeriesWriter
from sciml.mesh.field import Field
from sciml.mesh.series import Series, read_series
from sciml.numerics.random import generator
from sciml.text2pde.scores import EnsembleScores
from sciml.text2pde.trajectories import trajectories

if TYPE_CHECKING:
    from sciml.text2pde.first_frame_task import FirstFrameTask
    from sciml.training.task import PredictionProgress

AT_ONCE = 8  # members
FARTHEST = 100.0  # deviations from the mean of the training, beyond which a frame is one in another unit
OTHER_PARAMETERS = "other_parameters"  # 1 in the numbers of an ensemble that has no truth for that reason


@dataclass(frozen=True)
class Request:
    """Wishes for an ensemble, beside the first frame.

    Parameters
    ----------
    members : of the ensemble
    seed : of their draws
    steps : calls of the network for each; None for those of the config
    guidance : factor of what the condition changes
    parameters : by name, those given beside the file
    show : field of animation and picture; None for the last one
    trajectory : number in a data set; None for a file of fields
    """

    members: int
    seed: int
    steps: int | None
    guidance: float
    parameters: Mapping[str, float]
    show: str | None
    trajectory: int | None = None


@dataclass(frozen=True)
class FirstFrame:
    """The frame that trajectories begin with, and what is known about them.

    Parameters
    ----------
    values : ``(channels, *space)``
    parameters : None if one is not known
    truth : the trajectory itself, ``(channels, time, *space)``, where the file has it for these parameters
    is_changed : whether it has one for other parameters
    """

    values: np.ndarray
    parameters: list[float] | None
    truth: np.ndarray | None = None
    is_changed: bool = False


def predict_trajectories(
    task: FirstFrameTask, source: Path, output: Path, request: Request, progress: PredictionProgress | None = None
) -> dict[str, float]:
    """Write the ensemble for the first frame in a file, an animation and a picture beside it; return numbers about it.

    These are the numbers of members and of calls of the network for each, the spread in units of the deviations of the
    fields in the training, as a root mean square, the largest divergence where it is made zero, and scores where the
    source is a data set. A single member has no spread.

    Parameters
    ----------
    task : that has been trained
    source, output : files
    request : members, seed and the like
    progress : called now and then
    """
    names = list(task.fields)
    shown = names[-1] if request.show is None else choice("show", request.show, names)
    first = read_first_frame(task, source, request)
    _check_near(task, first.values, source)
    values = request.members * first.values.size * task.trajectory_steps
    check_memory(
        f"{request.members} members take", 2 * 8 * values, "draw fewer, or with several seeds"
    )  # twice: a copy
    with SeriesWriter(output, task.place.grid, _units(task, request.members)) as series:  # which refuses a taken name
        found = _drawn(task, first, request, progress)
        mean, spread = found.mean(0), found.std(0, ddof=1) if len(found) > 1 else None
        for step, time in enumerate(task.place.times.tolist()):
            fields = {}
            for number, name in enumerate(names):
                fields[f"{name}_mean"] = mean[number, step]
                fields |= {} if spread is None else {f"{name}_spread": spread[number, step]}
                fields |= {f"{name}_{member + 1}": each[number, step] for member, each in enumerate(found)}
            series.append(time, **fields)
    if progress is not None:
        progress(1.0, "pictures")
    truth = None if first.truth is None else first.truth[names.index(shown)]
    _draw(task, {"members": found[:, names.index(shown)], "truth": truth}, shown, output)
    numbers = {"members": float(len(found)), "calls": float(_calls(task, request))}
    if spread is not None:
        units = np.reshape(list(task.deviations.values()), (-1, *(1,) * (spread.ndim - 1)))
        numbers["relative_spread"] = float(np.sqrt(((spread / units) ** 2).mean()))
    if task.constraints.divergence_free:
        numbers["divergence"] = task.constraints.divergence(found, task.place.grid)
    if first.is_changed:
        numbers[OTHER_PARAMETERS] = 1.0
    if first.truth is None or len(found) < 2:
        return numbers
    scores = EnsembleScores(task.deviations)
    scores.add(found[:, None], first.truth[None], [request.trajectory])
    return numbers | scores.means()


def read_first_frame(task: FirstFrameTask, source: Path, request: Request) -> FirstFrame:
    """Return the first frame in a file, on the grid and in the units of a task, and its parameters.

    Parameters
    ----------
    task : that has been trained
    source : ``.xdmf``, a file of fields, in which a parameter may be a field of that name, the same everywhere; or
        ``.h5``, a data set, of which a trajectory is taken
    request : parameters beside the file, and the number of the trajectory

    Raises
    ------
    InputError
        If the grid, a unit or a parameter is not as in the training, a field lacks, or a value is not finite.
    DataFormatError
        If the file cannot be read.
    """
    if source.suffix.lower() in (".h5", ".hdf5"):
        return _from_data_set(task, source, request)
    if source.suffix.lower() != ".xdmf":
        raise InputError(f"{source} ends with {source.suffix!r}, expected .xdmf, a file of fields, or .h5, a data set.")
    if request.trajectory is not None:
        raise InputError(f"trajectory is {request.trajectory}, but {source} is no data set; leave it out.")
    series = read_series(source, steps=slice(0, 1))
    if not isinstance(series.on, Grid):
        raise InputError(f"{source} is on a mesh, expected the grid of the training.")
    task.place.check_grid(series.on, str(source))
    values = [_channel(series, name, unit, source) for name, unit in task.fields.items()]
    known = _stored_parameters(task, series, source, request.parameters) | dict(request.parameters)
    return FirstFrame(np.stack(values), _checked_parameters(task, known))


def _from_data_set(task: FirstFrameTask, source: Path, request: Request) -> FirstFrame:
    """Return the first frame of a trajectory of a data set, with its parameters and all that follows."""
    names = list(dict.fromkeys(name if "." not in name else name.rpartition(".")[0] for name in task.fields))
    data = FieldData(str(source), history=1, horizon=task.trajectory_steps - 1, inputs=names, targets=names)
    try:
        task.check_data(data)
        count = data.dataset.description.trajectories
        remedy = "say which, best one that is not of the training"
        number = whole_number("trajectory", request.trajectory, at_least=0, at_most=count - 1, remedy=remedy)
        task.place.check(data)
        row = Windows(data.dataset, [number], data.window, torch.float64)[0]
        batch = {name: each[None] for name, each in row.items()}
        truth, parameters = trajectories(batch)[0].numpy(), row["parameters"].tolist()
    finally:
        data.dataset.close()
    own = dict(zip(task.names, parameters, strict=True))
    checked = _checked_parameters(task, own | dict(request.parameters))
    is_changed = not np.allclose(checked, parameters, rtol=1e-6, atol=0)  # files may have them in single precision
    return FirstFrame(truth[:, 0], checked, None if is_changed else truth, is_changed)


def _channel(series: Series, name: str, unit: str, source: Path) -> np.ndarray:
    """Return the values of one channel, a field or the component of one, at the first time."""
    fields = {field.name: field for field in series.fields}
    field_name, _, component = (name, "", "") if name in fields else name.rpartition(".")
    if field_name not in fields:
        raise InputError(f"{source} has the fields {', '.join(fields) or 'none'}, expected {name} among them.")
    field = fields[field_name]
    if field.unit not in ("", unit):
        raise InputError(f"{name} in {source} has the unit {field.unit!r}, expected {unit!r}; convert it.")
    values = _first(field)
    values = values.reshape(*series.on.shape, -1)
    number = int(component) if component else 0
    if number >= values.shape[-1] or (not component and values.shape[-1] > 1):
        raise InputError(f"{field_name} in {source} has {values.shape[-1]} components, expected {name}.")
    return finite(f"{name} in {source}", values[..., number])


def _check_near(task: FirstFrameTask, frame: np.ndarray, source: Path) -> None:
    """Refuse a frame ``(channels, *space)`` with values of another order of magnitude than those of the training."""
    scales = task.space.autoencoder.normaliser
    for name, values, mean, deviation in zip(
        task.fields, frame, scales.mean.tolist(), scales.deviation.tolist(), strict=True
    ):
        farthest = np.abs(values - mean).max() / deviation
        if not farthest <= FARTHEST:
            raise InputError(
                f"{name} in {source} is up to {farthest:.3g} deviations from the mean of the training, expected at "
                f"most {FARTHEST:g}; check its unit."
            )


def _first(field: Field) -> np.ndarray:
    if np.iscomplexobj(field.values):
        raise DataFormatError(f"{field.name} has complex values, expected real ones.")
    values = np.asarray(field.values, np.float64)
    return values if field.times is None else values[0]


def _stored_parameters(
    task: FirstFrameTask, series: Series, source: Path, given: Mapping[str, float]
) -> dict[str, float]:
    """Return the parameters that are fields of a file, but for those given."""
    found = {}
    for field in series.fields:
        if field.name in task.names and field.name not in given:
            values = finite(f"{field.name} in {source}", _first(field))
            if np.ptp(values) > 1e-6 * np.abs(values).max():
                raise InputError(
                    f"{field.name} in {source} varies from {values.min():g} to {values.max():g}, expected one number."
                )
            found[field.name] = float(values.flat[0])
    return found


def _checked_parameters(task: FirstFrameTask, known: Mapping[str, float]) -> list[float] | None:
    """Return the parameters of a task in their order; None if none of them is known."""
    if strange := [name for name in known if name not in task.names]:
        expected = ", ".join(task.names) or "none"
        raise InputError(f"{strange[0]} is no parameter of the trajectories, expected {expected}; leave it out.")
    missing = [name for name in task.names if name not in known]
    if missing and known:
        raise InputError(
            f"{', '.join(known)} is known, but {', '.join(missing)} is not, expected all parameters or none; give "
            f"{missing[0]}=NUMBER, too."
        )
    if missing and not task.drop:
        middle = task.place.ranges.mean(0).tolist()
        given = " ".join(f"{name}={value:g}" for name, value in zip(missing, middle, strict=True))
        raise InputError(
            f"the parameters {', '.join(missing)} are not known, but the network was trained without dropped "
            f"conditions; give them, such as {given}."
        )
    if missing:
        return None
    ordered = {name: float(known[name]) for name in task.names}
    task.place.check_parameters(ordered)
    return list(ordered.values())


def _calls(task: FirstFrameTask, request: Request) -> int:
    """Return how often the network is evaluated for a member; guidance asks with a condition and without."""
    return (task.steps if request.steps is None else request.steps) * (1 if request.guidance in (0, 1) else 2)


def _drawn(
    task: FirstFrameTask, first: FirstFrame, request: Request, progress: PredictionProgress | None
) -> np.ndarray:
    """Return the members, ``(members, channels, time, *space)``, in double precision."""
    like = next(task.network.parameters())
    frame = torch.from_numpy(first.values)[None].to(like)
    parameters = None if first.parameters is None else torch.tensor([first.parameters], dtype=torch.float64).to(like)
    draws, found = generator(request.seed, device=like.device), []
    for done in range(0, request.members, AT_ONCE):
        count = min(AT_ONCE, request.members - done)
        several = None if parameters is None else parameters.expand(count, -1)
        frames = frame.expand(count, *frame.shape[1:])
        drawn = task.draw(frames, several, draws, request.steps, request.guidance)
        found.append(task.constraints(drawn, frames, task.place.grid))
        if progress is not None:
            progress((done + count) / request.members, f"member {done + count} of {request.members}")
    return np.concatenate(found)


def _units(task: FirstFrameTask, members: int) -> dict[str, str]:
    ends = ["mean", *(["spread"] if members > 1 else []), *(str(number + 1) for number in range(members))]
    return {f"{name}_{end}": unit for name, unit in task.fields.items() for end in ends}


def _draw(task: FirstFrameTask, shown: Mapping[str, np.ndarray | None], name: str, output: Path) -> None:
    """Draw one field of ``members``, ``(members, time, *space)``, and ``truth``: an animation and a picture."""
    from sciml import plots

    times, grid, unit = task.place.times.numpy(), task.place.grid, task.fields[name]
    if grid.dim > 2 or len(times) < 2:
        return
    fields = [Field(name, each, grid, times=times, unit=unit) for each in shown["members"]]
    truth = None if shown["truth"] is None else Field(name, shown["truth"], grid, times=times, unit=unit)
    plots.field_animation(fields[0], output.with_suffix(".gif"), reference=truth)
    if grid.dim == 2 and len(fields) > 1:
        plots.ensemble_picture(fields, output.with_suffix(".png"), truth=truth)
