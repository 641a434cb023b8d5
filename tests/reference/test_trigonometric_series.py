"""Trigonometric series: derivatives, antiderivatives, extremes, interpolation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch.func import grad, vmap

from sciml.errors import InputError
from sciml.reference.trigonometric_series import TrigonometricSeries

SERIES = TrigonometricSeries(0.4, cosines=(0.3, -0.2, 0.0, 0.1), sines=(1.0, 0.5), period=3.0)
X = np.linspace(-4.0, 7.0, 57)


def test_the_series_is_the_sum_of_its_waves() -> None:
    w = 2 * np.pi / 3.0
    expected = 0.4 + 0.3 * np.cos(w * X) - 0.2 * np.cos(2 * w * X) + 0.1 * np.cos(4 * w * X)
    expected += np.sin(w * X) + 0.5 * np.sin(2 * w * X)
    assert np.abs(SERIES(X) - expected).max() < 1e-14


def test_derivatives_agree_with_automatic_differentiation() -> None:
    x = torch.from_numpy(X)
    for function, derivative in (
        (SERIES, SERIES.slope),
        (SERIES.slope, SERIES.curvature),
        (SERIES.antiderivative, SERIES),
    ):
        assert (vmap(grad(function))(x) - derivative(x)).abs().max() < 1e-12


def test_the_antiderivative_gives_integrals_and_grows_by_the_mean() -> None:
    integral, _ = quad(lambda x: float(SERIES(np.array(x))), -1.0, 2.5, epsabs=1e-12)
    assert SERIES.antiderivative(np.array(2.5)) - SERIES.antiderivative(np.array(-1.0)) == pytest.approx(integral)
    assert np.abs(SERIES.antiderivative(X + 3.0) - SERIES.antiderivative(X) - 1.2).max() < 1e-14


def test_the_extremes_bound_the_values_and_are_taken() -> None:
    low, high = SERIES.extremes
    values = SERIES(np.linspace(0, 3, 100001))
    assert 0 <= values.min() - low < 1e-8 and 0 <= high - values.max() < 1e-8
    assert TrigonometricSeries(50.0, sines=(2.0,)).extremes == (48.0, 52.0)
    assert TrigonometricSeries(7.0).extremes == (7.0, 7.0)


def test_interpolation_of_an_analytic_function_converges_exponentially() -> None:
    def bump(x):
        return np.exp(-10 * np.sin(x / 2) ** 2)

    x = np.linspace(0, 7, 1001)
    errors = [np.abs(TrigonometricSeries.interpolating(bump, 2 * np.pi, n)(x) - bump(x)).max() for n in (5, 10, 20, 40)]
    assert errors[0] > 1e3 * errors[1] ** 1.5 and errors[2] < 1e-8 and errors[3] < 1e-14


def test_what_makes_no_sense_is_refused() -> None:
    for arguments in ({"period": 0.0}, {"period": np.inf}, {"mean": np.nan}, {"sines": (1.0, np.inf)}):
        with pytest.raises(InputError):
            TrigonometricSeries(**arguments)
    for function, waves in ((np.sin, 0), (lambda x: 1.0, 3), (lambda x: x + np.nan, 3)):
        with pytest.raises(InputError):
            TrigonometricSeries.interpolating(function, 1.0, waves)
