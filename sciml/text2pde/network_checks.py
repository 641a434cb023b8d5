"""Checks that the networks and settings of a denoiser fit one another, before any data are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.errors import ConfigError
from sciml.generative import MeanFlowObjective

if TYPE_CHECKING:
    from sciml.text2pde.first_frame_task import FirstFrameTask


def check_networks(task: FirstFrameTask) -> None:
    """Refuse networks, an objective and constraints that do not fit one another.

    Parameters
    ----------
    task : whose parts have been set

    Raises
    ------
    ConfigError
        If they differ; the sentence names what to edit.
    """
    autoencoder, single = task.space.autoencoder, task.space.single_frames
    network, conditioner = task.network, task.conditioner
    frame = autoencoder.shape if single else autoencoder.shape[1:]
    latent = network.shape[1:] if single else network.shape
    of_latents = "shape of the network without its times" if single else "shape of the network"
    pairs = {
        "shape of the conditioner": (conditioner.shape, frame),
        "channels of the conditioner": (conditioner.channels, autoencoder.channels),
        "parameters of the conditioner": (conditioner.parameter_count, len(task.names)),
        "number of fields": (len(task.fields), autoencoder.channels),
        of_latents: (latent, autoencoder.latent_shape),
        "channels of the network": (network.channels, autoencoder.latent_channels),
        "condition_width of the network": (network.condition_width, conditioner.width),
        "condition_channels of the network": (network.condition_channels, conditioner.guess_channels),
    }
    for name, (found, expected) in pairs.items():
        if found != expected:
            shown = (list(each) if isinstance(each, tuple) else each for each in (found, expected))
            words = "the {} is {}, expected {} for the other networks; edit {}."
            raise ConfigError(words.format(name, *shown, _place(name)))
    allowed = [
        0,
        autoencoder.latent_channels,
        *([2 * autoencoder.latent_channels] if task.source == "regression" else []),
    ]
    if conditioner.guess_channels not in allowed:
        raise ConfigError(
            f"guess_channels is {conditioner.guess_channels}, expected {' or '.join(map(str, allowed))}, as many as "
            "the autoencoder has latents."
        )
    wants_two = isinstance(task.objective, MeanFlowObjective)
    if wants_two != (network.of_later is not None):
        raise ConfigError(
            f"the network sees {'one time' if wants_two else 'two times'}, expected "
            f"{'two' if wants_two else 'one'} for {type(task.objective).__name__}; set two_times of the network to "
            f"{str(wants_two).lower()}."
        )
    if task.sample_latents and not autoencoder.variational:
        raise ConfigError(
            "sample_latents is true, but the latents of the autoencoder have no variance to draw from; leave it out, "
            "or train an autoencoder with variational=true."
        )
    if task.source == "regression" and task.objective.path.informed:
        raise ConfigError(
            "samples start from a regression, which brings its own noise, expected a path from noise; give the path "
            "within Interpolant, such as sciml.generative.TrigonometricPath."
        )
    task.constraints.check_axes(len(frame))
    if task.mirror is not None:
        task.mirror.check(list(task.fields), len(frame))


def _place(name: str) -> str:
    """Return the line of a config that a name such as ``channels of the network`` stands for."""
    if name == "number of fields":
        return "task.init_args.fields"
    argument, network = name.removesuffix(" without its times").split(" of the ")
    return f"task.init_args.{network}.init_args.{argument}"
