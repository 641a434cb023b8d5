"""The wave solver against OpenFWI's own scheme, exact solutions, and the algebra of its derivatives."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import torch

from sciml.reference.waves import Acquisition, WaveSolver


def small(**changes):
    """An acquisition of 24 by 30 cells, 2 shots, 5 receivers and 220 steps."""
    values = {
        "shape": (24, 30),
        "spacing": 10.0,
        "time_step": 1e-3,
        "steps": 220,
        "sources": [(10.0, 40.0), (10.0, 200.0)],
        "receivers": [(10.0, x) for x in (0.0, 70.0, 140.0, 210.0, 290.0)],
        "frequency": 15.0,
    }
    return Acquisition(**{**values, **changes})


def maps(acquisition, count=1, seed=0):
    """Velocities of 1600 to 3400 m/s that vary from cell to cell."""
    random = np.random.default_rng(seed)
    return torch.from_numpy(2500.0 + 900.0 * random.uniform(-1, 1, (count, *acquisition.shape)))


def apart(found, expected):
    return float((found.double() - expected.double()).norm() / expected.double().norm())


@pytest.fixture(scope="module")
def genuine(reference_data):
    """Three maps of CurveVel-A."""
    with zipfile.ZipFile(reference_data / "openfwi" / "CurveVelA_train.zip") as file:
        return torch.from_numpy(np.load(io.BytesIO(file.read("vmodel10.npy")))[[0, 217, 465], 0])


def test_records_agree_with_the_scheme_that_made_those_of_openfwi_and_not_if_shifted_by_a_sample(genuine):
    acquisition = Acquisition.openfwi()
    found, expected = (WaveSolver(acquisition, engine)(genuine) for engine in ("numba", "host"))
    assert [apart(*pair) < 4e-3 for pair in zip(found, expected, strict=True)] == [True] * 3
    assert apart(found[:, :, 1:], expected[:, :, :-1]) > 5e-2


def test_the_gradient_is_the_transpose_of_the_linearised_records():
    solver = WaveSolver(small(), precision="double", gradient_interval=1)
    velocities = maps(solver.acquisition).requires_grad_()
    change, weights = torch.randn_like(velocities), torch.randn(1, 2, 220, 5, dtype=torch.float64)
    (slope,) = torch.autograd.grad((solver(velocities) * weights).sum(), velocities)
    with torch.no_grad():
        ahead, behind = (solver(velocities + sign * 1e-2 * change) for sign in (1, -1))
    assert float((slope * change).sum()) == pytest.approx(float(((ahead - behind) * weights).sum() / 2e-2), rel=1e-6)


def test_the_derivative_by_the_wavelet_is_the_transpose_of_sending_it_out():
    solver = WaveSolver(small(), precision="double")
    wavelet = torch.randn(220, dtype=torch.float64, requires_grad=True)
    other, weights = torch.randn_like(wavelet), torch.randn(1, 2, 220, 5, dtype=torch.float64)
    velocities = maps(solver.acquisition)
    (slope,) = torch.autograd.grad((solver(velocities, wavelet) * weights).sum(), wavelet)
    assert float((slope * other).sum()) == pytest.approx(float((solver(velocities, other) * weights).sum()), rel=1e-10)


def test_records_and_gradients_have_the_same_bits_for_any_number_of_threads():
    results = []
    for threads in (1, 2, 5):
        solver = WaveSolver(small(), threads=threads)
        velocities = maps(solver.acquisition, 2).requires_grad_()
        records = solver(velocities)
        (records**2).sum().backward()
        results.append((records.detach(), velocities.grad))
    assert all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))


def test_solves_are_counted_by_halves():
    solver = WaveSolver(small(steps=10))
    velocities = maps(solver.acquisition, 3).requires_grad_()
    with torch.no_grad():
        solver(velocities)
    assert solver.count == 1.5
    solver(velocities).sum().backward()
    assert solver.count == 4.5
