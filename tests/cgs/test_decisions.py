"""Value iteration as a task: its data, its errors, and a head that recovers rewards and discount."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.cgs.bellman_model import BellmanGraphSolver
from sciml.cgs.decisions import DecisionGraphs, DecisionSet, ValueIteration, best_edges, decision_batch
from sciml.cgs.fixed_points import Picard
from sciml.cgs.model import ConvergentGraphSolver
from sciml.errors import ConfigError, DivergenceError
from sciml.numerics.random import generator, seeded
from sciml.reference.value_iteration import DecisionGraph, random_decision_graph


def small(**changes: object) -> DecisionGraphs:
    tests = {"30x4": DecisionSet(30, 4, 5)}
    return DecisionGraphs(**{"states": (10, 20), "actions": (3, 6), "graphs": 4, "tests": tests, **changes})


def test_a_batch_is_a_function_of_its_generator_and_lies_within_its_bounds() -> None:
    data = small()
    first, again, other = (data.draw(generator(seed)) for seed in (0, 0, 1))
    torch.testing.assert_close(first.edge_attr, again.edge_attr, rtol=0, atol=0)
    assert first.edge_attr.shape != other.edge_attr.shape or not torch.equal(first.edge_attr, other.edge_attr)
    states = torch.bincount(first.batch)
    actions = torch.bincount(first.edge_index[1])
    assert first.num_graphs == 4 and 10 <= int(states.min()) <= int(states.max()) < 20
    assert 3 <= int(actions.min()) <= int(actions.max()) < 6


def test_values_of_a_batch_satisfy_the_equation_of_bellman() -> None:
    batch = small(discount=0.8).draw(generator(0))
    source, destination = batch.edge_index
    edge_values = batch.edge_attr[:, 0] + 0.8 * batch.y[source]
    best = torch.full_like(batch.y, -np.inf).scatter_reduce(0, destination, edge_values, "amax")
    torch.testing.assert_close(best, batch.y, rtol=1e-12, atol=1e-12)


def test_validation_and_test_never_change_and_differ_from_one_another() -> None:
    one, again = small(validation_graphs=20), small(validation_graphs=20)
    batches = list(one.val_dataloader())
    assert [batch.num_graphs for batch in batches] == [16, 4]
    for left, right in zip(batches, again.val_dataloader(), strict=True):
        torch.testing.assert_close(left.y, right.y, rtol=0, atol=0)
    (tested,) = one.test_sets()["30x4"]
    assert tested.num_graphs == 5 and tested.num_nodes == 150
    assert not np.isin(tested.edge_attr, batches[0].edge_attr).any()


def test_best_edges_are_those_of_the_reference() -> None:
    random = np.random.default_rng(0)
    graphs = [random_decision_graph(n, 4, random) for n in (9, 14)]
    batch = decision_batch(graphs)
    offsets = np.cumsum([0, 9 * 4])
    expected = np.concatenate([graph.optimum().policy + offset for graph, offset in zip(graphs, offsets, strict=True)])
    np.testing.assert_array_equal(best_edges(batch, batch.y), expected)


def exact_model() -> BellmanGraphSolver:
    """Return a model that has been given the true rewards and the true discount."""
    model = BellmanGraphSolver(edge_dim=1).double()
    with torch.no_grad():
        model.head.logit.fill_(np.log(9.0))  # of a discount of 0.9
        model.linear.weight.fill_(10.0)  # of rewards over 1 - 0.9
    return model


def test_the_head_with_true_rewards_and_discount_has_the_exact_values() -> None:
    batch = small().draw(generator(2))
    model = exact_model()
    torch.testing.assert_close(model.rewards(batch.edge_attr), batch.edge_attr, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model(batch).values, batch.y, rtol=1e-12, atol=1e-12)
    errors = ValueIteration(model).validate(batch)
    assert errors["policy_error"] == 0.0 and errors["relative_error"] < 1e-12 and errors["mse"] < 1e-24


def test_errors_are_relative_to_the_truth_and_means_over_graphs() -> None:
    class Doubled(BellmanGraphSolver):
        def forward(self, graph):
            return type(super().forward(graph))(2.0 * graph.y, None)

    batch = decision_batch([random_decision_graph(n, 3, np.random.default_rng(n)) for n in (5, 40)])
    errors = ValueIteration(Doubled(1)).validate(batch)
    assert float(errors["relative_error"]) == pytest.approx(1.0)  # 0.5 if divided by the prediction
    squares = batch.y.square()
    assert float(errors["mse"]) == pytest.approx(float((squares[:5].mean() + squares[5:].mean()) / 2))


def test_values_of_a_solver_that_has_not_converged_are_no_errors_to_report() -> None:
    with seeded(0):
        task = ValueIteration(ConvergentGraphSolver(1, 1, heads=2, solver=Picard(1e-10, most_iterations=2)))
    with pytest.raises(DivergenceError, match=r"only by the solver picard \(iterations: 2\)"):
        task.evaluate(small())


def test_an_untrained_head_learns_rewards_and_discount_and_does_larger_graphs() -> None:
    with seeded(0):
        task = ValueIteration(BellmanGraphSolver(1, hidden=(8,)).double())
    data = small(graphs=8, seed=3)
    before = task.evaluate(data)
    adam = torch.optim.Adam(task.parameters(), 5e-2)
    for update in range(60):
        adam.zero_grad()
        task.loss(data.draw(generator(1, update)))["values"].backward()
        adam.step()
    batch = data.draw(generator(2))
    lbfgs = torch.optim.LBFGS(task.parameters(), 1.0, 150, history_size=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        lbfgs.zero_grad()
        loss = task.loss(batch)["values"]
        loss.backward()
        return loss

    lbfgs.step(closure)
    after = task.evaluate(data)
    assert before["policy_error_30x4"] > 0.2 and before["mse_30x4"] > 1.0
    assert after["policy_error_30x4"] <= 0.01 and after["mse_30x4"] < 1e-3
    assert float(task.model.head.discount.detach()) == pytest.approx(0.9, abs=0.01)
    rewards = torch.linspace(-0.9, 0.9, 7, dtype=torch.float64)[:, None]
    torch.testing.assert_close(task.model.rewards(rewards), rewards, rtol=0, atol=0.1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"states": (5, 20)}, "the smallest number of states is 5"),
        ({"actions": (4, 4)}, "the number of actions is 4"),
        ({"discount": 1.0}, "the discount is 1.0"),
        ({"tests": {"9x9": DecisionSet(9, 9)}}, "states of 9x9 is 9"),
        ({"graphs": 0}, "graphs is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        small(**changes)


def test_the_figure_has_the_best_decisions_and_those_of_the_predicted_values(tmp_path, monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr("sciml.plots.decisions_picture", lambda shown, path, **_: drawn.append((shown, path.name)))
    task = ValueIteration(exact_model())
    task.figures(tmp_path)  # no validation, no figure
    task._shown = small().draw(generator(2))
    task.figures(tmp_path)
    with torch.no_grad():
        task.model.linear.weight.neg_()  # the worst decisions
    task.figures(tmp_path)
    (exact, name), (other, _) = drawn
    assert name == "decisions.png"
    graph = task._shown.to_data_list()[0]
    reference = DecisionGraph(graph.num_nodes, graph.edge_index.numpy(), graph.edge_attr[:, 0].numpy()).optimum()
    np.testing.assert_array_equal(exact.best, reference.policy)
    np.testing.assert_array_equal(exact.chosen, exact.best)
    np.testing.assert_allclose(exact.predicted, reference.values, rtol=1e-12)
    np.testing.assert_array_equal(other.best, exact.best)
    assert (other.chosen != other.best).any()


def test_a_state_without_decisions_has_no_arrow_in_the_figure(tmp_path, monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr("sciml.plots.decisions_picture", lambda shown, *_, **__: drawn.append(shown))
    task = ValueIteration(exact_model())
    task._shown = decision_batch([DecisionGraph(2, np.array([[1], [0]]), np.array([1.0]), 0.9)])
    task.figures(tmp_path)
    assert drawn[0].best.tolist() == drawn[0].chosen.tolist() == [0, -1]
