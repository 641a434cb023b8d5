"""The measurements of ``sciml bench cgs`` on triangulations: order of finite elements, and learned weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial import Delaunay

from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.cgs.diffusion import PositiveEdgeWeights, TrainingExample, fit_weights, solve_positive
from sciml.mesh import Group, Mesh, make_mesh
from sciml.mesh.make import from_skfem
from sciml.reference.diffusion_finite_elements import DiffusionProblem, solve_diffusion

HELD_OUT = 10_000  # added to the seed of meshes that are not trained on
POINTS, LARGE = (60, 160), 1000  # of the meshes of training, and of larger ones
VIOLATION = 1e-9  # beyond the range of the boundary values, relative to its width, counts

Solve = Callable[[DiffusionProblem], np.ndarray]


def order(job: Job) -> dict[str, Any]:
    """Measure the error of finite elements on ``job["shape"]`` with ``job["refinements"]`` and its order.

    The problem is -div((1 + x) grad u) = f with u = sin(x) e^y (z + 2), the last factor in 3-D only.
    """

    def measure() -> dict[str, float]:
        coarse, fine = (_manufactured(make_mesh(job["shape"], job["refinements"] + more)) for more in (0, 1))
        return {"relative_l2": fine, "order": math.log2(coarse / fine)}

    return outcome(measure)


def obtuse(job: Job) -> dict[str, Any]:
    """Measure ``job["weights"]``, ``"fem"``, ``"clipped"`` or ``"learned"``, on sheared meshes with obtuse triangles.

    Returns
    -------
    dict
        ``last`` holds the mean relative L2 errors on meshes of the size of training and on larger ones, and the largest
        excess over the range of the boundary values, relative to its width, on problems without sources.
    """

    def measure() -> dict[str, float]:
        begin, parameters = time.process_time(), 0
        solve = {"fem": solve_diffusion, "clipped": _clipped}.get(job["weights"])
        if solve is None:
            weights = PositiveEdgeWeights(seed=job["seed"])
            draws = np.random.default_rng(job["seed"])
            fit_weights(weights, [_example(draws) for _ in range(job["examples"])], updates=job["updates"])
            parameters = sum(each.numel() for each in weights.parameters())

            def solve(problem: DiffusionProblem) -> np.ndarray:
                return solve_positive(problem, weights)

        seconds, draws = time.process_time() - begin, np.random.default_rng(HELD_OUT + job["seed"])
        alike = [_example(draws) for _ in range(job["tests"])]
        larger = [_example(draws, LARGE) for _ in range(job["tests"] // 4)]
        return {
            "relative_l2": _mean_error(solve, alike),
            "relative_l2_larger": _mean_error(solve, larger),
            "excess": max(_excess(solve, each.problem) for each in alike),
            "negative": float(np.mean([each.problem.negative / len(each.problem.edges) for each in alike])),
            **({"weights": parameters, "seconds": seconds} if parameters else {}),
        }

    return outcome(measure)


def _manufactured(mesh: Mesh) -> float:
    def last(x: np.ndarray) -> np.ndarray | float:
        return x[:, 2] + 2 if x.shape[1] == 3 else 1.0

    def exact(x: np.ndarray) -> np.ndarray:
        return np.sin(x[:, 0]) * np.exp(x[:, 1]) * last(x)

    def source(x: np.ndarray) -> np.ndarray:  # the Laplacian of u is zero
        return -np.cos(x[:, 0]) * np.exp(x[:, 1]) * last(x)

    problem = DiffusionProblem(mesh, {"boundary": exact}, lambda x: 1 + x[:, 0], source)
    return _integrated_error(problem, solve_diffusion(problem), exact)


def _integrated_error(problem: DiffusionProblem, u: np.ndarray, exact: Callable[[np.ndarray], np.ndarray]) -> float:
    """Return the relative L2 error with that of the piecewise linear interpolation, by quadrature."""
    import skfem

    mesh = problem.mesh.to_skfem()
    basis = skfem.Basis(mesh, mesh.elem(), intorder=5)
    places = np.asarray(basis.global_coordinates())
    true = exact(places.reshape(len(places), -1).T).reshape(basis.dx.shape)
    off = np.asarray(basis.interpolate(u)) - true
    return float(np.sqrt((off**2 * basis.dx).sum() / (true**2 * basis.dx).sum()))


def _clipped(problem: DiffusionProblem) -> np.ndarray:
    return solve_diffusion(problem, weights=np.maximum(problem.weights, 1e-9 * problem.weights.max()))


def _mean_error(solve: Solve, examples: list[TrainingExample]) -> float:
    return float(np.mean([each.problem.error(solve(each.problem), each.target) for each in examples]))


def _excess(solve: Solve, problem: DiffusionProblem) -> float:
    """Return by how much u leaves the range of its boundary values if there is no source, 0 up to rounding."""
    without = DiffusionProblem(problem.mesh, problem.dirichlet, problem.coefficient)
    u, (held, values) = solve(without), without.pinned
    low, high = values[held].min(), values[held].max()
    found = max(low - u.min(), u.max() - high) / (high - low)
    return float(found) if found > VIOLATION else 0.0


def _example(draws: np.random.Generator, points: int | None = None) -> TrainingExample:
    """Return a problem on a random mesh, stretched and sheared, and its solution on a mesh with 16 times the cells."""
    mesh = _sheared_mesh(draws, points or int(draws.integers(*POINTS)))
    waves, phases, sizes = draws.normal(size=(3, 2)) * 2, draws.uniform(0, 6, 3), draws.normal(size=3) * 0.4
    slow, shift, source = draws.normal(size=(3, 2)) * 1.5, draws.uniform(0, 6, 3), float(draws.normal())

    def coefficient(x: np.ndarray) -> np.ndarray:
        return np.exp(np.cos(x @ waves.T + phases) @ sizes)

    def on_boundary(x: np.ndarray) -> np.ndarray:
        return np.cos(x @ slow.T + shift).sum(axis=1)

    problem, reference = (
        DiffusionProblem(each, {"boundary": on_boundary}, coefficient, source)
        for each in (mesh, _with_boundary(from_skfem(mesh.to_skfem().refined(2))))
    )
    return TrainingExample(problem, solve_diffusion(reference)[: mesh.n_points])


def _sheared_mesh(draws: np.random.Generator, points: int) -> Mesh:
    side = round(math.sqrt(points))
    ends, zeros = np.linspace(0, 1, side), np.zeros(side)
    faces = [(ends, zeros), (ends, zeros + 1), (zeros[1:-1], ends[1:-1]), (zeros[1:-1] + 1, ends[1:-1])]
    boundary = np.concatenate([np.stack(face, axis=1) for face in faces])
    inside = draws.uniform(0.5 / side, 1 - 0.5 / side, (points - len(boundary), 2))
    x = np.concatenate([boundary, inside])
    triangles = Delaunay(x).simplices
    areas = np.abs(np.linalg.det(x[triangles[:, 1:]] - x[triangles[:, :1]]))
    stretch, shear, angle = draws.uniform(1, 3), draws.uniform(0, 1.5), draws.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    x = x @ np.array([[stretch, 0.0], [stretch * shear, 1.0]]) @ turn
    return _with_boundary(Mesh(x, {"triangle": triangles[areas > 1e-8]}))


def _with_boundary(mesh: Mesh) -> Mesh:
    return Mesh(mesh.points, mesh.cells, {"boundary": Group(1, facets=mesh.boundary().cells["line"])})
