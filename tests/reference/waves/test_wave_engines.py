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


def test_without_the_extra_deepwave_is_refused_with_what_to_install(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepwave", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sciml\[seismic\]'"):
        WaveSolver(small(), "deepwave")
