"""Records of lines in files, predicted by a network that is replaced, and refined with the wave equation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.errors import DataFormatError, InputError
from sciml.gfi.observed import read_observed
from sciml.gfi.predicting import Network, Requests, predict_maps
from sciml.mesh import read_mesh
from sciml.reference.waves import Acquisition, WaveSolver

CELLS = 24


def acquisition() -> Acquisition:
    across = 10.0 * np.arange(CELLS)
    return Acquisition(
        shape=(CELLS, CELLS),
        spacing=10.0,
        time_step=1e-3,
        steps=260,
        sources=np.array([[10.0, 0.0], [10.0, 110.0], [10.0, 230.0]]),
        receivers=np.stack([np.full(CELLS, 10.0), across], 1),
        frequency=15.0,
    )


def truth() -> np.ndarray:
    """Return a map of two layers."""
    return np.where(np.arange(CELLS)[:, None] < 10, 2000.0, 2500.0) + np.zeros(CELLS)


def recorded(made: Acquisition, velocity: np.ndarray | None = None) -> np.ndarray:
    velocity = truth() if velocity is None else velocity
    with torch.no_grad():
        return WaveSolver(made)(torch.from_numpy(velocity)[None])[0].numpy()


class Guess:
    """A network whose maps are one map plus 10 m/s times the mean energy of the records, relative to the training's."""

    def __init__(self, velocity: np.ndarray, energy: float) -> None:
        self.velocity, self.energy, self.given = torch.from_numpy(velocity), energy, []

    def __call__(self, records: Tensor) -> Tensor:
        self.given.append(records)
        return self.velocity + 10.0 * records.square().mean((1, 2, 3), keepdim=True) / self.energy


def network(velocity: np.ndarray | float = 2200.0) -> Network:
    records = recorded(acquisition())
    guess = Guess(np.zeros((CELLS, CELLS)) + velocity, float(np.square(records).mean()))
    return Network(guess, acquisition(), float(records.std()))


def predicted(given: Network, folder: Path, requests: Requests | None = None, source: str = "shots.npy") -> tuple:
    numbers = predict_maps(given, folder / source, folder / "map.npy", requests or Requests())
    return np.load(folder / "map.npy"), numbers


def write(folder: Path, records: np.ndarray, made: Acquisition) -> Requests:
    np.save(folder / "line.npy", records)
    (folder / "line.json").write_text(json.dumps(made.as_dict()))
    return Requests(geometry=folder / "line.json")


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_a_scaled_acquisition_gives_the_same_map(tmp_path: Path, factor: float) -> None:
    np.save(tmp_path / "shots.npy", recorded(acquisition()))
    expected, _ = predicted(network(), tmp_path)
    made = acquisition().scaled(factor)
    given = network()
    found, numbers = predicted(given, tmp_path, write(tmp_path, recorded(made), made), "line.npy")
    assert numbers["length_factor"] == pytest.approx(factor) and numbers["gain"] == 1
    assert np.allclose(found, expected, rtol=1e-6)
    assert torch.allclose(given.inverse.given[0], torch.from_numpy(recorded(acquisition()))[None], atol=1e-4)


def test_records_in_another_unit_give_the_same_map_and_their_wavelet_is_not_taken_as_known(tmp_path: Path) -> None:
    records = recorded(acquisition())
    np.save(tmp_path / "shots.npy", records)
    expected, numbers = predicted(network(), tmp_path)
    assert numbers["gain"] == 1
    np.save(tmp_path / "counts.npy", np.stack([3e4 * records] * 2))
    found, numbers = predicted(network(), tmp_path, source="counts.npy")
    assert np.allclose(found, expected, rtol=1e-6) and numbers["gain"] == pytest.approx(1 / 3e4, rel=1e-3)
    assert not read_observed(tmp_path / "counts.npy", None, acquisition(), float(records.std())).wavelet_is_known
    np.save(tmp_path / "faint.npy", 1e-30 * records)
    assert np.allclose(predicted(network(), tmp_path, source="faint.npy")[0], expected, rtol=1e-6)
    np.save(tmp_path / "half.npy", records.astype(np.float16))
    assert np.allclose(predicted(network(), tmp_path, source="half.npy")[0], expected, rtol=1e-3)
    for name, values, words in (
        ("vast", records.astype(np.float64) * 1e200, "in another unit"),
        ("complex", records * 1j, "complex"),
        ("broken", np.where(records == records.max(), np.inf, records), "not finite"),
    ):
        np.save(tmp_path / f"{name}.npy", values)
        with pytest.raises(DataFormatError, match=rf"{name}\.npy.*{words}"):
            predicted(network(), tmp_path, source=f"{name}.npy")
    np.save(tmp_path / "negative.npy", -records)
    found, numbers = predicted(network(), tmp_path, source="negative.npy")
    assert np.allclose(found, expected, rtol=1e-6) and numbers["gain"] == -1
    np.save(tmp_path / "silent.npy", 0 * records)
    with pytest.raises(InputError, match=r"silent\.npy: a shot has 0 living traces of 24"):
        predicted(network(), tmp_path, source="silent.npy")


