"""The torch back end against the numba one, and the algebra that both have to satisfy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import spsolve
from torch.utils._python_dispatch import TorchDispatchMode

from sciml.linalg import MultigridPreconditioner, VoxelPoisson, solve
from sciml.linalg.kernels import torch_backend as backend
from sciml.linalg.kernels import torch_setup as setup
from sciml.linalg.kernels.stencil import FORWARD, SEVEN_POINT, coarse_offsets
from sciml.linalg.kernels.torch_vectors import GridOperator, TorchVectors
from sciml.linalg.krylov import flexible_conjugate_gradients

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
    ),
]
# Shapes divisible by two, odd, and thin; spacings that are coarsened along all axes, and along some only.
GRIDS = [
    pytest.param((24, 24, 24), None, id="cube"),
    pytest.param((17, 21, 14), (1.0, 1.9, 2.8), id="odd-3d"),
    pytest.param((12, 40, 9), (1.0, 5.0, 1.0), id="stretched-3d"),
    pytest.param((40, 37), None, id="2d"),
    pytest.param((33, 65), (1.0, 5.0), id="stretched-2d"),
]


def obstacles(shape, *, variable=True, spacing=None, seed=0):
    """Fluid with random air and solid cells, and open on one side."""
    rng = np.random.default_rng(seed)
    cells = rng.choice(np.array([0, 0, 0, 0, 0, 1, 2], np.uint8), size=shape)
    coefficient = np.exp(1.5 * rng.normal(size=shape)) if variable else None
    return VoxelPoisson.from_cells(cells, coefficient=coefficient, spacing=spacing, outside={"x-": "dirichlet"})


def flow_around_a_cube(n=24):
    cells = np.zeros((n, n, n), np.uint8)
    cells[n // 3 : 2 * n // 3, n // 3 : 2 * n // 3, n // 3 : 2 * n // 3] = 2
    return VoxelPoisson.from_cells(cells, outside={"z+": "dirichlet"})


def right_hand_side(problem, seed=1):
    return np.where(problem.fluid, np.random.default_rng(seed).normal(size=problem.shape), 0.0)


def relative(value, reference):
    value = value.cpu().numpy() if isinstance(value, torch.Tensor) else value
    return np.abs(value - reference).max() / np.abs(reference).max()


@pytest.mark.parametrize("device", DEVICES)
# What a cell loses to Dirichlet neighbours is a difference of couplings: float32 keeps fewer than seven digits of it.
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 5e-5)])
@pytest.mark.parametrize("variable", [False, True], ids=["constant", "variable"])
@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
def test_hierarchy_and_cycle_agree_with_the_numba_back_end(shape, spacing, variable, dtype, tolerance, device):
    problem = obstacles(shape, variable=variable, spacing=spacing)
    expected = MultigridPreconditioner(problem, dtype=dtype)
    ours = MultigridPreconditioner(problem, dtype=dtype, backend="torch", device=device)
    assert [level.shape for level in ours.levels] == [tuple(level.shape) for level in expected.levels]
    assert [level.unknowns() for level in ours.levels] == [level.unknowns() for level in expected.levels]
    for level, reference in zip(ours.levels, expected.levels, strict=True):
        assert relative(level.inverse, reference.inverse) < tolerance
        if reference.full:
            assert relative(level.stencil, reference.operator) < tolerance
        for each, other in zip(level.interpolations, reference.interpolations, strict=True):
            inside = (slice(1, -1),) * 3
            assert relative(each.left[inside], other.left[inside]) < tolerance
            assert relative(each.right[inside], other.right[inside]) < tolerance
    residual = right_hand_side(problem)
    assert relative(ours(residual), expected(residual)) < tolerance


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("shape", "spacing"), GRIDS)
def test_cycle_is_symmetric_and_positive(shape, spacing, device):
    problem = obstacles(shape, spacing=spacing)
    M = MultigridPreconditioner(problem, dtype=np.float64, backend="torch", device=device)
    u, v = right_hand_side(problem, 2), right_hand_side(problem, 3)
    Mu, Mv = M(u), M(v)
    assert abs(np.vdot(Mu, v) - np.vdot(u, Mv)) < 1e-12 * np.linalg.norm(Mu) * np.linalg.norm(v)
    assert np.vdot(Mu, u) > 0
    assert not Mu[~problem.fluid].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("full", [False, True], ids=["7-point", "27-point"])
def test_galerkin_stencil_is_the_product_of_restriction_operator_and_prolongation(full, axis):
    """<A_c X, Y> = <A P X, P Y>, and <P X, y> = <X, P^T y>."""
    stencil, offsets = setup.finest_stencil(obstacles((9, 12, 11)), np.dtype(np.float64)), SEVEN_POINT
    if full:
        for along in range(3):
            stencil, _ = setup.coarsen(stencil, offsets, along)
            offsets = coarse_offsets(offsets, along)
        assert offsets == FORWARD
    coarse, P = setup.coarsen(stencil, offsets, axis)
    cells = stencil.shape[1 + axis] - 2
    generator = torch.Generator().manual_seed(0)
    active = (coarse[-1] > 0).double()
    X, Y = (torch.randn(active.shape, generator=generator, dtype=torch.float64) * active for _ in range(2))
    y = backend.with_halo(torch.randn([n - 2 for n in stencil.shape[1:]], generator=generator, dtype=torch.float64))
    PX, PY = P.prolong(X, cells), P.prolong(Y, cells)
    assert PX.shape == y.shape
    torch.testing.assert_close((PX * y).sum(), (X * P.restrict(y)).sum(), rtol=1e-12, atol=1e-12)
    fine = (backend.apply_stencil(stencil, offsets, PX) * backend.shifted(PY)).sum()
    product = backend.apply_stencil(coarse, coarse_offsets(offsets, axis), X)
    torch.testing.assert_close((product * backend.shifted(Y)).sum(), fine, rtol=1e-12, atol=1e-12)


def test_constants_are_interpolated_exactly_where_nothing_flows_out():
    problem = VoxelPoisson.from_cells(np.zeros((8, 8, 8), np.uint8))
    stencil = setup.finest_stencil(problem, np.dtype(np.float64))
    for axis in range(3):
        _, P = setup.coarsen(stencil, SEVEN_POINT, axis)
        ones = backend.with_halo(torch.ones_like(backend.shifted(P.left)))
        torch.testing.assert_close(backend.shifted(P.prolong(ones, 8)), torch.ones(8, 8, 8, dtype=torch.float64))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_set_up_is_differentiable_in_the_couplings(axis):
    """Autograd through interpolation rule and Galerkin product agrees with central differences."""
    shape = (4, 5, 3)
    generator = torch.Generator().manual_seed(axis)
    couplings = (0.5 + torch.rand((4, *shape), generator=generator, dtype=torch.float64)).requires_grad_()

    def coarse(values):
        kept = [values[slot].narrow(2 - slot, 0, shape[2 - slot] - 1) for slot in range(3)]
        pads = [(0, 1, 0, 0, 0, 0), (0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 1)]
        forward = [torch.nn.functional.pad(part, pad) for part, pad in zip(kept, pads, strict=True)]
        backward = [part.roll(1, 2 - slot) for slot, part in enumerate(forward)]  # the last plane is 0
        stencil = backend.with_halo(torch.stack([*forward, values[3] + sum(forward) + sum(backward)]))
        result, P = setup.coarsen(stencil, SEVEN_POINT, axis)
        return result, P.left, P.right

    assert torch.autograd.gradcheck(coarse, couplings, fast_mode=True)


def test_derivative_of_the_cycle_is_the_cycle():
    """The gradient of v . M b with respect to b is M v: M is linear and symmetric, and autograd passes through it."""
    problem = obstacles((17, 21, 14))
    M = MultigridPreconditioner(problem, dtype=np.float64, backend="torch")
    finest = M.levels[0]
    b, v = (backend.with_halo(torch.from_numpy(right_hand_side(problem, seed))) for seed in (4, 5))
    finest.b = b.requires_grad_()
    M.cycle()
    (finest.x * v).sum().backward()
    finest.b = v
    M.cycle()
    torch.testing.assert_close(b.grad, finest.x.detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_solve_takes_the_same_iterations_on_either_back_end(dtype, device):
    problem = flow_around_a_cube()
    b = right_hand_side(problem)
    results = [
        solve(problem, b, rtol=1e-10, preconditioner=MultigridPreconditioner(problem, dtype=dtype, **options))
        for options in ({}, {"backend": "torch", "device": device})
    ]
    assert results[0].iterations == results[1].iterations
    assert results[1].status == "converged" and results[1].true_residual <= 1e-10
    assert relative(results[1].x, results[0].x) < 1e-9
    residual = b - problem.matvec(results[1].x)
    assert np.linalg.norm(residual) <= 1.01e-10 * np.linalg.norm(b)


@pytest.mark.parametrize("device", DEVICES)
def test_one_hierarchy_serves_many_right_hand_sides_and_a_new_geometry(device):
    problem = flow_around_a_cube()
    M = MultigridPreconditioner(problem, dtype=np.float64, backend="torch", device=device)
    for geometry in (problem, obstacles(problem.shape)):
        M.update(geometry)
        batch = np.stack([right_hand_side(geometry, seed) for seed in range(3)])
        result = solve(geometry, batch, rtol=1e-10, preconditioner=M)
        for x, b in zip(result.x, batch, strict=True):
            assert np.linalg.norm(b - geometry.matvec(x)) <= 1.01e-10 * np.linalg.norm(b)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(9, 8, 7), (15, 12)])
def test_vectors_without_preconditioner_are_plain_conjugate_gradients(shape, device):
    problem = obstacles(shape, seed=1)
    b = right_hand_side(problem)
    start = right_hand_side(problem, 7)
    vectors = TorchVectors(GridOperator(problem, device), b, start, None)
    scale = float(np.linalg.norm(b))
    result = flexible_conjugate_gradients(vectors, 1e-12 * scale, scale, maxiter=5000)
    assert result.true_residual <= 1e-12
    expected = spsolve(problem.to_csr().tocsc(), b[problem.fluid])
    np.testing.assert_allclose(vectors.solution()[problem.fluid], expected, rtol=0, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("useless", [np.nan, -1.0, 0.0], ids=["nan", "negative", "zero"])
def test_vectors_survive_a_useless_preconditioner(useless, device):
    problem = flow_around_a_cube(12)
    b = right_hand_side(problem)
    scale = float(np.linalg.norm(b))
    vectors = TorchVectors(GridOperator(problem, device), b, None, lambda r: useless * r)
    result = flexible_conjugate_gradients(vectors, 1e-8 * scale, scale, maxiter=1000)
    assert result.status == "fallback" and result.true_residual <= 1e-8


def test_a_cycle_holds_nothing_that_a_cuda_graph_cannot_record():
    """No value goes to the host or comes from it, and no shape depends on values."""
    M = MultigridPreconditioner(flow_around_a_cube(), backend="torch")
    called = set()

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            called.add(operation.overloadpacket.__name__)
            return operation(*args, **(kwargs or {}))

    with Recorder():
        M.cycle()
    assert "addcmul" in called
    assert not called & {"_local_scalar_dense", "_to_copy", "copy_", "nonzero", "scalar_tensor", "lift_fresh", "where"}


def test_values_off_the_fluid_do_not_matter():
    problem = obstacles((10, 9, 8))
    b = right_hand_side(problem)
    scale = float(np.linalg.norm(b))
    fill = np.where(problem.fluid, 0.0, 1e3)
    vectors = TorchVectors(GridOperator(problem), b + fill, fill, lambda r: r + fill)
    result = flexible_conjugate_gradients(vectors, 1e-10 * scale, scale, maxiter=1000)
    x = vectors.solution()
    assert result.true_residual <= 1e-10
    assert not x[~problem.fluid].any()
    assert np.linalg.norm(b - problem.matvec(x)) <= 1.01e-10 * scale


def test_the_coarsest_operator_is_positive_where_a_faint_tail_reaches_a_solid_cell(make_case):
    """Its eigenvalues lie in [0, 2] times the scaling; couplings left behind by a dropped cell gave one at -14."""
    problem = make_case("jumps", 32, 100)
    levels, stencil = backend.build(problem.normalised()[0], np.dtype(np.float64), 700)
    cells = int(np.prod(levels[-1].shape))
    units = backend.with_halo(torch.eye(cells, dtype=torch.float64).reshape(cells, *levels[-1].shape))
    matrix = backend.apply_stencil(stencil, FORWARD, units).reshape(cells, cells).numpy()
    active = matrix.diagonal() > 0
    scale = 1.0 / np.sqrt(matrix.diagonal()[active])
    eigenvalues = np.linalg.eigvalsh(matrix[np.ix_(active, active)] * np.outer(scale, scale))
    assert eigenvalues.min() > 1e-3
    assert eigenvalues.max() < 4.0
