"""The derivatives of the wave solver, its bits, counts and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.reference.waves import Acquisition, WaveSolver, numba_engine, unrecorded
from sciml.reference.waves.workers import run_flushed

OFF_GRID = {"sources": [(13.0, 44.0), (10.0, 200.0)], "receivers": [(7.0, 71.0), (10.0, 140.0), (52.0, 287.0)]}


@pytest.mark.parametrize("changes", [{}, {"free_surface": True, **OFF_GRID}], ids=["plain", "free surface, off grid"])
def test_the_gradient_is_the_transpose_of_the_linearised_records(small, rough, changes):
    solver = WaveSolver(small(**changes), precision="double", gradient_interval=1)
    velocities = rough(solver.acquisition).requires_grad_()
    change, weights = torch.randn_like(velocities), torch.randn(1, *solver.acquisition.record_shape).double()
    (slope,) = torch.autograd.grad((solver(velocities) * weights).sum(), velocities)
    with torch.no_grad():
        ahead, behind = (solver(velocities + sign * 1e-2 * change) for sign in (1, -1))
    assert float((slope * change).sum()) == pytest.approx(float(((ahead - behind) * weights).sum() / 2e-2), rel=1e-6)


def test_derivatives_agree_with_differences_entry_by_entry():
    places = {"sources": [(10.0, 20.0)], "receivers": [(10.0, 40.0), (23.0, 7.0)]}
    acquisition = Acquisition(shape=(5, 6), spacing=10.0, time_step=1e-3, steps=70, frequency=25.0, **places)
    solver = WaveSolver(acquisition, precision="double", gradient_interval=1)
    velocities = (2000.0 + 30.0 * torch.arange(30.0, dtype=torch.float64).reshape(1, 5, 6)).requires_grad_()
    wavelet = torch.tensor(acquisition.wavelet, requires_grad=True)
    half = slice(30, 70)  # before, nothing has arrived
    assert torch.autograd.gradcheck(
        lambda v, s: 1e3 * solver(v, s)[:, :, half],
        (velocities, wavelet),
        eps=1e-3,
        atol=1e-6,
        rtol=1e-5,
        fast_mode=True,
    )


def test_the_remainder_of_the_linearised_misfit_falls_by_four_per_halving(small, rough):
    solver = WaveSolver(small(), precision="double", gradient_interval=1)
    velocities = rough(solver.acquisition).requires_grad_()
    change = 20.0 * torch.randn_like(velocities)
    value = (solver(velocities) ** 2).sum()
    (slope,) = torch.autograd.grad(value, velocities)
    with torch.no_grad():
        remainders = [
            float((solver(velocities + h * change) ** 2).sum() - value - h * (slope * change).sum()) for h in (0.2, 0.1)
        ]
    assert math.log2(remainders[0] / remainders[1]) == pytest.approx(2.0, abs=0.1)


def test_the_gradient_in_single_precision_at_every_fifth_step_is_that_of_the_discrete_records(small, rough, apart):
    """With the default, fields are kept every fifth step: enough for waves of this band."""
    acquisition = small(steps=400)
    velocities = rough(acquisition)
    target = WaveSolver(acquisition)(velocities.mean((1, 2), keepdim=True).expand_as(velocities)).double()
    gradients = []
    for options in ({}, {"precision": "double", "gradient_interval": 1}):
        trial = velocities.clone().requires_grad_()
        ((WaveSolver(acquisition, **options)(trial) - target) ** 2).sum().backward()
        gradients.append(trial.grad)
    assert WaveSolver(acquisition).gradient_interval == 5 and apart(*gradients) < 1e-4


def test_the_derivative_by_the_wavelet_is_the_transpose_of_sending_it_out(small, rough):
    solver = WaveSolver(small(), precision="double")
    wavelet = torch.randn(220, dtype=torch.float64, requires_grad=True)
    other, weights = torch.randn_like(wavelet), torch.randn(1, 2, 220, 5, dtype=torch.float64)
    velocities = rough(solver.acquisition)
    (slope,) = torch.autograd.grad((solver(velocities, wavelet) * weights).sum(), wavelet)
    assert float((slope * other).sum()) == pytest.approx(float((solver(velocities, other) * weights).sum()), rel=1e-10)


def _records_and_gradient(solver, velocities):
    velocities = velocities.clone().requires_grad_()
    records = solver(velocities)
    (records**2).sum().backward()
    return records.detach(), velocities.grad


def test_records_and_gradients_have_the_same_bits_for_any_number_of_threads(small, rough):
    acquisition = small()
    first, *others = (
        _records_and_gradient(WaveSolver(acquisition, threads=threads), rough(acquisition, 2)) for threads in (1, 2, 5)
    )
    assert all(torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


def test_fields_that_memory_cannot_keep_are_computed_again_to_the_same_bits(small, rough, monkeypatch):
    solver = WaveSolver(small())
    expected = _records_and_gradient(solver, rough(solver.acquisition))
    monkeypatch.setattr(numba_engine, "MOST_KEPT", 0)
    found = _records_and_gradient(solver, rough(solver.acquisition))
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_the_records_of_several_maps_are_those_of_each(small, rough):
    solver = WaveSolver(small(steps=60))
    velocities = rough(solver.acquisition, 3)
    assert torch.equal(solver(velocities), torch.cat([solver(each[None]) for each in velocities]))
    assert solver(velocities[:0]).shape == (0, 2, 60, 5)


def test_solves_are_counted_by_halves(small, rough):
    solver = WaveSolver(small(steps=10))
    velocities = rough(solver.acquisition, 3).requires_grad_()
    with torch.no_grad():
        solver(velocities)
    assert solver.count == 1.5
    solver(velocities).sum().backward()
    assert solver.count == 4.5


def test_subnormal_numbers_are_flushed_in_the_solver_s_threads_and_nowhere_else():
    tiny = np.float32(1e-38)
    if list(run_flushed(lambda: float(tiny * np.float32(0.1)), [()], 1)) != [0.0]:
        pytest.skip("this processor keeps subnormal numbers")
    assert float(tiny * np.float32(0.1)) > 0.0


@pytest.mark.parametrize(
    ("velocity", "words"),
    [
        (3.0, "velocity map 1 has velocities from 2.5 to 3, expected metres per second; these look like km/s"),
        (float("nan"), "velocity map 1 has velocities from nan to nan"),
        (-1.0, "velocity map 1 has velocities from -1 to"),
        (7000.0, r"velocity map 1 reaches 7000 m/s.* is 0.7, expected at most 0.6 .* at most 0.000857 s"),
        (200.0, "velocity map 1 is as slow as 200 m/s, for which a wave of 37.5 Hz has 0.53 cells per wavelength"),
    ],
)
def test_velocities_that_the_grid_cannot_carry_are_refused_by_the_number_of_the_map(small, velocity, words):
    velocities = torch.full((2, 24, 30), 2500.0)
    velocities[1] = 2.5 if velocity == 3.0 else 2500.0
    velocities[1, 3, 4] = velocity
    with pytest.raises(InputError, match=words):
        WaveSolver(small())(velocities)


@pytest.mark.parametrize(
    ("velocities", "words"),
    [
        (torch.full((1, 1, 24, 30), 2500.0), r"the velocity maps is \(1, 1, 24, 30\)"),
        (torch.full((1, 30, 24), 2500.0), "depth first"),
        (torch.full((1, 24, 30), 2500), "floating-point"),
        (torch.full((1, 24, 30), 2500.0, device="meta"), "on the device meta, expected the CPU"),
    ],
)
def test_tensors_of_another_kind_are_refused(small, velocities, words, monkeypatch):
    monkeypatch.setattr(
        "sciml.reference.waves.solver.check_velocities", lambda *each: each
    ) if velocities.is_meta else None
    with pytest.raises(InputError, match=words):
        WaveSolver(small())(velocities)


def test_an_engine_that_is_not_there_is_refused(small):
    with pytest.raises(InputError, match="'nunba', expected one of numba, host, deepwave; did you mean 'numba'"):
        WaveSolver(small(), "nunba")


def test_a_record_too_short_for_the_depth_leaves_out_its_share(small):
    """Down and up 100 m at 2000 m/s take 0.1 s, after the wavelet's peak at 0.073 s."""
    velocities = torch.full((1, 24, 30), 2000.0)
    assert unrecorded(velocities, small(steps=400)) == 0.0
    assert unrecorded(velocities, small(steps=174)) == pytest.approx(12 / 24)  # from below 110 m
