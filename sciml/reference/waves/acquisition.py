"""The acquisition of shot records over a velocity map: sources, receivers, times and the wavelet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from sciml.checks import (
    boolean_array,
    instance,
    known_names,
    number,
    positive,
    real_array,
    sentence,
    shape_of,
    shown,
    whole_number,
)
from sciml.errors import InputError
from sciml.reference.waves.wavelets import MOST_STEPS, ricker

OPENFWI_SOURCES = 0, 17, 34, 52, 69  # columns; not symmetric, as 35 is the mirror image of 34
MOST_CELLS = 1_000_000  # along an axis
LARGEST = 1e12  # of spacing, time step and frequency; their reciprocals are bounded alike
ROUNDING = 1e-9  # relative, by which positions may be outside and velocities too fast
T = TypeVar("T")


@dataclass(frozen=True, eq=False, repr=False)
class Acquisition:
    """The places and times at which waves are sent out and recorded, and the wavelet.

    Lengths are in metres, times in seconds. Positions are pairs (z, x), z downwards, from the centre of the top left
    cell; they need not be on cell centres.

    Parameters
    ----------
    shape : of the velocity map, (nz, nx) cells
    spacing : between the centres of cells, along both axes
    time_step : between samples
    steps : number of samples, the first at the first value of the wavelet
    sources : (shots, 2)
    receivers : (receivers, 2), or (shots, receivers, 2) where they move with the source
    frequency : of the peak of the wavelet's spectrum, in hertz
    wavelet : (steps,), Ricker's (:func:`ricker`) by default
    mask : (shots, receivers), False where there is no trace; the solver computes all of them, and who compares records
        leaves these out
    free_surface : whether the pressure is zero on the top row of cells, instead of waves leaving through it

    Raises
    ------
    InputError
        If the shapes do not fit together, or a position is outside of the map.
    """

    shape: tuple[int, int]
    spacing: float
    time_step: float
    steps: int
    sources: np.ndarray
    receivers: np.ndarray
    frequency: float
    wavelet: np.ndarray | None = None
    mask: np.ndarray | None = None
    free_surface: bool = False

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "shape": _two_sizes(self.shape),
            "spacing": _moderate("the spacing of an acquisition", self.spacing),
            "time_step": _moderate("the time step of an acquisition", self.time_step),
            "steps": whole_number("the number of steps of an acquisition", self.steps, at_least=1, at_most=MOST_STEPS),
            "frequency": _moderate("the frequency of an acquisition", self.frequency),
            "free_surface": instance("free_surface", self.free_surface, bool, "True or False"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        wavelet = ricker(self.frequency, self.time_step, self.steps) if self.wavelet is None else self.wavelet
        arrays = {
            "sources": self._positions("sources", self.sources, ("shots", 2)),
            "receivers": self._positions("receivers", self.receivers, (..., "receivers", 2)),
            "wavelet": real_array("the wavelet of an acquisition", wavelet, shape=(self.steps,)),
        }
        if self.mask is not None:
            arrays["mask"] = boolean_array("the mask of an acquisition", self.mask)
        for name, array in arrays.items():
            object.__setattr__(self, name, _frozen(array))
        self._check_counts()

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"Acquisition({self.shots} shots, {self.receiver_count} receivers, {self.steps} steps of "
            f"{self.time_step:g} s, {self.frequency:g} Hz, {rows} x {columns} cells of {self.spacing:g} m)"
        )

    @classmethod
    def openfwi(cls) -> Acquisition:
        """Return that of OpenFWI's sets in two dimensions: 5 shots, 70 receivers, 700 m by 700 m, one second."""
        depth, spacing = 10.0, 10.0  # metres
        return cls(
            shape=(70, 70),
            spacing=spacing,
            time_step=1e-3,
            steps=1000,
            sources=np.array([(depth, spacing * column) for column in OPENFWI_SOURCES]),
            receivers=np.array([(depth, spacing * column) for column in range(70)]),
            frequency=15.0,
        )

    @property
    def shots(self) -> int:
        """The number of shots, one for each source."""
        return len(self.sources)

    @property
    def receiver_count(self) -> int:
        """The number of receivers of a shot."""
        return self.receivers.shape[-2]

    @property
    def record_shape(self) -> tuple[int, int, int]:
        """The shape of the records of a map, (shots, steps, receivers)."""
        return self.shots, self.steps, self.receiver_count

    @property
    def receivers_by_shot(self) -> np.ndarray:
        """The receivers of each shot, (shots, receivers, 2)."""
        return np.broadcast_to(self.receivers, (self.shots, self.receiver_count, 2))

    def flipped(self) -> Acquisition:
        """Return the mirror image, left and right exchanged, with shots and receivers in reversed order.

        The records of mirrored maps are then the mirrored records: ``solver(v)`` of this acquisition, reversed along
        the axes of shots and receivers, is ``flipped_solver(v[..., ::-1])``.
        """
        width = (self.shape[1] - 1) * self.spacing
        mirrored = {"sources": self.sources[::-1], "receivers": self.receivers[..., ::-1, :]}
        if self.receivers.ndim == 3:
            mirrored["receivers"] = mirrored["receivers"][::-1]
        changes = {name: np.stack([each[..., 0], width - each[..., 1]], -1) for name, each in mirrored.items()}
        return self._changed(changes, mask=None if self.mask is None else self.mask[::-1, ::-1])

    def scaled(self, factor: float) -> Acquisition:
        """Return this acquisition with lengths and times ``factor`` times as large, for which the records are the same.

        Velocities stay as they are, frequencies are divided by the factor, and the wavelet, which is a second
        derivative along lengths, by its square: what is learned at 15 Hz on 700 m serves 7.5 Hz on 1400 m.
        """
        factor = positive("the factor of an acquisition", factor)
        changes = {name: getattr(self, name) * factor for name in ("spacing", "time_step", "sources", "receivers")}
        return self._changed(changes, frequency=self.frequency / factor, wavelet=self.wavelet / factor**2)

    def check_records(self, name: str, records: T) -> T:
        """Return records (..., shots, steps, receivers), an array or a tensor, if that is what they are.

        Parameters
        ----------
        name : of the records in the sentence, such as ``"the observed records"``
        records : of any number of maps

        Raises
        ------
        InputError
            If they have another shape; the sentence names axes that have been exchanged.
        """
        found, expected = shape_of(records), self.record_shape
        if found[-3:] == expected:
            return records
        remedy = "their axes are shots, time steps and receivers"
        if len(found) >= 3 and sorted(found[-3:]) == sorted(expected):
            remedy = f"exchange their axes: {remedy}"
        raise InputError(sentence(f"the shape of {name}", found, f"(..., {', '.join(map(str, expected))})", remedy))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain numbers and lists, which JSON keeps exactly; :meth:`from_dict` reads them."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["shape"] = list(self.shape)
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Acquisition:
        """Return the acquisition that :meth:`as_dict` wrote.

        Raises
        ------
        InputError
            If a name is unknown or missing, or a value does not fit.
        """
        names = [each.name for each in fields(cls)]
        instance("an acquisition", values, Mapping, "a mapping of names to values")
        known_names("the name in an acquisition", values, names)
        missing = [name for name in names[:7] if name not in values]
        if missing:
            raise InputError(f"an acquisition has no {', no '.join(missing)}, expected {', '.join(names[:7])}.")
        return cls(**values)

    def _changed(self, changes: Mapping[str, Any], **more: Any) -> Acquisition:
        return Acquisition(**{**{each.name: getattr(self, each.name) for each in fields(self)}, **changes, **more})

    def _positions(self, name: str, values: object, shape: tuple[Any, ...]) -> np.ndarray:
        """Return positions in the map."""
        positions = real_array(f"the positions of the {name}", values, shape=shape)
        ends = self.spacing * (np.array(self.shape) - 1.0)
        outside = np.argwhere(((positions < -ROUNDING * ends) | (positions > (1.0 + ROUNDING) * ends)).any(-1))
        if len(outside):
            z, x = positions[tuple(outside[0])]
            raise InputError(
                f"{len(outside)} of {positions[..., 0].size} {name} are outside of the map, the first at z = {z:g} m, "
                f"x = {x:g} m, expected positions (z, x) from (0, 0) to ({ends[0]:g}, {ends[1]:g}) m, from the centre "
                "of the top left cell."
            )
        return positions

    def _check_counts(self) -> None:
        """Refuse an acquisition without shots or receivers, and arrays of other counts."""
        if not self.shots or not self.receiver_count:
            raise InputError(
                f"an acquisition has {self.shots} sources and {self.receiver_count} receivers, expected some."
            )
        if (self.receivers.ndim == 3 and len(self.receivers) != self.shots) or self.receivers.ndim > 3:
            expected = f"(receivers, 2) or ({self.shots}, receivers, 2)"
            raise InputError(sentence("the shape of the receivers", self.receivers.shape, expected))
        if self.mask is not None and self.mask.shape != (self.shots, self.receiver_count):
            raise InputError(
                sentence("the shape of the mask", self.mask.shape, f"({self.shots}, {self.receiver_count})")
            )
        if self.free_surface and (self.sources[:, 0] == 0.0).any():
            raise InputError("a source lies on the free surface, where it makes no wave; place it at a depth above 0.")


def _two_sizes(value: object) -> tuple[int, int]:
    """Return the shape of a map."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"the shape of an acquisition is {shown(value)}, expected two whole numbers, (nz, nx).")
    rows, columns = (
        whole_number("the number of cells along an axis", each, at_least=2, at_most=MOST_CELLS) for each in value
    )
    return rows, columns


def _moderate(name: str, value: object) -> float:
    """Return a positive number of which products neither overflow nor vanish."""
    return number(name, value, at_least=1.0 / LARGEST, at_most=LARGEST)


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = np.array(array)
    copy.setflags(write=False)
    return copy
