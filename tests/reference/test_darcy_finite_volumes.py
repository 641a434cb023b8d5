"""Finite volumes for Darcy flow with given pressures: of second order, and exact where the pressure is linear."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.darcy_finite_volumes import finite_volumes

LOWER, UPPER = (0.0, -1.0), (2.0, 0.5)


def pressure(points: np.ndarray) -> np.ndarray:
    return np.exp(points[..., 0]) * np.cos(points[..., 1])


def permeability(points: np.ndarray) -> np.ndarray:
    return np.exp(points[..., 0])


def source(points: np.ndarray) -> np.ndarray:
    # p is harmonic, so that -div(k grad p) = -dk/dx dp/dx
    return -permeability(points) * pressure(points)


def test_errors_fall_at_second_order():
    errors = []
    for cells in (16, 32, 64):
        centres, found = finite_volumes(permeability, source, pressure, LOWER, UPPER, cells)
        errors.append(np.abs(found - pressure(centres)).max())
    assert errors[0] < 0.05
    assert 3.5 < errors[0] / errors[1] < 4.5 and 3.5 < errors[1] / errors[2] < 4.5


def test_linear_pressures_are_exact():
    def plane(points: np.ndarray) -> np.ndarray:
        return 3 - points[:, 0] + 2 * points[:, 1]

    none, one = (lambda points, value=value: np.full(len(points), value) for value in (0.0, 1.0))
    centres, found = finite_volumes(one, none, plane, LOWER, UPPER, 7)
    assert np.allclose(found, plane(centres.reshape(-1, 2)).reshape(7, 7), atol=1e-12)


def test_functions_of_another_shape_are_refused():
    with pytest.raises(InputError, match="the shape of the source is"):
        finite_volumes(permeability, lambda points: points, pressure, LOWER, UPPER, 4)
