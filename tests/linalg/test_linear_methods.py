"""The methods as objects: one list of names, options that are checked once, and the same solution from every one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pyamg
import pytest
import scipy.sparse as sp
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from sciml.dcdm import DeepConjugateDirections, LearnedMultigrid
from sciml.errors import InputError, NotStructuredError
from sciml.linalg import (
    AlgebraicMultigrid,
    Automatic,
    ConjugateGradients,
    Direct,
    FastTransform,
    Multigrid,
    MultigridPreconditioner,
    VoxelPoisson,
    solve,
)
from sciml.linalg.algebraic_multigrid import is_m_matrix
from sciml.linalg.linear_methods import choose
from sciml.linalg.registry import as_method, find, registered
from sciml.linalg.systems import as_matrix
from sciml.status import Status

BOX = VoxelPoisson.from_cells(np.zeros((12, 10), np.uint8), outside="dirichlet")
VARIABLE = VoxelPoisson.from_cells(np.zeros((4, 4), np.uint8), coefficient=np.arange(1.0, 17.0).reshape(4, 4))
OBSTACLE = VoxelPoisson.from_cells(np.pad(np.full((3, 3), 2, np.uint8), 5), outside={"x-": "dirichlet"})


# ------------------------------------------------------------------------------------------------------- the registry


def test_linalg_and_dcdm_share_one_list_of_names():
    assert list(registered()) == ["auto", "fft", "multigrid", "amg", "direct", "cg", "dcdm", "learned"]
    assert find("dcdm") is DeepConjugateDirections and find("learned") is LearnedMultigrid


def test_each_method_is_registered_under_its_name_with_a_summary_and_a_docstring_of_its_own():
    for name, method in registered().items():
        assert method.name == name and as_method(name).label == name
        assert len(method.summary.split()) >= 4
        assert method.__doc__ and not method.__doc__.startswith(method.__name__ + "(")
        assert method.kernels is None or method.kernels in registered()


def test_listing_the_methods_loads_no_numerics(repository):
    code = (
        "import sys; from sciml.linalg.registry import registered; registered(); "
        "print(*(name in sys.modules for name in ('torch', 'scipy', 'numba')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True, timeout=3600
    )
    assert done.stdout.split() == ["False"] * 3


# --------------------------------------------------------------------------------------------------------- the choice


@pytest.mark.parametrize(
    ("system", "preconditioner", "method"),
    [
        (BOX, None, FastTransform),
        (OBSTACLE, None, Multigrid),
        (VARIABLE, None, Multigrid),
        (as_matrix(pyamg.gallery.load_example("unit_cube")["A"]), None, AlgebraicMultigrid),
        (BOX, lambda r: r, ConjugateGradients),
        (OBSTACLE, MultigridPreconditioner(OBSTACLE), Multigrid),
    ],
)  # fmt: skip
def test_the_automatic_choice_is_the_method_made_for_the_system(system, preconditioner, method):
    assert choose(system, preconditioner) is method
    chosen = Automatic(preconditioner=preconditioner, rtol=1e-3, maxiter=7).chosen_for(system)
    assert (type(chosen), chosen.rtol, chosen.maxiter) == (method, 1e-3, 7)


def test_an_object_and_its_name_give_the_same_numbers(noise):
    b = noise(OBSTACLE)
    for name in ("multigrid", "cg", "learned"):
        by_name, by_object = solve(OBSTACLE, b, method=name), solve(OBSTACLE, b, method=find(name)())
        np.testing.assert_array_equal(by_name.x, by_object.x)
        assert by_name.method == by_object.method == name


def test_options_of_solve_take_the_place_of_those_of_the_object(noise):
    b = noise(OBSTACLE)
    loose = solve(OBSTACLE, b, method=Multigrid(rtol=1e-2))
    tight = solve(OBSTACLE, b, method=Multigrid(rtol=1e-2), rtol=1e-9)
    assert loose.iterations < tight.iterations and tight.true_residual <= 1e-9
    assert solve(OBSTACLE, b, method=ConjugateGradients(maxiter=2)).status is Status.MAXITER


def test_the_options_of_multigrid_reach_its_cycle(noise):
    b = noise(OBSTACLE)
    hierarchy = MultigridPreconditioner(OBSTACLE, degree=(1, 1), visits=1, dtype="float64")
    expected = solve(OBSTACLE, b, preconditioner=hierarchy, rtol=1e-8)
    result = solve(OBSTACLE, b, method=Multigrid(degree=(1, 1), visits=1, dtype="float64"), rtol=1e-8)
    np.testing.assert_array_equal(result.x, expected.x)
    assert result.method == expected.method == "multigrid"


def test_conjugate_gradients_take_a_preconditioner_as_those_of_scipy_do(noise):
    b = noise(OBSTACLE)
    exact = np.linalg.inv(OBSTACLE.to_csr().toarray())

    def inverse(r):
        z = np.zeros(OBSTACLE.shape)
        z[OBSTACLE.fluid] = exact @ r[OBSTACLE.fluid]
        return z

    result = solve(OBSTACLE, b, method=ConjugateGradients(preconditioner=inverse), rtol=1e-10)
    assert (result.method, result.status) == ("cg", "converged") and result.iterations <= 2


@pytest.mark.parametrize("method", ["auto", "cg"])
def test_a_function_as_preconditioner_runs_conjugate_gradients_and_is_reported_so(method, noise):
    b = noise(OBSTACLE)
    result = solve(OBSTACLE, b, method=method, preconditioner=lambda r: r / 4)
    assert (result.method, result.status) == ("cg", "converged")
    with pytest.raises(InputError, match=r"expected a MultigridPreconditioner; give a function to method='cg'\."):
        solve(OBSTACLE, b, method="multigrid", preconditioner=lambda r: r / 4)


# --------------------------------------------------------------------------------------------- factors and coarsening


def voronoi_like(contrast: float, seed: int = 0) -> sp.csr_array:
    """A random network in three dimensions with conductances of that contrast, grounded at one side."""
    rng = np.random.default_rng(seed)
    points = rng.random((3000, 3))
    pairs = cKDTree(points).query_pairs(0.11, output_type="ndarray")
    w = contrast ** rng.random(len(pairs))
    couplings = sp.coo_array((np.r_[w, w], (np.r_[pairs[:, 0], pairs[:, 1]], np.r_[pairs[:, 1], pairs[:, 0]])))
    ground = np.where(points[:, 0] < 0.1, 1.0, 1e-12)
    return sp.csr_array(sp.diags_array(couplings.sum(axis=1) + ground) - couplings)


def test_one_factorisation_serves_all_right_hand_sides(monkeypatch):
    matrix, made = voronoi_like(1e3), []
    factorise = sp.linalg.splu
    monkeypatch.setattr(sp.linalg, "splu", lambda *given, **options: made.append(1) or factorise(*given, **options))
    b = np.random.default_rng(1).standard_normal((4, matrix.shape[0]))
    result = solve(matrix, b, method="direct", rtol=1e-12)
    assert len(made) == 1 and (result.status, result.iterations, result.method) == ("converged", 0, "direct")
    np.testing.assert_allclose(result.x @ matrix, b, atol=1e-10)


def test_factors_that_rounding_keeps_from_the_tolerance_say_so():
    result = solve(voronoi_like(1e8), np.ones(3000), method=Direct(rtol=1e-30))
    assert result.status is Status.STAGNATED and result.true_residual < 1e-6


def test_classical_coarsening_is_taken_where_it_wins_and_aggregation_for_positive_couplings():
    matrix = voronoi_like(1e9)
    b = matrix @ np.random.default_rng(2).standard_normal(matrix.shape[0])
    its = {
        kind: solve(matrix, b, method=AlgebraicMultigrid(coarsening=kind), rtol=1e-8).iterations
        for kind in ("auto", "classical", "aggregation")
    }
    assert its["auto"] == its["classical"] < 0.5 * its["aggregation"]
    assert is_m_matrix(matrix)
    beam = sp.csr_array(pyamg.gallery.load_example("bar")["A"])
    assert not is_m_matrix(beam)


# ---------------------------------------------------------------------------------------------------------- bad input


@given(name=st.text(min_size=1), method=st.sampled_from(sorted(registered())))
@example("device", "fft")
@example("device", "amg")
@example("device", "dcdm")
@example("preconditioner", "learned")
@example("weights", "multigrid")
@settings(deadline=None)
def test_every_method_refuses_an_unknown_option_in_a_sentence(name, method):
    method = find(method)
    assume(name not in method.option_names())
    with pytest.raises(InputError) as caught:
        method().with_options(**{name: "cpu"})
    sentence = str(caught.value)
    assert sentence.startswith(f"method={method.name!r} has no option {name!r}, expected one of rtol, ")
    assert all(option in sentence for option in method.option_names()) and sentence[-1] in ".?"


@pytest.mark.parametrize("method", ["fft", "amg", "direct", "dcdm"])
def test_a_device_is_not_ignored_by_methods_without_one(method, noise):
    with pytest.raises(InputError, match=f"method='{method}' has no option 'device'"):
        solve(BOX, noise(BOX), method=method, device="cuda")
    with pytest.raises(InputError, match=r"device is 'nonsense', expected the name of a device"):
        solve(BOX, noise(BOX), device="nonsense")


def test_a_misspelt_option_is_told_the_nearest_one():
    with pytest.raises(InputError, match=r"has no option 'visit', .*; did you mean 'visits'\?"):
        Multigrid().with_options(visit=1)


WRONG = (object(), object, "no such thing", "", b"bytes", -1, 1.5, 3j, float("nan"), [], {}, (3,), np.ones((2, 2)))
OPTIONS = [(method, option) for method in registered().values() for option in method.option_names()]


@pytest.mark.parametrize(("method", "option"), OPTIONS, ids=lambda value: getattr(value, "name", value))
def test_each_option_of_each_method_refuses_values_of_other_kinds_when_the_object_is_made(method, option):
    fits = {"weights": (str,), "rtol": (float,), "atol": (float,), "preconditioner": (type,)}.get(option, ())
    wrong = [value for value in WRONG if not isinstance(value, fits) or value != value]
    for value in wrong:
        with pytest.raises(InputError, match=option) as caught:
            method(**{option: value})
        assert str(caught.value)[-1] in ".?"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Multigrid(rtol=0.0), "rtol and atol are both 0"),
        (lambda: Multigrid(degree=(3, 0)), "degree of the smoother is 0, expected a whole number of at least 1"),
        (lambda: Multigrid(visits=1.5), "visits is 1.5, expected a whole number"),
        (lambda: Multigrid(backend="jax"), "backend is 'jax', expected one of auto, numba, torch"),
        (lambda: AlgebraicMultigrid(cycle="Z"), "cycle is 'Z', expected one of V, W, F"),
        (lambda: AlgebraicMultigrid(max_coarse=0), "max_coarse is 0"),
        (lambda: AlgebraicMultigrid(coarsening="none"), "coarsening is 'none', expected one of auto, classical, aggr"),
        (lambda: ConjugateGradients(maxiter=True), "maxiter is True, expected a whole number"),
        (lambda: DeepConjugateDirections(history=0), "history is 0"),
        (lambda: DeepConjugateDirections(scales=0), "scales is 0"),
        (lambda: Multigrid(degree=3), "degree is 3, expected two numbers: for the finest and for the other levels"),
        (lambda: Multigrid(dtype="float16"), "dtype is float16, expected float32 or float64"),
        (lambda: DeepConjugateDirections("box2d_cpu"), "network is 'box2d_cpu', expected a DirectionNet; give"),
        (lambda: LearnedMultigrid("learned"), "rules is 'learned', expected LearnedRules; give the name"),
        (lambda: LearnedMultigrid(object(), weights="a"), "both a object and weights='a' were given"),
        (lambda: as_method(Multigrid), r"expected a name such as 'multigrid' or an object such as Multigrid\("),
        (lambda: find("multigird"), "did you mean 'multigrid'"),
    ],
)
def test_options_are_checked_when_the_object_is_made(make, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        make()
    assert str(caught.value)[-1] in ".?"


def test_a_method_cannot_be_changed_but_copied_with_other_options():
    method = Multigrid()
    with pytest.raises(FrozenInstanceError):
        method.rtol = 1e-3
    assert replace(method, rtol=1e-3).rtol == 1e-3 and method.rtol == 1e-6


def test_directions_of_a_network_take_no_initial_guess(noise):
    with pytest.raises(InputError, match="takes no initial guess"):
        solve(BOX, noise(BOX), method="dcdm", x0=np.ones(BOX.shape))


# ------------------------------------------------------------------------------------------------- all on one system


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_every_method_solves_a_small_system_to_its_tolerance_or_refuses_it_in_a_sentence(data):
    shape = tuple(data.draw(st.lists(st.integers(8, 12), min_size=2, max_size=2)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    cells = np.where(rng.random(shape) < data.draw(st.sampled_from([0.0, 0.2])), 2, 0).astype(np.uint8)
    cells.flat[0] = 0
    coefficient = 10.0 ** rng.uniform(-1, 1, shape) if data.draw(st.booleans()) else None
    problem = VoxelPoisson.from_cells(cells, coefficient=coefficient, outside={"x-": "dirichlet", "y+": "dirichlet"})
    matrix = data.draw(st.booleans()) and not (problem.diagonal[problem.fluid] == 0).any()
    b = np.where(problem.fluid, rng.standard_normal(shape), 0.0)
    labels, count = problem.closed_components
    for label in range(1, count + 1):
        b[labels == label] -= b[labels == label].mean()
    b[problem.diagonal == 0] = 0.0
    rtol = data.draw(st.sampled_from([1e-3, 1e-6, 1e-8]))
    for name, method in registered().items():
        system, right = (problem.to_csr(), b[problem.fluid]) if matrix else (problem, b)
        try:
            result = solve(system, right, method=name, rtol=rtol)
        except NotStructuredError as refusal:
            unsuitable = method.needs == "box" or (method.needs == "grid" and matrix)
            sentence = str(refusal)
            if not (unsuitable and sentence.endswith(".") and "use method=" in sentence):
                raise
            continue
        product = problem.matvec(result.x) if not matrix else system @ result.x
        assert result.converged, (name, result)
        assert np.linalg.norm(right - product) <= 1.1 * rtol * np.linalg.norm(right)
