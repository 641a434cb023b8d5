"""The networks that come with sciml, by their names: small, better than analogs, and of use from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sciml import strict_json, weights
from sciml.data import generate
from sciml.data.formats import open_dataset
from sciml.mesh import write_fields
from sciml.mesh.series import read_series
from sciml.numerics.random import generator
from sciml.text2pde import FirstFrameTask
from sciml.text2pde.scores import EnsembleScores
from sciml.training import load_task

NAME = "smoke_ff_cpu"
LARGEST = 3_000_000  # bytes, of all
TESTS, SEED = 8, 1000  # simulations, of which none is in the training


@pytest.fixture(scope="module")
def network() -> FirstFrameTask:
    return load_task(weights.find(NAME))


@pytest.fixture(scope="module")
def simulations(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """Return fields ``(n, channels, time, x, y)`` and buoyancy of simulations that are not in the training."""
    path = tmp_path_factory.mktemp("smoke") / "smoke.h5"
    generate("smoke", TESTS, path, seed=SEED)
    with open_dataset(path) as data:
        names = [field.name for field in data.description.fields]
        fields = [[data.read(name, number, slice(None)) for name in names] for number in range(TESTS)]
        return np.array(fields), np.asarray(data.description.parameters["buoyancy"])


def test_the_files_are_small_and_the_card_says_how_they_were_made():
    shipped = weights.shipped("text2pde")
    assert sum(path.stat().st_size for path in shipped.values()) <= LARGEST
    card = weights.read_card(weights.find(NAME))
    assert card.class_path == "sciml.text2pde.FirstFrameTask" and card.metrics and card.values["commit"]


def test_ensembles_of_new_simulations_are_near_and_calibrated(network, simulations):
    fields, buoyancy = simulations
    first, parameters = torch.from_numpy(fields[:, :, 0]), torch.from_numpy(buoyancy[:, None]).float()

    def scores(make) -> dict[str, float]:
        found = EnsembleScores(network.deviations)
        found.add(np.stack([make(member) for member in range(8)]), fields.astype(float), range(TESTS))
        return found.means()

    drawn = scores(lambda member: network.draw(first, parameters, generator(SEED, member)).numpy())
    assert drawn["energy_score"] < 0.32  # zeros have 1, the first frame at all times 0.9, the mean of the training 0.6
    assert 0.7 < drawn["spread_skill"] < 1.3
    assert 0.68 < drawn["coverage"] < 0.88  # ideal is 7 / 9
    exact = scores(lambda member: network.draw(first, parameters, generator(SEED, member), steps=16).numpy())
    assert drawn["energy_score"] < 1.03 * exact["energy_score"]


def test_latents_keep_more_than_as_many_principal_components(network, simulations):
    fields, autoencoder = torch.from_numpy(simulations[0]), network.space.autoencoder
    with torch.no_grad():
        missed = autoencoder.decode(autoencoder.encode(fields)) - fields
        linear = autoencoder.decode_linearly(fields) - fields
    assert float(missed.norm()) < 0.9 * float(linear.norm())


def test_the_command_line_knows_the_name_and_writes_the_ensemble(network, simulations, tmp_path: Path, in_process):
    frame = dict(zip(network.fields, simulations[0][0, :, 0].astype(float), strict=True))
    write_fields(tmp_path / "first.xdmf", network.place.grid, frame)
    words = ("predict", NAME, tmp_path / "first.xdmf", "-o", tmp_path / "smoke.xdmf", "-n", "4", "steps=4", "--json")
    code, out, err = in_process(*words)
    assert (code, err) == (0, "")
    assert strict_json.parse(out, "numbers")["calls"] == 4
    smoke = {field.name: field.values for field in read_series(tmp_path / "smoke.xdmf").fields}
    assert smoke["smoke_mean"].shape[0] == network.trajectory_steps
    assert np.abs(smoke["smoke_1"] - smoke["smoke_2"]).max() > 0.1
