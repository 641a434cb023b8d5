"""Fixed points on graphs: Banach's bound at every iteration, agreement with dense matrices, exact derivatives."""

from __future__ import annotations

import gc
import math
import weakref
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sciml.cgs.fixed_points import Anderson, Automatic, Dense, EdgeMap, Picard, fixed_point, picard_iterations
from sciml.cgs.heads import ContractiveHead
from sciml.errors import DivergenceError, InputError
from sciml.numerics.random import generator

TOLERANCE = 1e-12
SOLVERS = [Picard(TOLERANCE, 10_000), Anderson(TOLERANCE), Dense(TOLERANCE), Automatic(TOLERANCE)]


def random_edges(sizes: list[int], degree: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the directed edges of several graphs, double ones among them, and the graph of each node."""
    parts, first = [], 0
    for size in sizes:
        parts.append(torch.randint(size, (2, degree * size), generator=random) + first)
        first += size
    return torch.cat(parts, 1), torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))


def random_head(
    gamma: float, sizes: list[int], heads: int = 3, seed: int = 0, solver=None, requires_grad: bool = False
):
    random = generator(seed)
    edges, graph = random_edges(sizes, 4, random)
    logits = 3 * torch.randn(edges.shape[1], heads, generator=random, dtype=torch.float64)
    bias = torch.randn(len(graph), heads, generator=random, dtype=torch.float64)
    if requires_grad:
        logits.requires_grad_(), bias.requires_grad_()
    return ContractiveHead(gamma, solver=solver), (edges, logits, bias, graph)


def dense_matrices(edge_map: EdgeMap) -> Tensor:
    """Return A of each head, ``(H, N, N)``, whose rows are destinations."""
    source, destination = edge_map.edge_index
    count, heads = edge_map.bias.shape
    matrix = edge_map.weights.new_zeros(heads, count, count)
    for head in range(heads):
        matrix = matrix.index_put((torch.tensor(head), destination, source), edge_map.weights[:, head], accumulate=True)
    return matrix


def dense_solution(edge_map: EdgeMap) -> Tensor:
    matrix = dense_matrices(edge_map)
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    return torch.linalg.solve(identity - matrix, edge_map.bias.T[..., None])[..., 0].T


@given(gamma=st.floats(0.05, 0.95), seed=st.integers(0, 10**6), size=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_every_iterate_keeps_within_the_bound_of_banach(gamma, seed, size):
    head, arguments = random_head(gamma, [size], seed=seed)
    edge_map = head.edge_map(*arguments)
    exact, x = dense_solution(edge_map), torch.zeros_like(edge_map.bias)
    largest = edge_map.bias.abs().max()
    assert (edge_map.factor() <= gamma * (1 + 1e-14)).all()
    for count in range(31):
        assert (x - exact).abs().max() <= (gamma**count + 1e-13) / (1 - gamma) * largest
        x = edge_map(x)


@pytest.mark.parametrize("gamma", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("sizes", [[20], [400]])
def test_picards_method_takes_no_more_iterations_than_the_bound_says_at_any_size(gamma, sizes):
    head, arguments = random_head(gamma, sizes, solver=Picard(1e-8))
    _, report = head(*arguments)
    assert report.converged
    assert report.iterations <= picard_iterations(gamma, 1e-8)


@pytest.mark.parametrize("rtol", [1e-2, 1e-6, 1e-9])
@pytest.mark.parametrize("factor", [0.05, 0.5, 0.9, 0.99])
def test_two_nodes_of_opposite_bias_take_as_many_iterations_as_picards_method_can(factor, rtol):
    swapped = torch.tensor([[0, 1], [1, 0]])
    weights, bias = torch.full((2, 1), factor, dtype=torch.float64), torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    _, report = Picard(rtol, most_iterations=10_000).solve(EdgeMap(swapped, weights, bias))
    assert report.converged and report.iterations == picard_iterations(factor, rtol)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
@pytest.mark.parametrize("gamma", [0.5, 0.99])
def test_all_solvers_agree_with_dense_matrices_and_their_derivatives(solver, gamma):
    head, arguments = random_head(gamma, [15, 1, 30], solver=solver, requires_grad=True)
    logits, bias = arguments[1:3]
    x, report = head(*arguments)
    exact = dense_solution(head.edge_map(*arguments))
    torch.testing.assert_close(x, exact, rtol=1e-10, atol=1e-10)
    weight = torch.arange(1.0, 4.0, dtype=torch.float64)
    ours = torch.autograd.grad((x.sin() * weight).sum(), (logits, bias))
    theirs = torch.autograd.grad((exact.sin() * weight).sum(), (logits, bias))
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine - other).norm() <= 1e-10 * other.norm()
    assert report.implicit.adjoint.residual.max() <= 1e-10 * report.implicit.adjoint.scale.max()


def test_nothing_outlives_the_fixed_point_and_its_report():
    """Reference counts alone free them: a cycle would keep tensors until the next garbage collection."""
    gc.disable()
    try:
        head, arguments = random_head(0.5, [15], requires_grad=True)
        x, report = head(*arguments)
        x.sum().backward()
        kept = [weakref.ref(each) for each in (report, report.implicit)]
        del x, report
        assert [each() for each in kept] == [None] * 2
    finally:
        gc.enable()


@pytest.mark.parametrize("solver", SOLVERS[:3], ids=lambda solver: type(solver).__name__)
def test_the_error_that_is_reported_bounds_the_true_one(solver):
    loose = type(solver)(1e-4)
    head, arguments = random_head(0.95, [15, 30], solver=loose)
    x, report = head(*arguments)
    edge_map = head.edge_map(*arguments)
    true = edge_map.size(x - dense_solution(edge_map)) / edge_map.size(x)
    assert report.error.shape == (2, 3)
    assert (true <= report.error + 1e-14).all()
    assert (report.error <= 1e-4).all()


@pytest.mark.parametrize("solver", SOLVERS[:3], ids=lambda solver: type(solver).__name__)
def test_derivatives_are_right_in_both_modes(solver):
    head, (edges, logits, bias, graph) = random_head(0.8, [4, 3], heads=2, solver=solver, requires_grad=True)
    function = lambda logits, bias: head(edges, logits, bias, graph)[0]  # noqa: E731
    assert torch.autograd.gradcheck(function, (logits, bias), check_forward_ad=True)


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
def test_a_batch_of_graphs_is_solved_as_each_graph_alone(solver):
    head, (edges, logits, bias, graph) = random_head(0.9, [6, 11, 3], solver=solver)
    together, _ = head(edges, logits, bias, graph)
    for number in range(3):
        nodes, inside = graph == number, graph[edges[0]] == number
        first = int(torch.nonzero(nodes)[0])
        alone, _ = head(edges[:, inside] - first, logits[inside], bias[nodes])
        torch.testing.assert_close(alone, together[nodes], rtol=1e-10, atol=1e-10)


def test_one_slow_head_does_not_hide_behind_the_others():
    head, (edges, logits, bias, graph) = random_head(0.9, [20, 20], solver=Picard(1e-10))
    bias[:, 1] *= 1e-8
    bias[graph == 1, 2] *= 1e-8
    x, _ = head(edges, logits, bias, graph)
    exact = dense_solution(head.edge_map(edges, logits, bias, graph))
    for number in range(2):
        nodes = graph == number
        relative = (x - exact)[nodes].abs().amax(0) / exact[nodes].abs().amax(0)
        assert (relative <= 1e-10).all()


def test_values_travel_along_the_edges_and_never_against_them():
    head = ContractiveHead(0.5, solver=Picard(1e-12))
    path = torch.tensor([[0, 1, 3], [1, 2, 4]])  # 0 -> 1 -> 2, and 3 -> 4 apart
    bias = torch.zeros(6, 1, dtype=torch.float64)
    bias[0] = 1.0
    x, _ = head(path, torch.full((3, 1), 40.0, dtype=torch.float64), bias)
    torch.testing.assert_close(x[:, 0], torch.tensor([1.0, 0.5, 0.25, 0, 0, 0], dtype=torch.float64))


def test_a_node_without_incoming_edges_keeps_its_bias_and_several_edges_share_the_weight():
    head = ContractiveHead(0.5, squash="clip", solver=Dense())
    edges = torch.tensor([[0, 0, 1], [2, 2, 2]])
    bias = torch.tensor([[1.0], [3.0], [0.0]], dtype=torch.float64)
    x, _ = head(edges, torch.tensor([[5.0], [0.5], [-7.0]], dtype=torch.float64), bias)
    # Weights 1, 1/2 and 0 of three edges: 0.5 / 3 (1 + 1/2).
    torch.testing.assert_close(x[:, 0], torch.tensor([1.0, 3.0, 0.25], dtype=torch.float64))


def test_a_clipped_weight_has_no_gradient_and_a_sigmoid_has_one():
    for squash, is_dead in (("clip", True), ("sigmoid", False)):
        head, (edges, logits, bias, graph) = random_head(0.5, [10], requires_grad=True)
        head = ContractiveHead(0.5, squash)
        x, _ = head(edges, logits, bias, graph)
        gradient = torch.autograd.grad(x.square().sum(), logits)[0]
        outside = (logits < 0) | (logits > 1)
        assert bool((gradient[outside] == 0).all()) == is_dead


def test_renumbering_the_nodes_renumbers_the_solution():
    head, (edges, logits, bias, graph) = random_head(0.7, [25], solver=Picard(1e-13))
    order = torch.randperm(25, generator=generator(3))
    x, _ = head(edges, logits, bias, graph)
    turned, _ = head(torch.argsort(order)[edges], logits, bias[order], graph)
    torch.testing.assert_close(turned, x[order], rtol=1e-11, atol=1e-12)


def test_what_is_kept_for_the_backward_pass_does_not_depend_on_the_iterations():
    kept = {}
    for tolerance in (1e-2, 1e-12):
        head, arguments = random_head(0.9, [50], solver=Picard(tolerance), requires_grad=True)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: s.append(t.numel()) or t, lambda t: t):
            _, report = head(*arguments)
        kept[report.iterations] = sum(sizes)
    few, many = sorted(kept)
    assert many > 3 * few
    assert kept[few] == kept[many]


def test_the_choice_of_the_solver_follows_factor_and_size():
    choose = Automatic(1e-8).choose
    for gamma, sizes, kind in ((0.5, [500], Picard), (0.999, [50], Dense), (0.999, [500], Anderson)):
        head, (edges, logits, bias, graph) = random_head(gamma, sizes)
        assert isinstance(choose(head.edge_map(edges, torch.full_like(logits, 40.0), bias, graph)), kind)


def test_in_single_precision_the_tolerance_is_what_rounding_allows():
    head, (edges, logits, bias, graph) = random_head(0.9, [30], solver=Picard(1e-12))
    x, report = head(edges, logits.float(), bias.float(), graph)
    assert report.converged
    exact = dense_solution(head.edge_map(edges, logits, bias, graph))
    assert (x - exact).abs().max() <= 1e-4 * exact.abs().max()


@pytest.mark.parametrize("gamma", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_a_gamma_that_does_not_contract_is_refused(gamma):
    with pytest.raises(InputError, match=r"gamma is .*does not contract"):
        ContractiveHead(gamma)


def test_a_map_that_does_not_contract_or_is_not_finite_is_refused():
    head, arguments = random_head(0.5, [10])
    edge_map = head.edge_map(*arguments)
    with pytest.raises(InputError, match="contraction factor"):
        fixed_point(replace(edge_map, weights=4 * edge_map.weights), Picard())
    with pytest.raises(DivergenceError, match="not finite"):
        fixed_point(replace(edge_map, weights=edge_map.weights * math.nan), Picard())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # torch would take the node before the first one for the last one.
        ({"edge_index": torch.tensor([[-1, 1], [1, 0]])}, "edge 0 leads from node -1 to node 1, expected .* 0 to 2"),
        ({"edge_index": torch.tensor([[0, 1], [1, 3]])}, "edge 1 leads from node 1 to node 3"),
        ({"edge_index": torch.tensor([[0.0, 1.0], [1.0, 0.0]])}, r"type torch\.float32, expected torch\.int64"),
        ({"edge_index": torch.tensor([[0, 1, 2]])}, "shape of edge_index"),
        ({"weights": torch.ones(2)}, "shape of the weights"),
        ({"weights": torch.ones(1, 2)}, "shape of the weights"),
        ({"bias": torch.ones(3)}, "shape of the bias"),
        ({"graph": torch.zeros(2, dtype=torch.long)}, "shape of the graph of each node"),
    ],
)
def test_a_map_whose_parts_do_not_fit_one_another_is_refused(changes, words):
    parts = {
        "edge_index": torch.tensor([[0, 1], [1, 0]]), "weights": torch.full((2, 2), 0.3), "bias": torch.ones(3, 2),
    }  # fmt: skip
    with pytest.raises(InputError, match=words):
        EdgeMap(**{**parts, **changes})


def test_the_edges_of_a_head_lead_from_node_to_node():
    with pytest.raises(InputError, match="edge 0 leads from node 0 to node -1"):
        ContractiveHead()(torch.tensor([[0], [-1]]), torch.ones(1, 1), torch.ones(2, 1))


def test_too_few_iterations_are_reported():
    head, arguments = random_head(0.9, [30], solver=Picard(1e-10, most_iterations=3))
    _, report = head(*arguments)
    assert not report.converged
    assert report.iterations == 3
    assert report.error.max() > 1e-10
