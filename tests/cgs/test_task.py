"""Training of graph solvers: what is learned, what is reported, and that a stopped run goes on bit for bit."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from toy_runs import rows_of

from sciml.cgs import GraphSolver
from sciml.cgs.conductances import Sinks, ThroatConductances
from sciml.cgs.data import PoreNetworks, network_graph, to_batch
from sciml.cgs.features import ConduitFeatures, NondimensionalFeatures, RawFeatures, ThroatFeatures, columns
from sciml.cgs.fixed_points import Picard
from sciml.cgs.model import AnchoredGraphSolver, ConvergentGraphSolver
from sciml.data import generate
from sciml.data.pore_networks import write_networks
from sciml.errors import ConfigError, DivergenceError, InputError
from sciml.numerics.random import generator, seeded
from sciml.reference import pore_networks
from sciml.reference.pore_network_files import read_network, write_network
from sciml.reference.pore_network_flow import pressures
from sciml.reference.pore_network_laws import CONDUITS
from sciml.reference.pore_networks import PoreNetwork, random_network
from sciml.training.config import config_from_values
from sciml.training.run import finished, load_task, train
from sciml.training.settings import Phase, Training

ANCHORED = {
    "title": "small networks",
    "seed": 3,
    "task": {
        "class_path": "sciml.cgs.GraphSolver",
        "init_args": {
            "features": {"class_path": "sciml.cgs.ThroatFeatures"},
            "model": {
                "class_path": "sciml.cgs.AnchoredGraphSolver",
                "init_args": {
                    "conductances": {
                        "class_path": "sciml.cgs.ThroatConductances",
                        "init_args": {"throat_dim": 2, "hidden": []},
                    }
                },
            },
        },
    },
    "data": {
        "class_path": "sciml.cgs.PoreNetworks",
        "init_args": {
            "base": [6, 10],
            "graphs": 4,
            "batches_per_epoch": 2,
            "validation_graphs": 3,
            "tests": {"small": {"base": [6, 10], "graphs": 3}, "larger": {"base": [20, 25], "graphs": 2}},
        },
    },
    "training": {"phases": [{"optimizer": "lbfgs", "epochs": 3}], "updates_per_batch": 2},
    "trainer": {"precision": "64-true"},
}
PUBLISHED = copy.deepcopy(ANCHORED)
PUBLISHED["task"]["init_args"] = {
    "features": {"class_path": "sciml.cgs.RawFeatures"},
    "model": {
        "class_path": "sciml.cgs.ConvergentGraphSolver",
        "init_args": {"node_dim": 5, "edge_dim": 3, "heads": 4, "squash": "clip", "activates_output": True},
    },
}
PUBLISHED["training"] = {"phases": [{"epochs": 3}], "updates_per_batch": 3}
PUBLISHED["trainer"] = {}


def config(values=ANCHORED, **changes):
    return config_from_values({**copy.deepcopy(values), **changes}, "networks.yaml")


def small_batch(seed: int = 0, count: int = 3, law=CONDUITS):
    numbers = np.random.default_rng(seed)
    return to_batch([random_network("delaunay", 8, numbers, law) for _ in range(count)])


class Stopped(BaseException):
    """Stands for a kill: nothing of ours catches it."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "run"
    train(config(), folder)
    return folder


def test_a_power_law_is_recovered_from_pressures_with_its_exponents_and_its_unit(run):
    task = load_task(run)
    law, features = task.model.head.conductances.law, task.features.normaliser
    exponents = (law.linear.weight[0] / features.deviation).tolist()
    # Hagen and Poiseuille: k mu = pi d^4 / (128 l). Networks whose pores are all equal say little about d.
    assert exponents == pytest.approx([4.0, -1.0], abs=2e-3)
    logarithm = law.linear.bias - law.linear.weight[0] @ (features.mean / features.deviation) + task.log_unit
    assert logarithm.item() == pytest.approx(np.log(np.pi / 128), abs=0.05)
    assert finished(run)["metrics"]["val/mse"] < 1e-9