def test_twice_as_many_receivers_and_half_the_time_step_give_the_same_records(tmp_path: Path) -> None:
    coarse = acquisition()
    across = np.arange(0.0, 230.1, 5.0)
    made = replace(
        coarse,
        receivers=np.stack([np.full(len(across), 10.0), across], 1),
        time_step=5e-4,
        steps=520,
        wavelet=np.interp(np.arange(520) / 2, np.arange(260), coarse.wavelet),
    )
    given = network()
    predicted(given, tmp_path, write(tmp_path, recorded(made), made), "line.npy")
    expected = recorded(coarse)
    # The time steps of the solver, which differ, account for most of it.
    assert np.linalg.norm(given.inverse.given[0][0].numpy() - expected) < 0.05 * np.linalg.norm(expected)


def test_noise_and_dead_traces_are_mended_for_the_network_and_not_for_the_refinement(tmp_path: Path) -> None:
    records = recorded(acquisition())
    noise = 0.3 * records.std() * np.random.default_rng(0).standard_normal(records.shape).astype(np.float32)
    share = float(np.linalg.norm(noise) / np.linalg.norm(records + noise))
    broken = np.stack([records, records + noise])
    broken[1, :, :, [7, 12]] = 0.0
    np.save(tmp_path / "shots.npy", broken)
    given = network()
    _, numbers = predicted(given, tmp_path, Requests(noise=share))
    assert numbers["interpolated"] == 6
    seen = given.inverse.given[0][1].numpy()
    assert np.linalg.norm(seen - records) < 0.7 * np.linalg.norm(noise) and (seen[:, :, 7] != 0).any()
    observed = read_observed(tmp_path / "shots.npy", None, acquisition(), float(records.std()), share)
    assert np.array_equal(observed.records, broken) and observed.wavelet_is_known
    np.save(tmp_path / "whole.npy", records)
    assert "interpolated" not in predicted(network(), tmp_path, source="whole.npy")[1]


def test_traces_of_zeros_are_left_out_of_a_refinement_as_if_a_mask_said_so(tmp_path: Path) -> None:
    records = recorded(acquisition())
    broken = np.stack([records, records])
    broken[1, :, :, [7, 12]] = 0.0
    np.save(tmp_path / "shots.npy", broken)
    kept = Network(lambda given: torch.from_numpy(truth()).expand(len(given), 1, CELLS, CELLS), acquisition(), 1.0)
    alive = np.ones((3, CELLS), bool)
    alive[:, [7, 12]] = False
    observed = read_observed(tmp_path / "shots.npy", None, acquisition(), float(records.std()))
    assert observed.acquisition_of(0).mask is None and np.array_equal(observed.acquisition_of(1).mask, alive)
    # The records of the true map are those observed, which zeros under no mask would contradict.
    assert predicted(kept, tmp_path, Requests(solves=7))[1]["start_misfit"] < 1e-4
    made = acquisition()
    line = write(tmp_path, broken[1], made)
    start = Network(lambda given: torch.from_numpy(truth() + 60.0)[None, None], made, float(records.std()))
    zeros = predicted(start, tmp_path, replace(line, solves=7), "line.npy")
    masked = predicted(
        start, tmp_path, replace(write(tmp_path, broken[1], replace(made, mask=alive)), solves=7), "line.npy"
    )
    assert np.array_equal(zeros[0], masked[0]) and zeros[1] == masked[1] and zeros[1]["interpolated"] == 6


