"""The acquisition that a network was trained for, in buffers, so that it lies in checkpoints and published weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sciml.errors import InputError

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition

_NUMBERS = ("spacing", "time_step", "frequency")
_ARRAYS = ("sources", "receivers", "wavelet")


class StoredAcquisition(nn.Module):
    """Buffers for an acquisition whose receivers are the same for all shots.

    Parameters
    ----------
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width
    """

    is_known: Tensor

    def __init__(self, records_shape: tuple[int, int, int], map_shape: tuple[int, int]) -> None:
        super().__init__()
        shots, steps, receivers = records_shape
        self._shape = map_shape
        sizes = {"sources": (shots, 2), "receivers": (receivers, 2), "wavelet": (steps,)} | dict.fromkeys(_NUMBERS, ())
        for name, size in sizes.items():
            self.register_buffer(name, torch.zeros(size, dtype=torch.float64))
        self.register_buffer("free_surface", torch.zeros((), dtype=torch.bool))
        self.register_buffer("is_known", torch.zeros((), dtype=torch.bool))

    def keep(self, acquisition: Acquisition) -> None:
        """Take the values of an acquisition into the buffers.

        Raises
        ------
        InputError
            If its receivers move with the source, or its shapes are others.
        """
        self.check(acquisition)
        for name in (*_NUMBERS, *_ARRAYS):
            getattr(self, name).copy_(torch.tensor(getattr(acquisition, name), dtype=torch.float64))
        self.free_surface.fill_(acquisition.free_surface)
        self.is_known.fill_(True)

    def check(self, acquisition: Acquisition) -> None:
        """Refuse an acquisition that does not fit the shapes."""
        expected = (len(self.sources), len(self.wavelet), len(self.receivers))
        if acquisition.record_shape != expected or acquisition.shape != self._shape:
            raise InputError(
                f"the data have records of shape {acquisition.record_shape} and maps of {acquisition.shape}, but the "
                f"network is made for {expected} and {self._shape}; set its records_shape and map_shape."
            )
        if acquisition.receivers.ndim != 2:
            raise InputError("the receivers of the data move with the source, expected the same ones for all shots.")

    def get(self) -> Acquisition:
        """Return the acquisition whose values lie in the buffers.

        Raises
        ------
        InputError
            If none has been kept, as before the training.
        """
        from sciml.reference.waves import Acquisition

        if not bool(self.is_known):
            raise InputError(
                "the network has not been trained yet, so that it belongs to no acquisition; train it, or give "
                "published weights theirs by task.stored_acquisition.keep(Acquisition.openfwi())."
            )
        return Acquisition(
            shape=self._shape,
            steps=len(self.wavelet),
            free_surface=bool(self.free_surface),
            **{name: float(getattr(self, name)) for name in _NUMBERS},
            **{name: getattr(self, name).cpu().double().numpy() for name in _ARRAYS},
        )
