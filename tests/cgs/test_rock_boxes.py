"""Boxes of a rock: training never sees the half that is tested, and hidden shape factors are made up for."""

import numpy as np
import pytest

from sciml.cgs.rock_boxes import RockBoxes
from sciml.errors import ConfigError, InputError
from sciml.numerics.random import generator
from sciml.reference.pore_network_boxes import cut_box
from sciml.reference.pore_network_files import write_network
from sciml.reference.pore_network_laws import SHAPE_FACTORS
from sciml.reference.pore_networks import random_network

EDGES = (3.5e-4, 4.5e-4)


@pytest.fixture(scope="module")
def rock(tmp_path_factory):
    """A random network with hidden shape factors in a file."""
    network = random_network("delaunay", 1200, np.random.default_rng(0), SHAPE_FACTORS, clip="pore")
    path = tmp_path_factory.mktemp("rock") / "rock.npz"
    write_network(path, network)
    return path


def test_training_and_validation_see_one_half_and_the_test_the_other(rock):
    data = RockBoxes(str(rock), EDGES, graphs=12, test_graphs=6)
    middle = 5e-4
    for batch in (data.draw(generator(3)), *data.val_dataloader()):
        assert np.all(batch.pos[~batch.pinned].numpy()[:, 1] < middle)
    networks = data.test_networks
    assert {name: len(each) for name, each in networks.items()} == {"other_half": 1, "rock": 1, "boxes": 6}
    for network in (*networks["other_half"], *networks["boxes"]):
        inner = ~(network.inlet | network.outlet)
        assert np.all(network.points[inner, 1] > middle)


def test_batches_have_the_pressures_and_permeabilities_of_their_boxes(rock):
    data = RockBoxes(str(rock), EDGES, test_graphs=3)
    for name, batches in data.test_sets().items():
        for network, batch in zip(data.test_networks[name], batches, strict=True):
            np.testing.assert_allclose(batch.y.numpy(), network.pressures(), atol=1e-12)
            assert float(batch.permeability) == pytest.approx(network.permeability(), rel=1e-9, abs=0)


def test_halving_a_rock_cuts_throats_and_so_lowers_its_permeability_a_little(rock):
    data = RockBoxes(str(rock), EDGES)
    whole = data.rock.permeability()
    halves = [cut_box(data.rock, *data._half(number)).permeability() for number in (0, 1)]
    assert 0.85 * whole < np.mean(halves) < whole  # Rayleigh's law of monotonicity


def test_draws_depend_on_the_generator_alone(rock):
    data = RockBoxes(str(rock), EDGES, graphs=2)
    first, again, other = (data.draw(generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.y, again.y)
    assert first.y.shape != other.y.shape or not np.array_equal(first.y, other.y)


def test_circular_cross_sections_underestimate_the_permeability_of_corners(rock):
    errors = RockBoxes(str(rock), EDGES, test_graphs=3).baselines()
    assert set(errors) == {f"circular_permeability_error_{name}" for name in ("other_half", "rock", "boxes")}
    assert all(error > 0.3 for error in errors.values())


def test_wrong_boxes_are_refused(rock, tmp_path):
    with pytest.raises(ConfigError, match="the smaller one first"):
        RockBoxes(str(rock), (2e-4, 1e-4))
    with pytest.raises(ConfigError, match="an edge of the boxes is 0"):
        RockBoxes(str(rock), (0.0, 1e-4))
    with pytest.raises(InputError, match="do not fit into a half"):
        RockBoxes(str(rock), (3e-4, 6e-4)).prepare_data()
    with pytest.raises(InputError, match=r"data\.init_args\.network=PATH"):
        RockBoxes(str(tmp_path / "Berea_node1.dat"), EDGES).prepare_data()


def test_a_model_that_sees_no_shape_factors_learns_to_make_up_for_them(rock, in_process, tmp_path):
    import json

    words = [f"data.init_args.network={rock}", f"data.init_args.edges=[{EDGES[0]}, {EDGES[1]}]"]
    words += ["training.phases.0.epochs=15", "data.init_args.graphs=6", "data.init_args.test_graphs=2", "seed=3"]
    run = tmp_path / "run"
    code, _, error = in_process("train", "cgs/berea_learned_cpu", *words, "-o", run)
    assert code == 0, error
    code, out, error = in_process("evaluate", run, "--json")
    assert code == 0, error
    metrics = json.loads(out)
    metrics = metrics.get("metrics", metrics)
    circular = RockBoxes(str(rock), EDGES, test_graphs=2).baselines()
    for name in ("other_half", "rock"):
        assert metrics[f"permeability_error_{name}"] < 0.15 * circular[f"circular_permeability_error_{name}"]
