"""From the first stage to the second: the weights of an autoencoder that was trained before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sciml import weights
from sciml.checks import instance
from sciml.errors import CheckpointError, ConfigError
from sciml.text2pde.autoencoder_task import AutoencoderTask
from sciml.text2pde.latents import LatentSpace


def take_autoencoder(space: LatentSpace, fields: Mapping[str, str], name: str) -> None:
    """Give the autoencoder of a space the weights of its run.

    Parameters
    ----------
    space : of the latents, changed
    fields : units by names of the channels
    name : folder of a run, one of its checkpoints, or name or file of published weights

    Raises
    ------
    ConfigError
        If there is no such run, or it is one of other fields or of another network.
    """
    from sciml.training.stored import load_task

    try:
        task = load_task(weights.find_shipped(name) or name)
    except CheckpointError as error:
        raise ConfigError(f"autoencoder_run names no autoencoder: {error}") from error
    instance(f"the task of {name}", task, AutoencoderTask, "an AutoencoderTask", error=ConfigError)
    if task.fields != fields or task.single_frames != space.single_frames:
        of, own = ("frames" if each else "trajectories" for each in (task.single_frames, space.single_frames))
        raise ConfigError(
            f"{name} is an autoencoder of {of} with the fields {task.fields}, expected one of {own} with {fields}; "
            "name another run."
        )
    try:
        weights.assign(space.autoencoder, task.autoencoder.state_dict(), Path(name))
    except CheckpointError as error:
        reason = str(error).rstrip(".")
        raise ConfigError(f"{reason}; copy task.init_args.autoencoder from the config of that run.") from error
