"""Spectra by bands: Parseval's identity, single waves, and walls."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.metrics import spectrum_bands


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("grid", [(17,), (12, 20), (6, 7, 8)])
def test_the_energies_sum_to_the_variance_over_space(grid, periodic):
    u = np.random.default_rng(0).standard_normal((3, *grid)) + 5.0
    found = spectrum_bands(u, dimensions=len(grid), periodic=periodic)
    assert found.energy.shape == (3, 4)
    assert found.energy.sum(-1) == pytest.approx(u.reshape(3, -1).var(1), rel=1e-12)


@pytest.mark.parametrize(("waves", "band"), [((1, 0), 0), ((0, 6), 2), ((10, 3), 3)])
def test_a_plane_wave_has_half_its_squared_amplitude_in_the_band_of_its_length(waves, band):
    x, y = np.meshgrid(*(np.arange(32) / 32,) * 2, indexing="ij")
    u = 3.0 * np.sin(2 * np.pi * (waves[0] * x + waves[1] * y))
    found = spectrum_bands(u)
    length = np.hypot(*waves) / 32
    assert found.edges[band] <= length * (1 + 1e-12) and length <= found.edges[band + 1]
    expected = np.zeros(4)
    expected[band] = 4.5
    assert found.energy == pytest.approx(expected, abs=1e-12)


def test_a_cosine_between_walls_is_one_mode_and_leaks_only_in_a_periodic_box():
    x = (np.arange(64) + 0.5) / 64
    u = np.cos(np.pi * x)  # half a wave: its periodic continuation jumps
    walls = spectrum_bands(u, dimensions=1, periodic=False)
    assert walls.energy == pytest.approx([0.5, 0, 0, 0], abs=1e-12)
    assert walls.edges[[0, -1]] == pytest.approx([1 / 128, 63 / 128])
    assert spectrum_bands(u, dimensions=1).energy[-1] > 1e-3


@pytest.mark.parametrize(("shape", "dimensions"), [((8,), 2), ((8, 1), 2)])
def test_a_grid_without_waves_is_refused(shape, dimensions):
    with pytest.raises(InputError, match="at least 2 cells"):
        spectrum_bands(np.zeros(shape), dimensions=dimensions)
