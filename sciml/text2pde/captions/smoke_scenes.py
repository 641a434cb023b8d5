"""The plumes of a field of smoke in words: how large they are, of which form, and where they stand.

>>> import numpy as np
>>> x, y = (np.indices((64, 64)) + 0.5) / 64
>>> scene = describe_smoke(np.exp(-((x - 0.2) ** 2 + (y - 0.2) ** 2) / 0.02), buoyancy=0.3)
>>> scene.plumes
(Plume(size='medium', form='round', row='lower', column='left'),)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sciml.checks import choice, number, real_array
from sciml.errors import InputError

Size = Literal["small", "medium", "large"]
Form = Literal["round", "tall", "wide"]
Row = Literal["lower", "middle", "upper"]
Column = Literal["left", "middle", "right"]
SIZES, FORMS = ("small", "medium", "large"), ("round", "tall", "wide")
ROWS, COLUMNS = ("lower", "middle", "upper"), ("left", "middle", "right")
MEDIUM_FROM, LARGE_FROM, LEAST = 0.04, 0.12, 0.005  # of the area of the box; smaller regions are no plumes
ELONGATED = 1.5  # the ratio of the deviations along the axes from which a plume is tall or wide
SMOOTHING = 1 / 48  # deviation of the Gaussian by which the smoke is smoothed, over the side of the box
THRESHOLD = 0.4  # of the smoothed smoke over its largest value, above which a point belongs to a plume
BUOYANCY_DIGITS = 3


@dataclass(frozen=True)
class Plume:
    """One plume of smoke, of which anything may be left out.

    Parameters
    ----------
    size : by its area
    form : ``tall`` along the buoyancy, ``wide`` across it, or ``round``
    row, column : of its centre of mass in the box, which has three by three parts
    """

    size: Size | None = None
    form: Form | None = None
    row: Row | None = None
    column: Column | None = None

    def __post_init__(self) -> None:
        for name, known in {"size": SIZES, "form": FORMS, "row": ROWS, "column": COLUMNS}.items():
            choice(f"the {name} of a plume", getattr(self, name), (None, *known))

    def mirrored(self) -> Plume:
        """Return the plume in the box with left and right exchanged."""
        return replace(self, column={"left": "right", "right": "left"}.get(self.column, self.column))


@dataclass(frozen=True)
class SmokeScene:
    """Smoke at the begin of a trajectory as a caption describes it.

    Parameters
    ----------
    plumes : in any order; they are kept in one that depends on what they are
    buoyancy : of the smoke; None where a caption does not say it
    """

    plumes: tuple[Plume, ...] = ()
    buoyancy: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "plumes", tuple(sorted(self.plumes, key=_rank)))

    def mirrored(self) -> SmokeScene:
        """Return the scene in the box with left and right exchanged."""
        return replace(self, plumes=tuple(plume.mirrored() for plume in self.plumes))


def describe_smoke(smoke: np.ndarray, buoyancy: float | None = None) -> SmokeScene:
    """Return the plumes of a field of smoke: connected regions above 0.4 of its largest value after smoothing.

    Parameters
    ----------
    smoke : at the centres of the cells of a square box, (cells along x, cells along y), y along the buoyancy
    buoyancy : of the smoke; it is rounded to three digits after the point

    Raises
    ------
    InputError
        If there is no smoke.
    """
    from scipy.ndimage import gaussian_filter, label

    values = real_array("the smoke", smoke, shape=("cells along x", "cells along y"))
    smooth = gaussian_filter(values, SMOOTHING * np.array(values.shape), mode="nearest")
    if not smooth.size or smooth.max() <= 0.0:
        raise InputError("the smoke is zero everywhere or negative, expected some.")
    regions, count = label(smooth > THRESHOLD * smooth.max())
    x, y = np.meshgrid(*((np.arange(cells) + 0.5) / cells for cells in values.shape), indexing="ij")
    plumes = [_plume(regions == index, smooth, x, y) for index in range(1, count + 1)]
    rounded = None if buoyancy is None else round(number("the buoyancy", buoyancy), BUOYANCY_DIGITS)
    return SmokeScene(tuple(plume for plume in plumes if plume is not None), rounded)


def _plume(inside: np.ndarray, smoke: np.ndarray, x: np.ndarray, y: np.ndarray) -> Plume | None:
    """Return the plume of a region; None if it is too small for one."""
    area = inside.mean()
    if area < LEAST:
        return None
    mass = smoke[inside] / smoke[inside].sum()
    centre = [float(mass @ axis[inside]) for axis in (x, y)]
    spread = [float(np.sqrt(mass @ np.square(axis[inside] - at))) for axis, at in zip((x, y), centre, strict=True)]
    ratio = spread[1] / max(spread[0], np.finfo(float).tiny)
    return Plume(
        SIZES[int(area >= MEDIUM_FROM) + int(area >= LARGE_FROM)],
        "tall" if ratio >= ELONGATED else "wide" if ratio <= 1 / ELONGATED else "round",
        ROWS[min(int(3 * centre[1]), 2)],
        COLUMNS[min(int(3 * centre[0]), 2)],
    )


def _rank(plume: Plume) -> tuple[int, ...]:
    """Return a plume's place among others: the large ones first."""
    pairs = ((plume.size, SIZES[::-1]), (plume.form, FORMS), (plume.row, ROWS), (plume.column, COLUMNS))
    return tuple(known.index(value) if value is not None else len(known) for value, known in pairs)
