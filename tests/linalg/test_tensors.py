"""Tensors around solves: what is no tensor of numbers, what its type does not hold, transforms of torch.func."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.func import grad, jacfwd, jacrev, jvp, vjp, vmap

from sciml.errors import InputError
from sciml.linalg import GraphLaplacian, poisson_solve

SERIES = GraphLaplacian([[0, 1], [1, 2]], 3, [True, False, True])
W = torch.tensor([1.0, 3.0], dtype=torch.float64)
V = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
CELLS = np.zeros((3, 4), np.uint8)
B = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
K = 1 + B / 10


def series(w, v=V, **options) -> torch.Tensor:
    return SERIES.solve(w, v, **options)[0]


def poisson(b, k) -> torch.Tensor:
    return poisson_solve(CELLS, b, k, outside="dirichlet")


def sentence(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


# ------------------------------------------------------------------------------------------------------ wrong kinds

NO_TENSORS = {
    "none": lambda t: None,
    "list": lambda t: t.tolist(),
    "array": lambda t: t.numpy(),
    "whole": lambda t: t.long(),
    "complex": lambda t: t + 0j,
    "sparse": lambda t: t.to_sparse(),
    "meta": lambda t: t.to("meta"),
    "eighth": lambda t: t.to(torch.float8_e4m3fn),
}


@pytest.mark.parametrize("name", NO_TENSORS)
def test_what_is_no_tensor_of_numbers_is_refused(name):
    wrong = NO_TENSORS[name]
    assert "conductance must be" in sentence(lambda: series(wrong(W)))
    assert "values must be" in sentence(lambda: series(W, wrong(V)))
    assert "b must be" in sentence(lambda: poisson(wrong(B), K))
    if name != "none":
        assert "sink must be" in sentence(lambda: series(W, sink=wrong(V)))
        assert "source must be" in sentence(lambda: series(W, source=wrong(V)))
        assert "coefficient must be" in sentence(lambda: poisson(B, wrong(K)))


@pytest.mark.parametrize(
    "wrong",
    [
        [[0, 1], [1]],
        [[0, 1], [1, None]],
        torch.tensor([[0, 1], [1, 2]]).to_sparse(),
        torch.zeros(2, 2, dtype=torch.long, device="meta"),
        torch.tensor([[0.0, 1.0], [1.0, 2.0]], requires_grad=True),
        torch.tensor([[0.0, 1.0], [1.0, 2.0]], dtype=torch.bfloat16),
        np.zeros((2, 2), complex),
        [[0, 10**30]],
    ],
)
def test_edges_and_graphs_that_are_no_whole_numbers_are_refused(wrong):
    assert "expected whole" in sentence(lambda: GraphLaplacian(wrong, 3, [True, False, True]))
    assert "values of graph" in sentence(lambda: GraphLaplacian([[0, 1]], 3, [True, False, True], wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [1, 0, 1],
        [[True], [False, True]],
        [True, False],
        torch.tensor([True, False, True]).to_sparse(),
        torch.zeros(3, dtype=torch.bool, device="meta"),
        torch.tensor([1.0, 0.0, 1.0], requires_grad=True),
        np.ma.array([True, False, True], mask=[False, True, False]),
    ],
)
def test_pinned_nodes_that_are_no_booleans_are_refused(wrong):
    assert "pinned" in sentence(lambda: GraphLaplacian([[0, 1], [1, 2]], 3, wrong))


@pytest.mark.parametrize(("wrong", "words"), [(None, "Python objects"), (5, "value of edges is 5, expected whole")])
def test_single_values_are_no_edges(wrong, words):
    assert words in sentence(lambda: GraphLaplacian(wrong, 3, [True, False, True]))


# ---------------------------------------------------------------------------------------------------- narrow types


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_solutions_that_their_type_does_not_hold_are_refused_and_others_are_rounded_once(dtype):
    numbers = torch.finfo(dtype)
    w, source = W.to(dtype), torch.tensor([0.0, 1.0, 0.0], dtype=dtype)
    for size in (numbers.max / 4, 1.0, numbers.tiny * 8):
        narrow = series(w, 0 * V.to(dtype), source=size * source)
        wide = series(w.double(), 0 * V, source=(size * source).double())
        assert narrow.dtype == dtype and torch.equal(narrow, wide.to(dtype)) and narrow[1] > 0
    assert "does not hold" in sentence(lambda: series(w / 1024, 0 * V.to(dtype), source=source * numbers.max / 2))
    assert "does not hold" in sentence(lambda: series(w * 0 + 4096, 0 * V.to(dtype), source=source * numbers.tiny / 3))
    b, k = B.to(dtype), torch.ones_like(B).to(dtype)
    assert torch.equal(poisson(b, k), poisson(b.double(), k.double()).to(dtype))
    assert "does not hold" in sentence(lambda: poisson(b * 0 + numbers.max / 2, k / 1024))


def test_heads_and_graphs_of_any_size_are_held_to_the_type_by_themselves():
    pair = GraphLaplacian([[0, 1], [2, 3]], 4, [True, False, True, False], [0, 0, 1, 1])
    w, values = torch.ones(2), torch.tensor([1.0, 0.0, 1e-30, 0.0])
    assert pair.solve(w, values)[0].tolist() == pytest.approx([1.0, 1.0, 1e-30, 1e-30], rel=1e-6)
    source = torch.tensor([0.0, 1.0, 0.0, 1e-30])
    with pytest.raises(InputError, match=r"parts of size 1e-44"):
        pair.solve(torch.tensor([1.0, 1e14]), 0 * values, source=source)


# ---------------------------------------------------------------------------------------- transforms of torch.func


@pytest.mark.parametrize("method", ["direct", "dense", "amg", "cg"])
def test_transforms_of_torch_func_apply_to_graphs(method):
    """Two edges in series between the values 0 and 3: x_1 = 3 w_1 / (w_0 + w_1)."""

    def middle(w, v=3 * V):
        return series(w, v, method=method)[1]

    def exact(w):
        return 3 * w[1] / w.sum()

    several = torch.stack([W, 2 * W, W.flip(0), W**2])
    torch.testing.assert_close(grad(middle)(W), grad(exact)(W))
    torch.testing.assert_close(jacrev(middle)(W), jacfwd(middle)(W))
    torch.testing.assert_close(jvp(middle, (W,), (several[2],)), jvp(exact, (W,), (several[2],)))
    torch.testing.assert_close(vmap(middle)(several), vmap(exact)(several))
    torch.testing.assert_close(vmap(grad(middle))(several), vmap(grad(exact))(several))
    torch.testing.assert_close(
        vmap(lambda w: jvp(middle, (w,), (W,))[1])(several), vmap(lambda w: jvp(exact, (w,), (W,))[1])(several)
    )
    both = vmap(middle)(several, several @ torch.ones(2, 3, dtype=torch.float64) * V)
    torch.testing.assert_close(both, several[:, 1])
    with pytest.raises(InputError, match="second derivative"):
        grad(lambda w: grad(middle)(w).sum())(W)


def test_transforms_of_torch_func_apply_to_poisson_systems():
    several = torch.stack([K, K.flip(0), K**2])
    for k, x in zip(several, vmap(poisson, (None, 0))(B, several), strict=True):
        torch.testing.assert_close(x, poisson(B, k))
    gradients = vmap(grad(lambda k: poisson(B, k).sum()))(several)
    for k, found in zip(several, gradients, strict=True):
        leaf = k.clone().requires_grad_()
        torch.testing.assert_close(found, torch.autograd.grad(poisson(B, leaf).sum(), leaf)[0])
    x, pull = vjp(lambda b: poisson(b, K), B)
    torch.testing.assert_close(pull(B)[0], x)  # the inverse is symmetric
    torch.testing.assert_close(jvp(lambda b: poisson(b, K), (B,), (2 * B,))[1], 2 * x)


def test_a_wrong_value_under_a_transform_is_named():
    with pytest.raises(InputError, match=r"conductance is -1 on edge 0 between the nodes 0 and 1, expected"):
        vmap(series)(torch.stack([W, -W]))
    with pytest.raises(InputError, match=r"coefficient must be finite and > 0"):
        grad(lambda k: poisson(B, k).sum())(K - 2)


def test_conductances_that_change_behind_the_back_of_torch_are_refused():
    w = W.clone().requires_grad_()
    x = series(w)
    w.data.mul_(torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert "was changed after the solve" in sentence(lambda: torch.autograd.grad(x[1], w))
