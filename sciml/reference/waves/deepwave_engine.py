"""Waves by deepwave: on GPUs, and an independent solver to compare with; the only importer of deepwave.

deepwave (Richardson, MIT licence) injects with the other sign and records before a step, so that its sample n + 1 is
ours of number n.
"""

from __future__ import annotations

import warnings
from math import ceil
from typing import Any

import torch
from torch.nn import functional

from sciml.errors import InputError, MissingExtraError
from sciml.reference.waves.acquisition import Acquisition
from sciml.reference.waves.placement import place

WIDTH = 10  # cells of an absorbing layer
LAYER_SPEED = 4500.0  # m/s, for which layers and inner time steps are made unless a map is faster
SPEED_STEP = 500.0  # m/s, by which it grows, so that it is the same for similar maps


class DeepwaveEngine:
    """deepwave's ``scalar`` under an acquisition.

    Parameters
    ----------
    acquisition : what is shot and recorded
    dtype : of the fields, torch.float32 or torch.float64
    interval : every how many steps the gradient's sum over time is taken

    Raises
    ------
    MissingExtraError
        If deepwave is not installed.
    """

    def __init__(self, acquisition: Acquisition, dtype: torch.dtype, interval: int) -> None:
        if acquisition.free_surface:
            raise InputError("the engine 'deepwave' has no free surface here; take the engine 'numba'.")
        self.deepwave = _deepwave()
        self.acquisition, self.dtype, self.interval = acquisition, dtype, interval
        positions = acquisition.sources[:, None], acquisition.receivers_by_shot
        placed = [place(each, acquisition) for each in positions]
        self.margin = max(each.overhang(acquisition.shape, False) for each in placed)
        cells = (torch.from_numpy(each / acquisition.spacing + self.margin) for each in positions)
        self._places = {torch.device("cpu"): tuple(cells)}

    def places(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sources (shots, 1, 2) and receivers (shots, receivers, 2) in cells, copied to a device only once."""
        if device not in self._places:
            sources, receivers = self._places[torch.device("cpu")]
            self._places[device] = sources.to(device), receivers.to(device)
        return self._places[device]

    def __call__(self, velocities: torch.Tensor, wavelet: torch.Tensor) -> torch.Tensor:
        """Return records (maps, shots, steps, receivers) of velocity maps (maps, nz, nx), all on their device."""
        a, maps, device = self.acquisition, len(velocities), velocities.device
        padded = functional.pad(velocities.to(self.dtype), (self.margin,) * 4, mode="replicate")
        samples = self.interval * ceil((a.steps + 1) / self.interval)
        amplitudes = functional.pad(-wavelet.to(device, self.dtype), (0, samples - a.steps))
        source_locations, receiver_locations = (each.repeat(maps, 1, 1) for each in self.places(device))
        with warnings.catch_warnings():  # it tells that earlier versions put places between cells elsewhere
            warnings.filterwarnings("ignore", "(a float source or receiver coordinate|the Hicks interpolation window)")
            *_, records = self.deepwave.scalar(
                padded.repeat_interleave(a.shots, 0),
                a.spacing,
                a.time_step,
                source_amplitudes=amplitudes.expand(maps * a.shots, 1, samples),
                source_locations=source_locations,
                receiver_locations=receiver_locations,
                accuracy=4,
                pml_width=WIDTH,
                pml_freq=a.frequency,
                max_vel=layer_speed(velocities),
                model_gradient_sampling_interval=self.interval,
            )
        return records[..., 1 : a.steps + 1].mT.reshape(maps, *a.record_shape)


def layer_speed(velocities: torch.Tensor) -> float:
    """Return the velocity in m/s for which layers and inner time steps are made, the same for similar maps."""
    return max(LAYER_SPEED, SPEED_STEP * ceil(float(velocities.detach().max()) / SPEED_STEP))


def _deepwave() -> Any:
    try:
        import deepwave
    except ImportError as error:
        raise MissingExtraError(
            "the engine 'deepwave' needs the package deepwave; run pip install 'sciml[seismic]', or take 'numba'."
        ) from error
    return deepwave