@pytest.mark.parametrize("values", [ANCHORED, PUBLISHED], ids=["anchored", "published"])
@pytest.mark.parametrize("loss", [3, 11])
def test_a_run_that_was_killed_and_resumed_ends_with_the_same_bits(values, loss, tmp_path, monkeypatch):
    train(config(values), tmp_path / "whole")
    real, calls = GraphSolver.loss, []

    def stopping(task, batch):
        calls.append(1)
        if len(calls) == loss:
            raise Stopped
        return real(task, batch)

    monkeypatch.setattr(GraphSolver, "loss", stopping)
    with pytest.raises(Stopped):
        train(config(values), tmp_path / "killed")
    monkeypatch.setattr(GraphSolver, "loss", real)
    train(config(values), tmp_path / "killed", resume=True)
    whole, resumed = (load_task(tmp_path / name).state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")


def test_networks_are_functions_of_seed_and_update_and_serve_all_updates_of_their_batch(tmp_path, monkeypatch):
    seen = []
    real = GraphSolver.loss

    def remembering(task, batch):
        seen.append(batch.pos.double().sum().item())
        return real(task, batch)

    monkeypatch.setattr(GraphSolver, "loss", remembering)
    train(config(PUBLISHED), tmp_path / "run")
    updates = [each for each in seen if seen.count(each) == 3]  # the others belong to validations
    assert len(updates) == 18
    assert len(set(updates)) == 6


def test_the_report_has_every_test_set_and_the_trivial_error_beside(run):
    task = load_task(run)
    found = task.evaluate(config().build_data())
    assert next(iter(found)) == "mse_small"
    assert set(found) == {
        f"{name}_{size}" for name in ("mse", "mse_of_mean", "permeability_error") for size in ("small", "larger")
    }
    assert found["mse_larger"] < 1e-6 < 0.02 < found["mse_of_mean_larger"] < 0.2


def test_the_permeability_of_a_label_and_its_derivative_are_those_of_the_network():
    numbers = np.random.default_rng(1)
    networks = [random_network("delaunay", 9, numbers) for _ in range(2)]
    batch = to_batch(networks)
    assert batch.permeability.tolist() == pytest.approx([each.permeability() for each in networks], rel=1e-10)
    with seeded(0):
        task = GraphSolver(ThroatFeatures(), AnchoredGraphSolver(ThroatConductances(2)), "permeability").double()
    task.features.fit([batch])
    weight = task.model.head.conductances.law.linear.weight
    gradient = torch.autograd.grad(task.log_permeability(batch, task.answer(batch)).sum(), weight)[0]
    step = 1e-5
    for place in range(2):
        change = torch.zeros_like(weight)
        change[0, place] = step
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight += sign * change
                values.append(task.log_permeability(batch, task.answer(batch)).sum().item())
                weight -= sign * change
        assert float(gradient[0, place]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("contrast", [1.0, 1e12, 1e16])
def test_the_permeability_of_a_label_is_that_of_resistors_in_series_at_any_contrast(contrast):
    number = np.arange(4)
    network = PoreNetwork(
        np.eye(4)[:, :3],
        np.array([[0, 1], [1, 2], [2, 3]]),
        number == 0,
        number == 3,
        length=1.0,
        area=1.0,
        viscosity=1.0,
        columns={"conductance": np.array([contrast, 1.0, contrast])},
    )
    assert float(to_batch([network]).permeability) == pytest.approx(1 / (1 + 2 / contrast), rel=1e-12)
    pressure = network.pressures()
    pressure[:] = 0.0  # changes nothing of the network
    assert network.pressures()[0] == 1.0 and network.permeability() > 0.3


def test_a_permeability_that_is_not_known_makes_no_label(monkeypatch):
    network = random_network("delaunay", 9, np.random.default_rng(1))
    monkeypatch.setattr(pore_networks, "pressures", lambda *parts: (pressures(*parts)[0], 1.0))
    with pytest.raises(DivergenceError, match="from which the permeability follows to a relative error of"):
        to_batch([network])


def test_least_squares_is_refused_before_a_run_begins():
    task = GraphSolver(ThroatFeatures(), AnchoredGraphSolver(ThroatConductances(2)))
    with pytest.raises(ConfigError, match="GraphSolver has no residuals, which the optimizer least_squares needs"):
        task.prepare(Training([Phase(1), Phase(1, "least_squares")]), 0)


def test_a_missing_column_is_named_as_in_files():
    graph = to_batch([random_network("delaunay", 9, np.random.default_rng(1))])
    with pytest.raises(InputError, match=r"no column throat_depth \(throat\.depth in files\)") as refused:
        columns(graph, "throat_depth")
    assert "throat_index" not in str(refused.value) and "throat_diameter" in str(refused.value)


@pytest.mark.parametrize("target", ["out.npz", "out.vtu"])
def test_the_pressures_of_a_file_are_predicted_with_fluxes_that_are_conserved(run, tmp_path, target):
    network = random_network("delaunay", 12, np.random.default_rng(7))
    write_network(tmp_path / "in.npz", network)
    task = load_task(run)
    found = task.predict_file(tmp_path / "in.npz", tmp_path / target)
    assert found["mse"] < 1e-8
    assert found["permeability"] == pytest.approx(network.permeability(), rel=0.05)
    assert found["permeability_darcy"] == pytest.approx(found["permeability"] / 9.869233e-13)
    assert (found["pores"], found["trimmed_pores"]) == (network.n_pores, 0)
    assert found["solver_error"] < 1e-8 and "error_bound" not in found
    written = read_network(tmp_path / target)
    flux, net = written.columns["flux"], np.zeros(network.n_pores)
    np.add.at(net, written.throats[:, 1], flux)
    np.add.at(net, written.throats[:, 0], -flux)
    inside = ~(network.inlet | network.outlet)
    assert np.abs(net[inside]).max() <= 1e-7 * np.abs(flux).sum()
    assert written.pores["pressure"] == pytest.approx(network.pressures(), abs=1e-3)


def test_a_network_without_the_columns_is_refused(run, tmp_path):
    network = random_network("delaunay", 12, np.random.default_rng(7))
    bare = type(network)(network.points, network.throats, network.inlet, network.outlet, 1e-3, 1e-6)
    write_network(tmp_path / "in.npz", bare)
    task = load_task(run)
    with pytest.raises(InputError, match="no column throat_diameter"):
        task.predict_file(tmp_path / "in.npz", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_features_do_not_depend_on_the_unit_of_length_but_for_the_raw_ones():
    network = random_network("delaunay", 10, np.random.default_rng(0), CONDUITS)
    larger = random_network("delaunay", 10, np.random.default_rng(0), CONDUITS)
    larger = type(network)(
        1e3 * network.points,
        network.throats,
        network.inlet,
        network.outlet,
        1e3 * network.length,
        1e6 * network.area,
        network.viscosity,
        {name: 1e3 * values for name, values in network.pores.items()},
        {name: (1e9 if name == "conductance" else 1e3) * values for name, values in network.columns.items()},
    )
    first, second = to_batch([network]), to_batch([larger])
    torch.testing.assert_close(first.y, second.y, rtol=1e-9, atol=1e-9)
    assert second.permeability.item() == pytest.approx(1e6 * first.permeability.item(), rel=1e-9)
    for features, names in (
        (NondimensionalFeatures(), ("x", "edge_attr")),
        (ThroatFeatures(pores=["diameter"]), ("throat_attr",)),
        (ConduitFeatures(), ("throat_attr", "throat_ends")),
    ):
        found = []
        for batch in (first, second):
            features.fit([batch])
            found.append(features(batch))
        for name in names:
            torch.testing.assert_close(found[0][name], found[1][name], rtol=1e-8, atol=1e-8)
    assert float(RawFeatures()(second).edge_attr[0, 0]) == pytest.approx(
        1e3 * RawFeatures()(first).edge_attr[0, 0].item()
    )


def test_directed_edges_of_a_batch_have_the_features_of_their_throats():
    batch = small_batch()
    graph = RawFeatures()(batch)
    first = dict(zip(map(tuple, batch.throat_index.T.tolist()), batch.throat_length.tolist(), strict=True))
    for (source, destination), features in zip(graph.edge_index.T.tolist(), graph.edge_attr.tolist(), strict=True):
        length = first.get((source, destination), first.get((destination, source)))
        assert features[1] == length


def test_the_published_model_gives_a_graph_the_same_answer_in_a_batch_and_alone_and_renumbered():
    with seeded(0):
        model = ConvergentGraphSolver(5, 3, heads=4, solver=Picard(1e-12)).double()
    features, batch = NondimensionalFeatures(), small_batch()
    features.fit([batch])
    together = model(features(batch)).values
    sizes = torch.bincount(batch.batch).tolist()
    for alone, part in zip(batch.to_data_list(), together.split(sizes), strict=True):
        graph = type(batch).from_data_list([alone])
        torch.testing.assert_close(model(features(graph)).values, part, rtol=1e-9, atol=1e-9)
        order = torch.randperm(alone.num_nodes, generator=generator(1))
        turned = copy.copy(alone)
        for name in ("pos", "pinned", "pinned_values"):
            turned[name] = alone[name][order]
        for name in ("edge_index", "throat_index"):
            turned[name] = torch.argsort(order)[alone[name]]
        values = model(features(type(batch).from_data_list([turned]))).values
        torch.testing.assert_close(values, part[order], rtol=1e-9, atol=1e-9)


def test_a_readout_over_the_nodes_gives_one_answer_for_each_graph():
    features, batch = NondimensionalFeatures(), small_batch()
    features.fit([batch])
    for readout in ("sum", "mean"):
        with seeded(0):
            model = ConvergentGraphSolver(5, 3, 2, heads=4, readout=readout).double()
        assert model(features(batch)).values.shape == (3, 2)


def test_a_solver_that_does_not_converge_is_counted_in_training_and_an_error_elsewhere(tmp_path):
    values = copy.deepcopy(PUBLISHED)
    values["data"]["init_args"]["validation_graphs"] = 0
    solver = {"class_path": "sciml.cgs.Picard", "init_args": {"rtol": 1e-6, "most_iterations": 2}}
    values["task"]["init_args"]["model"]["init_args"]["solver"] = solver
    result = train(config(values), tmp_path / "run")
    assert result["metrics"]["solver/unconverged"] > 0
    task = load_task(tmp_path / "run")
    with pytest.raises(DivergenceError, match=r"only by the solver picard \(iterations: 2\)"):
        task.evaluate(config(values).build_data())


def test_networks_of_ones_own_are_trained_on_from_a_file_with_their_labels(tmp_path):
    numbers = np.random.default_rng(0)
    networks = [random_network("delaunay", 8, numbers) for _ in range(20)]
    write_networks(tmp_path / "mine.h5", networks)
    values = copy.deepcopy(ANCHORED)
    values["data"]["init_args"]["path"] = str(tmp_path / "mine.h5")
    train(config(values), tmp_path / "run")
    data = config(values).build_data()
    found = load_task(tmp_path / "run").evaluate(data)
    assert found["mse_test"] < 1e-8 < 0.02 < found["mse_of_mean_test"]
    parts = [data.draw(generator(0)), *data.val_dataloader(), *data.test_sets()["test"]]
    known = [{round(float(value), 9) for value in network.pressures()} for network in networks]
    seen = [
        {
            number
            for number, pressures in enumerate(known)
            for graph in part.to_data_list()
            if {round(value, 9) for value in graph.y.tolist()} == pressures
        }
        for part in parts
    ]
    assert all(seen)
    assert sum(map(len, seen)) == len(set.union(*seen))


def test_a_file_with_permeabilities_alone_trains_their_target_and_no_other(tmp_path):
    generate("pore_networks", 12, tmp_path / "k.h5", options={"fewest": "6", "most": "8", "label": "permeability"})
    values = copy.deepcopy(ANCHORED)
    values["data"]["init_args"]["path"] = str(tmp_path / "k.h5")
    with pytest.raises(InputError, match="no labels of the pressure"):
        train(config(values), tmp_path / "pressure")
    values["task"]["init_args"]["target"] = "permeability"
    result = train(config(values), tmp_path / "run")
    assert result["metrics"]["val/permeability_error"] < 0.2
    assert "val/mse" not in result["metrics"]


def test_wrong_settings_and_data_are_refused():
    with pytest.raises(ConfigError, match="has no conductances"):
        task = GraphSolver(RawFeatures(), ConvergentGraphSolver(5, 3), "permeability")
        task.loss(small_batch())
    wrong = [({"base": (3, 9)}, "3"), ({"base": (9, 9)}, "9"), ({"graphs": 0}, "graphs"), ({"law": "darcy"}, "darcy")]
    wrong += [({"clip": "throat"}, "clip is 'throat', expected one of"), ({"tessellation": "cubic"}, "cubic")]
    for arguments, words in wrong:
        with pytest.raises(InputError, match=words):
            PoreNetworks(**arguments)


def test_a_model_with_sinks_has_pressures_but_no_permeability():
    class NodesToo(ThroatFeatures):
        def forward(self, graph):
            found = super().forward(graph)
            found.x = graph.pos / graph.length[graph.batch, None]
            return found

    network = random_network("delaunay", 9, np.random.default_rng(1))
    features, batch = NodesToo(), to_batch([network])
    features.fit([batch])
    with seeded(0):
        task = GraphSolver(features, AnchoredGraphSolver(ThroatConductances(2), Sinks(3))).eval()
    found = task.flow(network)
    assert found.permeability is None
    inflow, outflow = network.inflow(found.flux), network.outflow(found.flux)
    assert inflow > 1.05 * outflow > 0  # what a permeability would be of is not defined
    assert set(task.validate(batch)) == {"mse", "mse_of_mean"}
    task.adjust_unit(batch)
    assert task.log_unit == 0
    with pytest.raises(ConfigError, match="the model has sinks, which take from the flow"):
        task.log_permeability(batch, task.answer(batch))


def test_columns_whose_names_would_be_shifted_are_left_out():
    network = random_network("delaunay", 8, np.random.default_rng(0))
    network = network.with_columns({"index": np.arange(network.n_pores)}, {"batch_size": np.ones(network.n_throats)})
    graph = network_graph(network)
    assert not {"pore_index", "throat_batch_size"} & set(graph.keys())


def test_a_run_draws_a_network_beside_the_truth_and_the_law(run):
    drawn = {path.name for path in (run / "figures").iterdir()}
    assert drawn == {"history.png", "law.png", "network.png"}
