"""Waves against exact solutions, and the symmetries that they have."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.reference.waves.exact import homogeneous_records

SPEED = 2000.0


def uniform(acquisition):
    return torch.full((1, *acquisition.shape), SPEED)


def error(acquisition):
    """The error of the records of a homogeneous medium against the exact ones."""
    exact = torch.from_numpy(homogeneous_records(acquisition, SPEED))
    return float((WaveSolver(acquisition)(uniform(acquisition))[0] - exact).norm() / exact.norm())


def direct(small, scale=1, **changes):
    """An acquisition of one source in the middle and receivers 50 to 120 m away, on a grid ``scale`` times as fine."""
    receivers = [(120.0, 150.0 + x) for x in (50.0, 70.0, 90.0, 120.0)] + [(120.0 + z, 150.0) for z in (50.0, 80.0)]
    values = {
        "shape": (24 * scale, 30 * scale),
        "spacing": 10.0 / scale,
        "time_step": 5e-4 / scale,
        "steps": 400 * scale,
        "sources": [(120.0, 150.0)],
        "receivers": receivers,
    }
    return small(**{**values, **changes})


@pytest.mark.parametrize("offset", [(0.0, 0.0), (3.0, 0.0), (-4.0, 5.0)], ids=["on cells", "off in depth", "off"])
def test_the_wave_of_a_point_source_is_the_exact_one_on_and_off_the_grid(small, offset):
    assert error(direct(small, sources=[(120.0 + offset[0], 150.0 + offset[1])])) < 1e-2


def test_receivers_beside_an_absorbing_side_and_between_cells_record_the_exact_wave(small):
    assert error(direct(small, receivers=[(2.0, 150.0), (4.5, 100.0), (228.0, 150.0), (120.0, 3.0)], steps=500)) < 2e-2


def test_the_error_falls_by_four_when_cells_and_time_steps_are_halved(small):
    """In time for no wave to come back from the sides."""
    receivers = [(250.0, 250.0 + r) for r in (50.0, 70.0, 100.0)]
    middle = {"sources": [(250.0, 250.0)], "receivers": receivers}
    coarse, fine = (
        error(direct(small, k, shape=(50 * k, 50 * k), time_step=1e-3 / k, steps=200 * k, **middle)) for k in (1, 2)
    )
    assert coarse / fine > 3.5


def test_a_free_surface_adds_the_image_of_the_source_with_the_other_sign(small):
    assert error(direct(small, sources=[(43.0, 150.0)], free_surface=True, steps=500)) < 1.5e-2


def test_the_exact_wave_obeys_the_wave_equation_and_arrives_in_time():
    r"""p_tt = v^2 (p_rr + p_r / r) between the source and the end, by differences of second order."""
    h, dt = 2.0, 5e-4
    line = [(0.0, 100.0 + h * k) for k in range(-1, 2)]
    acquisition = Acquisition((80, 80), h, dt, 400, [(0.0, 0.0)], line, 15.0)
    before, here, after = homogeneous_records(acquisition, SPEED)[0].T
    curved = (before - 2 * here + after) / h**2 + (after - before) / (2 * h) / 100.0
    bent = (here[2:] - 2 * here[1:-1] + here[:-2]) / dt**2
    assert np.linalg.norm(bent - SPEED**2 * curved[1:-1]) < 5e-3 * np.linalg.norm(bent)
    assert not here[:99].any() and here[99:].any()  # 0.05 s


def test_the_exact_wave_at_its_source_is_refused(small):
    with pytest.raises(InputError, match="a receiver lies at its source"):
        homogeneous_records(small(receivers=[(10.0, 40.0)]), SPEED)


def test_waves_that_leave_do_not_come_back(small):
    acquisition = small(steps=600, sources=[(110.0, 150.0)])
    records = WaveSolver(acquisition)(uniform(acquisition))
    assert float(records[0, 0, 400:].abs().max()) < 5e-3 * float(records.abs().max())


@pytest.mark.parametrize("free_surface", [False, True])
def test_source_and_receiver_may_be_exchanged_between_any_places(small, rough, apart, free_surface):
    places = [(10.0, 40.0), (83.0, 215.0)]
    there = small(sources=places[:1], receivers=places[1:], free_surface=free_surface)
    back = small(sources=places[1:], receivers=places[:1], free_surface=free_surface)
    velocities = rough(there)
    assert apart(*(WaveSolver(each)(velocities) for each in (there, back))) < 1e-4


def test_the_records_of_mirrored_maps_are_the_mirrored_records(small, rough, apart):
    receivers = [[(10.0, 0.0), (10.0, 33.0)], [(20.0, 50.0), (30.0, 290.0)]]
    for acquisition in (small(), small(receivers=receivers)):
        velocities = rough(acquisition)
        mirrored = WaveSolver(acquisition.flipped())(velocities.flip(-1))
        assert apart(mirrored.flip(1, 3), WaveSolver(acquisition)(velocities)) < 1e-5


@pytest.mark.parametrize("engine", ["numba", "host"])
def test_lengths_and_times_that_are_scaled_alike_change_no_record(small, rough, apart, engine):
    acquisition = small(steps=120)
    velocities = rough(acquisition)
    records = (WaveSolver(each, engine)(velocities) for each in (acquisition.scaled(2.5), acquisition))
    assert apart(*records) < 1e-5


def test_receivers_that_move_with_the_source_record_what_those_at_rest_do(small, rough):
    fixed = small()
    moving = small(receivers=[fixed.receivers, fixed.receivers[::-1]])
    velocities = rough(fixed)
    expected, found = (WaveSolver(each)(velocities) for each in (fixed, moving))
    assert torch.equal(found[:, 0], expected[:, 0]) and torch.equal(found[:, 1], expected[:, 1].flip(-1))
