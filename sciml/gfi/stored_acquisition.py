"""The acquisition that a network was trained for, in buffers, so that it lies in checkpoints and published weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from sciml.errors import InputError

if TYPE_CHECKING:
    from sciml.reference.waves import Acquisition

SAME = 1e-3  # of a time step or a frequency: what it may differ by
HALF_CELL = 0.5  # by which sources and receivers may lie aside, as those of lines may
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

    def check_alike(self, acquisition: Acquisition, name: str) -> None:
        """Refuse an acquisition that is not the one in the buffers up to a common factor of lengths and times.

        Parameters
        ----------
        acquisition : of the data
        name : of the data, for the sentence
        """
        self.check(acquisition)
        if not bool(self.is_known):
            return
        factor = acquisition.spacing / float(self.spacing)
        kept = self.get().scaled(factor)
        for what, unit, tolerance in (
            ("time_step", "s", SAME * kept.time_step),
            ("frequency", "Hz", SAME * kept.frequency),
            ("sources", "m", HALF_CELL * kept.spacing),
            ("receivers", "m", HALF_CELL * kept.spacing),
        ):
            found, wanted = (np.asarray(getattr(each, what), dtype=np.float64) for each in (acquisition, kept))
            worst = int(np.abs(found - wanted).argmax())
            if abs(found.flat[worst] - wanted.flat[worst]) > tolerance:
                raise InputError(
                    f"{name} was shot otherwise than the pairs of the training: {what.replace('_', ' ')} "
                    f"{found.flat[worst]:g} {unit}, expected {wanted.flat[worst]:g} {unit} over cells of "
                    f"{kept.spacing:g} m; give pairs of the same acquisition."
                )
        if acquisition.free_surface != kept.free_surface:
            raise InputError(f"{name} was shot with free_surface={acquisition.free_surface}, unlike the training.")

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
