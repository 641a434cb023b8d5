"""Learned multigrid: two implementations of one rule, and what the rule promises whatever the network has learned."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch

from sciml.dcdm import LearnedRules, MultigridTask, learned_multigrid
from sciml.dcdm.multigrid_task import System, iterations
from sciml.dcdm.rule_kernels import exponential, logarithm
from sciml.linalg import MultigridPreconditioner, VoxelPoisson, solve
from sciml.linalg.kernels.numba_backend import build, coarsen, finest, interpolation_weights
from sciml.linalg.kernels.stencil import SEVEN_POINT, coarse_offsets
from sciml.linalg.kernels.torch_stencil import with_halo
from sciml.linalg.multigrid.smoother import SMOOTHING_INTERVAL, chebyshev_factors
from sciml.numerics.random import seeded
from sciml.reference.poisson_cases import poisson_case

SHAPES = [(14, 18, 12), (15, 13, 17), (12, 17, 20), (26, 24), (25, 33)]
TOLERANCES = {np.float32: 1e-5, np.float64: 1e-10}
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def variable_problem(shape, obstacles: float = 0.1, seed: int = 0, spread: float = 2.0) -> VoxelPoisson:
    random = np.random.default_rng(seed)
    cells = random.choice(3, shape, p=(1 - obstacles, obstacles / 2, obstacles / 2)).astype(np.uint8)
    coefficient = np.exp(spread * random.standard_normal(shape))
    return VoxelPoisson.from_cells(cells, coefficient=coefficient, outside="dirichlet")


def random_rules(seed: int = 0, size: float = 0.5, dtype=np.float64) -> LearnedRules:
    """Rules whose corrections are of the order of 1."""
    with seeded(seed):
        rules = LearnedRules()
        for values in rules.network.parameters():
            torch.nn.init.normal_(values, std=size)
    return rules.to(torch.float32 if dtype == np.float32 else torch.float64)


def coarsenings(problem, rules, dtype):
    """Arguments (stencil, offsets, axis, level) of every coarsening that the rules are asked about."""
    seen = []

    def record(*coarsening):
        seen.append(coarsening)
        return rules.interpolate(*coarsening)

    build(problem.normalised()[0], np.dtype(dtype), 30, record)
    assert len({level for *_, level in seen}) >= 3
    return seen


@DTYPES
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kernels_make_the_weights_of_the_tensors_on_every_level(shape, dtype):
    rules, moved = random_rules(dtype=dtype), 0.0
    for stencil, *where in coarsenings(variable_problem(shape), rules, dtype):
        with torch.no_grad():
            expected = rules.interpolation(torch.from_numpy(stencil), *where)
        found = rules.interpolate(stencil, *where)
        for ours, theirs, classical in zip(found, expected, interpolation_weights(stencil, *where[:2]), strict=True):
            assert ours.dtype == dtype
            assert np.abs(ours - with_halo(theirs).numpy()).max() < TOLERANCES[dtype]
            moved = max(moved, np.abs(ours - classical).max())
    assert moved > 0.1


@DTYPES
def test_untrained_network_leaves_the_relaxed_weights(dtype):
    relaxed, rules = LearnedRules(0), LearnedRules()
    for coarsening in coarsenings(variable_problem((14, 13, 16)), rules, dtype):
        for ours, theirs in zip(rules.interpolate(*coarsening), relaxed.interpolate(*coarsening), strict=True):
            assert np.abs(ours - theirs).max() < 10 * np.finfo(dtype).eps


@DTYPES
def test_sum_of_both_weights_is_the_classical_one(dtype):
    rules = random_rules(dtype=dtype)
    for coarsening in coarsenings(variable_problem((14, 13, 16)), rules, dtype):
        left, right = rules.interpolate(*coarsening)
        near, far = interpolation_weights(*coarsening[:3])
        assert np.abs(left + right - near - far).max() < 10 * np.finfo(dtype).eps
        assert min(left.min(), right.min()) >= 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirrored_problem_has_mirrored_weights(axis):
    """An odd number of cells keeps its parity in the mirror; its last odd cell is behind the boundary."""
    rules = random_rules()
    coefficient = np.exp(2 * np.random.default_rng(0).standard_normal((13, 15, 11)))
    others = [a for a in range(3) if a != axis]
    weights = []
    for values in (coefficient, np.flip(coefficient, axis)):
        problem = VoxelPoisson.from_cells(np.zeros(values.shape, np.uint8), coefficient=values, outside="dirichlet")
        stencil, offsets = finest(problem.normalised()[0], np.dtype(np.float64))[1], SEVEN_POINT
        weights.append([rules.interpolate(stencil, offsets, axis, 0)])
        for along in others:
            stencil, _ = coarsen(stencil, offsets, along, rules.interpolate)
            offsets = coarse_offsets(offsets, along)
            weights[-1].append(rules.interpolate(stencil, offsets, axis, 1))
    for (left, right), (mirrored_left, mirrored_right) in zip(*weights, strict=True):
        odd = [slice(1, -1)] * 3
        odd[axis] = slice(1, -2)
        assert np.allclose(np.flip(left[tuple(odd)], axis), mirrored_right[tuple(odd)], rtol=0, atol=1e-12)
        assert np.allclose(np.flip(right[tuple(odd)], axis), mirrored_left[tuple(odd)], rtol=0, atol=1e-12)
        assert np.abs(left - right)[tuple(odd)].max() > 0.5


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_constant_coefficient_keeps_the_classical_preconditioner(backend, monkeypatch):
    smoothing = [chebyshev_factors(degree, *SMOOTHING_INTERVAL) for degree in (3, 2)]
    monkeypatch.setattr(LearnedRules, "smoothing", lambda self, *, tensors: smoothing)
    random = np.random.default_rng(0)
    cells = random.choice(3, (13, 14, 12), p=(0.8, 0.1, 0.1)).astype(np.uint8)
    problem = VoxelPoisson.from_cells(cells, outside="dirichlet")
    residual = random.standard_normal(cells.shape)
    with torch.no_grad():
        ours = MultigridPreconditioner(problem, backend=backend, rules=random_rules())
        classical = MultigridPreconditioner(problem, backend=backend)
        assert len(ours.levels) > 1
        assert np.array_equal(ours(residual), classical(residual))
        # The same preconditioner has the rules back as soon as the coefficient varies.
        ours.update(variable_problem(cells.shape))
        classical.update(variable_problem(cells.shape))
        assert not np.allclose(ours(residual), classical(residual), rtol=1e-2)


def test_cycle_stays_symmetric_positive_definite(monkeypatch):
    monkeypatch.setattr("sciml.linalg.multigrid.preconditioner.COARSEST_CELLS", 40)
    problem = variable_problem((8, 9, 7), seed=3)
    rules = random_rules(size=1.0)
    with torch.no_grad():
        rules.intervals += torch.tensor([1.0, -1.0])
    preconditioner = MultigridPreconditioner(problem, dtype=np.float64, rules=rules)
    assert len(preconditioner.levels) >= 3
    matrix = preconditioner.as_linear_operator() @ np.eye(problem.unknowns)
    assert np.allclose(matrix, matrix.T, rtol=0, atol=1e-12 * np.abs(matrix).max())
    root = np.linalg.cholesky((matrix + matrix.T) / 2)
    spectrum = np.linalg.eigvalsh(root.T @ problem.to_csr() @ root)
    assert spectrum.min() > 1e-3
    assert spectrum.max() < 2


def test_gradient_of_the_training_loss_is_that_of_differences(monkeypatch):
    """The rule takes no derivatives of its features, so the differences hold them fixed."""
    monkeypatch.setattr("sciml.linalg.multigrid.preconditioner.COARSEST_CELLS", 100)
    problem = variable_problem((12, 12, 12), obstacles=0.0, spread=1.0).normalised()[0]
    task = MultigridTask(steps=3).double()
    task.rules = random_rules(size=0.3)
    b = with_halo(torch.from_numpy(np.random.default_rng(1).standard_normal(problem.shape)))
    features, recorded = learned_multigrid._features, []
    monkeypatch.setattr(learned_multigrid, "_features", lambda *a: recorded.append(features(*a)) or recorded[-1])

    def loss() -> torch.Tensor:
        return task.loss(System(problem, b))["reduction"]

    gradients = torch.autograd.grad(loss(), list(task.rules.parameters()))
    step = 1e-5
    for values, gradient in zip(task.rules.parameters(), gradients, strict=True):
        place = np.unravel_index(int(gradient.abs().argmax()), gradient.shape)
        if values is task.rules.network[-1].bias:
            assert gradient.abs().max() < 1e-12  # the rule is odd
            continue
        shifted = []
        for sign in (1, -1):
            replayed = iter(recorded)
            monkeypatch.setattr(learned_multigrid, "_features", lambda *a, source=replayed: next(source))
            with torch.no_grad():
                values[place] += sign * step
            shifted.append(loss().item())
            with torch.no_grad():
                values[place] -= sign * step
        assert (shifted[0] - shifted[1]) / (2 * step) == pytest.approx(gradient[place].item(), rel=1e-4, abs=1e-9)


def test_training_starts_from_about_the_classical_method():
    seeds = (0, 1, 2, 3)
    pairs = zip(*(iterations("jumps", 32, seeds, rules) for rules in (LearnedRules(), None)), strict=True)
    assert all(ours <= classical + 1 for ours, classical in pairs)


@DTYPES
def test_fast_functions_of_the_kernels(dtype):
    apply = numba.njit(lambda x: (exponential(x), logarithm(x * x + dtype(1e-4))))
    points = np.linspace(-30, 30, 1001).astype(dtype)
    found = np.array([apply(x) for x in points])
    assert np.allclose(found[:, 0], np.exp(points.astype(float)), rtol=30 * np.finfo(dtype).eps, atol=0)
    assert np.allclose(found[:, 1], np.log(points.astype(float) ** 2 + 1e-4), rtol=1e-6, atol=1e-6)


def test_shipped_rules_save_iterations_on_blocks_and_keep_the_solution():
    ours, classical = [], []
    for seed in (100, 101, 102):
        case = poisson_case("blocks", 32, seed)
        problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
        b = case.right_hand_side()
        learned, plain = solve(problem, b, method="learned", rtol=1e-8), solve(problem, b, rtol=1e-8)
        assert learned.status == plain.status == "converged"
        assert np.linalg.norm(learned.x - plain.x) < 1e-4 * np.linalg.norm(plain.x)
        ours.append(learned.iterations)
        classical.append(plain.iterations)
    assert sum(ours) <= 0.9 * sum(classical)
