"""The engines against each other, and the host's against a plain transcription of its scheme."""

from __future__ import annotations

import io
import math
import sys
import zipfile

import numpy as np
import pytest
import torch

from sciml.errors import InputError, MissingExtraError
from sciml.reference.waves import Acquisition, WaveSolver


@pytest.fixture(scope="module")
def genuine(reference_data):
    """Three maps of CurveVel-A."""
    with zipfile.ZipFile(reference_data / "openfwi" / "CurveVelA_train.zip") as file:
        return torch.from_numpy(np.load(io.BytesIO(file.read("vmodel10.npy")))[[0, 217, 465], 0])


def test_records_agree_with_the_scheme_that_made_those_of_openfwi_and_not_if_shifted_by_a_sample(genuine, apart):
    acquisition = Acquisition.openfwi()
    found, expected = (WaveSolver(acquisition, engine)(genuine) for engine in ("numba", "host"))
    assert max(apart(*pair) for pair in zip(found, expected, strict=True)) < 4e-3
    assert apart(found[:, :, 1:], expected[:, :, :-1]) > 5e-2


def _plain_host(velocity, acquisition, shot, sponge=120):
    """The scheme of ``a2d_mod_abc24`` in NumPy with periodic shifts."""
    h, dt = acquisition.spacing, acquisition.time_step
    v = np.pad(velocity, sponge, mode="edge")
    depth = (sponge - 1) * h
    profile = 3.0 * velocity.min() * math.log(1e7) / (2.0 * depth) * (np.arange(sponge) * h / depth) ** 2
    damping = np.zeros_like(v)
    damping[:sponge, sponge:-sponge], damping[-sponge:, sponge:-sponge] = profile[::-1, None], profile[:, None]
    damping[:, :sponge], damping[:, -sponge:] = profile[::-1], profile
    alpha, kappa = (v * dt / h) ** 2, damping * dt
    p0, p1 = np.zeros_like(v), np.zeros_like(v)
    row, column = (acquisition.sources[shot] / h).astype(int) + sponge
    rows, columns = ((acquisition.receivers / h).astype(int) + sponge).T
    record = []
    for value in acquisition.wavelet:
        one, two = (sum(np.roll(p1, sign * step, axis) for axis in (0, 1) for sign in (1, -1)) for step in (1, 2))
        p = (2 - 5 * alpha - kappa) * p1 - (1 - kappa) * p0 + alpha * (4 / 3 * one - two / 12)
        p[row, column] += (v[row, column] * dt) ** 2 * value
        record.append(p[rows, columns])
        p0, p1 = p1, p
    return torch.from_numpy(np.array(record))


def test_the_host_engine_is_the_published_scheme_step_by_step(small, rough, apart):
    acquisition = small(steps=150)
    velocities = rough(acquisition)
    found = WaveSolver(acquisition, "host", precision="double")(velocities)[0, 1]
    assert apart(found, _plain_host(velocities[0].numpy(), acquisition, 1)) < 1e-12


def test_the_host_engine_has_no_derivatives_and_no_free_surface(small, rough):
    acquisition = small(steps=5)
    with pytest.raises(InputError, match="makes data and has no derivatives"):
        WaveSolver(acquisition, "host")(rough(acquisition).requires_grad_())
    with pytest.raises(InputError, match="no free surface"):
        WaveSolver(small(free_surface=True), "host")


@pytest.mark.parametrize(
    ("places", "limit"),
    [({}, 1e-2), ({"sources": [(13.0, 44.0), (10.0, 200.0)], "receivers": [(7.0, 71.0), (8.0, 73.0)]}, 3e-2)],
    ids=["on cells", "between cells"],
)
def test_deepwave_computes_nearly_the_same_records_and_gradients(small, apart, places, limit):
    """Its absorbing layers are others, and let other low frequencies through."""
    pytest.importorskip("deepwave", reason="the extra seismic is not installed")
    acquisition = small(steps=400, **places)
    depth = torch.linspace(0.0, 1.0, 24)[:, None] * torch.ones(1, 24, 30)
    results = []
    for engine in ("numba", "deepwave"):
        velocities = (2000.0 + 1000.0 * depth).requires_grad_()
        records = WaveSolver(acquisition, engine)(velocities)
        (records**2).sum().backward()
        results.append((records.detach(), velocities.grad))
    (ours, gradient), (theirs, other) = results
    assert apart(theirs, ours) < limit < 5e-2 < apart(theirs[:, :, 1:], ours[:, :, :-1])
    assert apart(other, gradient) < 3 * limit


class Recorded:
    """A stand-in for deepwave whose samples are their numbers, on the device of the maps; it keeps what it is given."""

    def scalar(self, velocities, spacing, step, **given):
        self.velocities, self.given = velocities, given
        shots, _, samples = given["source_amplitudes"].shape
        receivers = given["receiver_locations"].shape[1]
        numbers = torch.arange(samples, dtype=velocities.dtype, device=velocities.device)
        return velocities, numbers.expand(shots, receivers, samples)


def test_deepwave_gets_one_shot_of_each_map_after_the_other_and_its_second_sample_is_our_first(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepwave", stand_in := Recorded())
    acquisition = small(steps=21)
    solver = WaveSolver(acquisition, "deepwave", gradient_interval=5)
    velocities = torch.stack([torch.full((24, 30), 2000.0), torch.full((24, 30), 4800.0)])
    records = solver(velocities)
    assert records.shape == (2, 2, 21, 5)
    assert torch.equal(records, torch.arange(1.0, 22.0)[:, None].expand_as(records))
    given = stand_in.given
    assert stand_in.velocities.amax((1, 2)).tolist() == [2000.0, 2000.0, 4800.0, 4800.0] and given["max_vel"] == 5000.0
    # As many samples as the least multiple of the interval above ours.
    expected = torch.cat([-torch.tensor(acquisition.wavelet, dtype=torch.float32), torch.zeros(4)])
    assert torch.equal(given["source_amplitudes"], expected.expand(4, 1, 25))
    assert given["source_locations"][:, 0].tolist() == [[1.0, 4.0], [1.0, 20.0]] * 2


def test_deepwave_gets_all_tensors_on_the_device_of_the_maps(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepwave", stand_in := Recorded())
    monkeypatch.setattr("sciml.reference.waves.deepwave_engine.layer_speed", lambda velocities: 4500.0)
    acquisition, there = small(steps=21), torch.device("meta")  # which holds no numbers
    engine = WaveSolver(acquisition, "deepwave").engine
    records = engine(torch.empty(3, 24, 30, device=there), torch.tensor(acquisition.wavelet))
    tensors = [each for each in stand_in.given.values() if isinstance(each, torch.Tensor)]
    assert len(tensors) == 3 and {each.device for each in (records, stand_in.velocities, *tensors)} == {there}
    kept = engine.places(there)
    engine(torch.empty(3, 24, 30, device=there), torch.tensor(acquisition.wavelet))
    assert engine.places(there) is kept  # copied once


def test_without_the_extra_deepwave_is_refused_with_what_to_install(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepwave", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sciml\[seismic\]'"):
        WaveSolver(small(), "deepwave")