def test_a_refined_map_fits_better_than_its_start_and_is_nearer_to_the_truth(tmp_path: Path) -> None:
    start = truth() + 100.0 * np.sin(np.arange(CELLS) / 4)[:, None]
    made = acquisition().scaled(2.0)
    write(tmp_path, 1e3 * recorded(made), made)
    requests = Requests(10, 0.01, tmp_path / "line.json", tmp_path / "map.png")
    numbers = predict_maps(network(start), tmp_path / "line.npy", tmp_path / "map.vtu", requests)
    assert numbers["misfit"] < numbers["start_misfit"] and numbers["gain"] < 1e-2
    assert {"solves", "unseen", "at_limit", "stalled"} <= set(numbers)
    mesh, fields = read_mesh(tmp_path / "map.vtu")
    maps = {each.name: each.values for each in fields}
    rows = np.round(-mesh.points[:, 1] / 20.0).astype(int)
    errors = {name: np.abs(maps[name] - truth()[rows, 0]).mean() for name in ("start", "velocity")}
    assert errors["velocity"] < errors["start"] and maps["illumination"].min() >= 0
    assert mesh.points[:, 0].max() == pytest.approx(460.0)
    assert (tmp_path / "map.png").read_bytes()[1:4] == b"PNG"


def test_a_start_that_fits_already_comes_back(tmp_path: Path) -> None:
    np.save(tmp_path / "shots.npy", recorded(acquisition()))
    given = Network(lambda records: torch.from_numpy(truth())[None, None], acquisition(), 1.0)
    found, numbers = predicted(given, tmp_path, Requests(solves=7))
    assert np.abs(found - truth()).max() < 1.0 and numbers["misfit"] <= numbers["start_misfit"]


def test_a_line_wider_than_the_network_gives_one_section_that_is_refined_as_a_whole(tmp_path: Path) -> None:
    columns, across = CELLS + 12, 10.0 * np.arange(CELLS + 12)
    made = replace(
        acquisition(),
        shape=(CELLS, columns),
        sources=np.array([[10.0, x] for x in (0.0, 110.0, 120.0, 230.0, 350.0)]),
        receivers=np.stack([np.full(columns, 10.0), across], 1),
    )
    wide = np.broadcast_to(truth()[:, :1], made.shape).copy()
    requests = write(tmp_path, recorded(made, wide), made)
    found, numbers = predicted(network(truth() + 50.0), tmp_path, replace(requests, solves=16), "line.npy")
    assert numbers["windows"] == 2 and found.shape == made.shape
    assert numbers["misfit"] < numbers["start_misfit"]


def test_records_are_brought_to_the_device_of_the_network(tmp_path: Path) -> None:
    np.save(tmp_path / "shots.npy", recorded(acquisition()))
    given = []

    def inverse(records: Tensor) -> Tensor:
        given.append(records.device)
        return torch.from_numpy(truth())[None, None]

    there = torch.device("meta")
    predicted(Network(inverse, acquisition(), 1.0, there), tmp_path)
    assert given == [there]


def test_segy_gives_the_map_of_the_same_records(tmp_path: Path) -> None:
    pytest.importorskip("segyio", reason="reading SEG-Y needs the extra segy")
    from sciml.data.formats.segy import write_segy

    records = recorded(acquisition())
    np.save(tmp_path / "shots.npy", records)
    write_segy(tmp_path / "line.sgy", records, acquisition())
    expected, _ = predicted(network(), tmp_path)
    found, numbers = predicted(network(), tmp_path, source="line.sgy")
    assert np.allclose(found, expected, rtol=1e-6) and numbers["length_factor"] == pytest.approx(1)
    with pytest.raises(InputError, match="says itself where it was recorded"):
        predicted(network(), tmp_path, Requests(geometry=tmp_path / "line.json"), "line.sgy")


def test_requests_that_cannot_be_met_are_refused_before_the_work(tmp_path: Path) -> None:
    for options, words in {
        (0, 5.0): "noise.*a share of the records",
        (-1, None): "refine",
        (3, None): "refine=3 cannot be done: the number of solves is 3, expected a whole number of at least 7",
        (0, None, None, tmp_path / "map.bmp"): "unknown format",
    }.items():
        with pytest.raises(InputError, match=words):
            Requests(*options)
    np.save(tmp_path / "shots.npy", np.stack([recorded(acquisition())] * 2))
    with pytest.raises(InputError, match="one file of fields does not hold"):
        predicted(network(), tmp_path, Requests(plot=tmp_path / "map.png"))
    (tmp_path / "line.json").write_text("[1]")
    with pytest.raises((DataFormatError, InputError), match=r"mapping|no acquisition"):
        predicted(network(), tmp_path, Requests(geometry=tmp_path / "line.json"))
    (tmp_path / "line.json").write_text(json.dumps(acquisition().as_dict()))
    with pytest.raises(DataFormatError, match="expected records of one map"):
        predicted(network(), tmp_path, Requests(geometry=tmp_path / "line.json"))
