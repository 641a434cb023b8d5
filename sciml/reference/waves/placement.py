"""Sources and receivers between the cells of a map: weights of cells, the same for sending out and for recording.

On a cell centre a position has that cell alone. Elsewhere it has 8 cells along the axis, weighted by a sinc under
Kaiser's window: the adjoint of interpolation is injection, so that source and receiver may be exchanged. Bilinear
weights would err by 5 % at ten cells per wavelength, these by 0.1 %.

Reference: Hicks, Geophysics 67 (2002) 156.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sciml.reference.waves.acquisition import Acquisition

RADIUS = 4  # cells
KAISER = 6.31  # shape of the window: the best for up to half of the largest wave number at this radius (Hicks, table 1)
ON_CENTRE = 1e-6  # cells


@dataclass(frozen=True, eq=False)
class Placed:
    """The weighted cells that stand for positions in a map.

    Parameters
    ----------
    rows, columns : (..., taps), of cells in the map or beside it
    weights : (..., taps)
    """

    rows: np.ndarray
    columns: np.ndarray
    weights: np.ndarray

    def overhang(self, shape: tuple[int, int], free_surface: bool) -> int:
        """Return by how many cells they reach beyond the sides of a map that absorb."""
        rows, columns = shape
        above = 0 if free_surface else -self.rows.min()
        return int(max(0, above, self.rows.max() + 1 - rows, -self.columns.min(), self.columns.max() + 1 - columns))


def place(positions: np.ndarray, acquisition: Acquisition) -> Placed:
    """Return positions (..., 2) of an acquisition as cells.

    Above a free surface the pressure is that below with the other sign, so that cells there stand for those below.
    """
    (rows, down), (columns, across) = (_along(positions[..., axis] / acquisition.spacing) for axis in range(2))
    if acquisition.free_surface:
        down = down * np.sign(rows)
        rows = np.abs(rows)
    taps = (*positions.shape[:-1], -1)
    grid = np.broadcast_shapes(rows[..., :, None].shape, columns[..., None, :].shape)
    return Placed(
        np.broadcast_to(rows[..., :, None], grid).reshape(taps),
        np.broadcast_to(columns[..., None, :], grid).reshape(taps),
        (down[..., :, None] * across[..., None, :]).reshape(taps),
    )


def _along(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells (..., taps) and weights of places (...) along an axis, in cells; one tap if that suffices."""
    nearest = np.round(places)
    if (np.abs(places - nearest) < ON_CENTRE).all():
        return nearest.astype(np.int64)[..., None], np.ones((*places.shape, 1))
    places = np.where(np.abs(places - nearest) < ON_CENTRE, nearest, places)
    cells = np.floor(places).astype(np.int64)[..., None] + np.arange(1 - RADIUS, 1 + RADIUS)
    distances = places[..., None] - cells
    window = np.i0(KAISER * np.sqrt(np.maximum(0.0, 1.0 - (distances / RADIUS) ** 2))) / np.i0(KAISER)
    return cells, np.sinc(distances) * window
