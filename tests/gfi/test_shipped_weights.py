"""The networks that come with sciml, by their names: small, better than the mean map, and of use to a refinement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sciml import strict_json, weights
from sciml.gfi import InversionTask
from sciml.gfi.preparing import prepared
from sciml.reference.layered_maps import layered_maps
from sciml.reference.waves import WaveSolver
from sciml.training import load_task

SHIPPED = weights.shipped("gfi")
LARGEST = 5_000_000  # bytes
MAPS, SEED = 6, 1000  # of the test, of which no map is in the training


def family(name: str) -> str:
    """Return the family of the maps that a network was trained on, which its name says."""
    return "-".join(name.rpartition("/")[2].split("_")[:2])


@pytest.fixture(scope="module", params=SHIPPED)
def network(request) -> tuple[str, InversionTask]:
    return request.param, load_task(SHIPPED[request.param])


@pytest.fixture(scope="module")
def pairs(network) -> tuple[np.ndarray, np.ndarray]:
    """Return maps that are not in the training, and their records."""
    name, task = network
    acquisition = task.stored_acquisition.get()
    maps = layered_maps(family(name), range(MAPS), SEED, acquisition.shape)
    with torch.no_grad():
        return maps, WaveSolver(acquisition, "host")(torch.from_numpy(maps)).numpy()


def test_the_files_are_small_and_the_card_says_how_they_were_made(network):
    path = weights.find(network[0].rpartition("/")[2])
    assert path == SHIPPED[network[0]] and path.stat().st_size <= LARGEST
    card = weights.read_card(path)
    assert card.class_path == "sciml.gfi.InversionTask" and card.metrics and card.values["commit"]


def test_maps_are_far_nearer_to_the_truth_than_the_mean_map(network, pairs):
    name, task = network
    maps, records = pairs
    with torch.no_grad():
        found = task(torch.from_numpy(records))[:, 0].numpy()
    mean = layered_maps(family(name), range(100, 200), SEED, maps.shape[1:]).mean(0)
    assert np.abs(found - maps).mean() < 0.6 * np.abs(mean - maps).mean()
    with torch.no_grad():
        mirrored = task(torch.from_numpy(records[:1, ::-1, :, ::-1].copy()))[0, 0].numpy()
    assert np.abs(mirrored[:, ::-1] - found[0]).max() < 1.0  # m/s


def test_prepared_records_lose_less_to_noise_and_dead_traces(network, pairs):
    task, (maps, records) = network[1], pairs
    receivers, random = task.stored_acquisition.get().receivers, np.random.default_rng(0)

    def found(given: np.ndarray, noise: float | None = None, ready: bool = True) -> np.ndarray:
        given = np.stack([prepared(each, receivers, noise=noise).records for each in given]) if ready else given
        with torch.no_grad():
            return task(torch.from_numpy(given))[:, 0].numpy()

    def distance(first: np.ndarray, second: np.ndarray) -> float:
        return float(np.abs(first - second).mean())

    noise = 10**-0.5 * records.std((1, 2, 3), keepdims=True) * random.standard_normal(records.shape)
    noisy = (records + noise).astype(np.float32)
    share = (0.1 / 1.1) ** 0.5  # 10 dB
    assert distance(found(noisy, share), maps) < 0.7 * distance(found(noisy, ready=False), maps)
    broken = records * (random.random((MAPS, records.shape[1], 1, records.shape[3])) > 0.3).astype(np.float32)
    whole = found(records)
    assert distance(found(broken), whole) < 0.7 * distance(found(broken, ready=False), whole)


def test_the_command_line_knows_the_name_and_refines_the_map(network, pairs, tmp_path: Path, in_process):
    np.save(tmp_path / "shots.npy", pairs[1][0])
    words = ("predict", network[0], tmp_path / "shots.npy", "-o", tmp_path / "v.npy", "refine=16", "--json")
    code, out, err = in_process(*words)
    assert (code, err) == (0, "")
    numbers = strict_json.parse(out, "numbers")
    assert numbers["misfit"] < numbers["start_misfit"]
    assert np.load(tmp_path / "v.npy").shape == pairs[0].shape[1:]
