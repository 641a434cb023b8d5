"""What is given to coupled experts and their problems, and is refused in a sentence where nothing right can follow."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from sciml.domains import Box
from sciml.errors import InputError
from sciml.hcmoe import (
    Burgers,
    BurgersWaves,
    ChebyshevBasis,
    CoupledExperts,
    DiffusionSorption,
    Elements,
    ExpertConstraint,
    GridBasis,
    Heat,
    NetworkBasis,
    Projection,
    Slabs,
)
from sciml.hcmoe.problems.base import instances_of
from sciml.reference.burgers_cole_hopf import periodic_burgers
from sciml.reference.trigonometric_series import TrigonometricSeries

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def heat() -> tuple[CoupledExperts, list]:
    experts = CoupledExperts(Heat(), Elements(2, 8), Slabs(2, 6))
    return experts, [state for state, _ in experts.run()]


def points(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@given(
    x=st.decimals(-3, 3, places=3).map(float) | st.just(math.nan),
    time=st.decimals(-1, 2, places=3).map(float) | st.just(math.nan),
    number=st.sampled_from([1, 2]),
)
@settings(deadline=None, max_examples=60)
def test_a_solution_is_known_in_the_interval_and_in_the_slab_and_refused_elsewhere(heat, x, time, number):
    experts, states = heat
    inside = 0 <= x <= 1 and 0.5 * (number - 1) <= time <= 0.5 * number
    if inside:
        exact = experts.problem.exact(points(x)[:, None], time)
        assert experts.values(states[number - 1], points(x), time)[0] == pytest.approx(exact[:, 0], abs=1e-3)
    else:
        with pytest.raises(InputError, match=r"expected (numbers from|a finite number)"):
            experts.values(states[number - 1], points(x), time)


def test_solutions_are_checked_under_the_transforms_of_torch_and_transformed_as_they_are(heat):
    experts, (state, _) = heat
    x, far = points(0.2, 0.5), points(0.2, 1.5)

    def u(place: Tensor) -> Tensor:
        return experts.values(state, place[None], 0.3)[0, 0]

    assert torch.allclose(torch.func.vmap(u)(x), experts.values(state, x, 0.3)[0], rtol=1e-13)
    (slopes,) = torch.autograd.grad(experts.values(state, x.requires_grad_(), 0.3).sum(), x)
    assert torch.allclose(torch.func.vmap(torch.func.grad(u))(x.detach()), slopes, rtol=1e-12)
    assert slopes.abs().max() > 1
    times = torch.func.vmap(lambda time: experts.values(state, x.detach(), time)[0])(points(0.1, 0.4))
    assert torch.allclose(times[1], experts.values(state, x.detach(), 0.4)[0], rtol=1e-13)
    for transformed in (torch.func.vmap(u), torch.func.vmap(torch.func.grad(u))):
        with pytest.raises(InputError, match=r"1 of 2 values of the points are outside, the first of them 1\.5"):
            transformed(far)
    with pytest.raises(InputError, match="slab 1 covers these"):
        torch.func.jvp(lambda time: experts.values(state, x.detach(), time), (points(0.6),), (points(1.0),))


def test_ends_of_slabs_and_of_the_interval_are_inside_in_either_precision():
    class Rooted(Heat):
        time_power = 2.0

    experts = CoupledExperts(Rooted(1e-3, duration=300.7), Elements(4, 8), Slabs(3, 3, 0.01))
    states = [state for state, _ in experts.run()]
    for dtype, (number, state) in itertools.product((torch.float32, torch.float64), enumerate(states)):
        for time in experts.times[number : number + 2]:
            assert experts.values(state, torch.tensor([0.0, 1.0], dtype=dtype), time).isfinite().all()
    assert experts.slab_at(300.7) == 3


@given(number=JUNK.filter(lambda each: type(each) is not int or each not in (0, 1)))
@settings(deadline=None)
def test_only_the_numbers_of_slabs_that_are_there_are_solved(heat, number):
    experts, _ = heat
    with pytest.raises(InputError, match="number of slabs that are solved"):
        experts.advance(number, experts.start)


@pytest.mark.parametrize("start", [None, 1.0, torch.zeros(3), torch.zeros(1, 2, 9).long(), torch.zeros(2, 2, 9)])
def test_a_start_of_another_shape_or_type_is_refused(heat, start):
    with pytest.raises(InputError, match="start of a slab"):
        heat[0].advance(0, start)


@given(one=JUNK, other=JUNK)
@settings(deadline=None, max_examples=300)
def test_coefficients_are_finite_numbers_of_one_length_or_refused(one, other):
    try:
        found = instances_of(one=one, other=other)
    except InputError:
        return
    assert found["one"].shape == found["other"].shape != (0,)
    assert all(each.dtype == torch.float64 and bool(each.isfinite().all()) for each in found.values())


def test_coefficients_keep_the_gradients_of_tensors():
    value = torch.tensor([0.1, 0.2], requires_grad=True)
    found = instances_of(diffusivity=value, other=3)
    (gradient,) = torch.autograd.grad((found["diffusivity"] * found["other"]).sum(), value)
    assert torch.equal(gradient, torch.tensor([3.0, 3.0]))


@given(value=st.none() | st.complex_numbers() | st.text(max_size=3) | st.lists(st.none() | st.text(max_size=3)))
@settings(deadline=None, max_examples=40)
def test_problems_refuse_coefficients_that_are_no_numbers(value):
    for problem in (Heat, Burgers, DiffusionSorption):
        with pytest.raises(InputError):
            problem(value)


@given(
    count=st.integers(1, 12),
    towards=st.lists(st.floats(-1, 2) | st.sampled_from([0.0, 1.0]), max_size=3).map(sorted),
    exponent=st.floats(-320, 0),
)
@settings(deadline=None, max_examples=300)
def test_elements_cover_the_interval_with_sizes_that_double_precision_resolves(count, towards, exponent):
    try:
        faces = Elements(count, 5, towards, 10**exponent if towards else None).faces(0.0, 1.0)
    except InputError:
        return
    assert float(faces[0]) == 0
    assert float(faces[-1]) == 1
    assert len(faces) == count + 1
    assert float(faces.diff().min()) >= 1e-10
    assert set(towards) <= set(faces.tolist())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None,), "the problem is None"),
        ((Heat(), 4), "elements is 4, expected Elements"),
        ((Heat(), None, 4), "slabs is 4, expected Slabs"),
        ((Heat(), None, None, 4), "iteration is 4, expected BatchedSettings"),
        ((Heat(), Elements(60_000, 40), Slabs(1, 40)), "GiB, expected at most 8"),
        ((Heat([0.1] * 10_000),), "GiB, expected at most 8"),
    ],
)
def test_experts_refuse_what_is_none_of_their_settings_or_fits_no_memory(arguments, said):
    with pytest.raises(InputError, match=said):
        CoupledExperts(*arguments)


GRID = torch.linspace(0, 1, 8, dtype=torch.float64)


@pytest.mark.parametrize("grid", [GRID.tolist(), GRID.numpy(), GRID.flip(0), GRID + 0.5, GRID[:, None], GRID[:0], None])
def test_grids_of_constraints_that_are_no_rising_tensors_in_the_domain_are_refused(grid):
    for times, x, name in ((grid, GRID, "times"), (GRID, grid, "places")):
        with pytest.raises(InputError, match=f"the {name} of the constraint"):
            ExpertConstraint(Heat(), times, x)


@given(experts=JUNK.filter(lambda each: each not in ((1, 1), [1, 1], (True, 1))))
@settings(deadline=None)
def test_numbers_of_experts_are_two_that_divide_the_grid(experts):
    with pytest.raises(InputError, match="experts"):
        ExpertConstraint(Heat(), GRID[:1], GRID[:1], experts)


def test_more_elements_or_slabs_than_a_computer_can_hold_are_refused():
    for make in (lambda: Elements(10**9), lambda: Slabs(10**9), lambda: Elements(4, towards=0.5, smallest=0.1)):
        with pytest.raises(InputError):
            make()


BAD_STATEMENTS = {
    "domain": ["x", None, Box([0.0, 0.0], [1.0, 1.0]), Box([0.0], [1.0], True)],
    "duration": [0.0, None, math.nan, "1"],
    "time_power": [0.0, 1e10, None, math.nan],
    "linear": ["no", None, 1],
    "orders": ["abc", None, (0, 1), ((0.0, 0), (1, 0)), ((1, 0), (1, 0)), ((1, 0), (0, 3)), [[1, 0]], ((0, 0),)],
    "coefficients": [None, [0.1], {"diffusivity": [0.1]}, {"diffusivity": torch.tensor(0.1)}],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, all_ in BAD_STATEMENTS.items() for value in all_])
def test_problems_that_are_stated_wrongly_are_refused_by_all_that_take_them(name, value):
    class Wrong(Heat):
        pass

    problem = Wrong()
    setattr(Wrong, name, value)
    problem.__dict__.pop(name, None)
    takers = (
        CoupledExperts,
        lambda each: ExpertConstraint(each, GRID, GRID),
        lambda each: Projection(each, GRID, GRID),
    )
    for take in takers:
        with pytest.raises(InputError, match=r"of Wrong|coefficient"):
            take(problem)


def test_a_residual_without_a_derivative_is_refused():
    class Detached(Heat):
        def residual(self, terms, at):
            return super().residual([each.detach() for each in terms], at)

    experts = CoupledExperts(Detached(), Elements(2, 6), Slabs(2, 4))
    with pytest.raises(InputError, match=r"Detached.residual does not depend on its terms by torch operations"):
        experts.advance(0, experts.start)


def test_coefficients_of_a_call_are_held_to_the_ranges_of_the_problem():
    layer = ExpertConstraint(Heat(), GRID, GRID)
    for value in (-1.0, 0.0, math.nan):
        with pytest.raises(InputError, match=r"the diffusivity of Heat is .*, expected a positive number"):
            layer(ChebyshevBasis(Heat().domain, 1.0, 2, 3), {"diffusivity": points(value)})


def test_an_exact_solution_is_known_where_its_quadrature_can_be_computed_and_is_none_elsewhere():
    x = points(-0.5, -1e-4, 0.5)[:, None]
    known = Burgers(1e-8).exact(x, 0.9)  # of characteristics, from which the front is far
    labels = torch.linspace(-1, 0, 2_000_001, dtype=torch.float64)
    feet = labels[(labels - 0.9 * torch.sin(torch.pi * labels) - x[0]).abs().argmin()]
    assert float(known[0]) == pytest.approx(-math.sin(math.pi * float(feet)), abs=1e-5)
    for viscosity, duration in ((1e-9, 1.0), (1e-300, 1.0), (0.01, 1e11), (0.01, 1e300)):
        assert Burgers(viscosity, duration).exact(x, duration / 2) is None
        assert BurgersWaves(viscosity, [1.0, 0.5], duration).exact(x.abs(), duration / 2) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: GridBasis(torch.zeros(1, 8, 8, 2).numpy(), GRID, GRID),
        lambda: GridBasis(torch.zeros(1, 8, 8, 2), GRID.tolist(), GRID),
        lambda: GridBasis(torch.zeros(1, 8, 8, 2, dtype=torch.long), GRID, GRID),
        lambda: GridBasis(torch.zeros(1, 8, 8, 2), GRID, GRID, order=3),
        lambda: NetworkBasis(None),
        lambda: ChebyshevBasis(None, 1.0),
        lambda: ChebyshevBasis(Box([0.0, 0.0], [1.0, 1.0]), 1.0),
        lambda: ChebyshevBasis(Heat().domain, 0.0),
        lambda: ChebyshevBasis(Heat().domain, 1.0, -1),
        lambda: ChebyshevBasis(Heat().domain, 1.0, 4, 10**9),
        lambda: ExpertConstraint(Heat(), GRID, GRID)(None),
        lambda: ExpertConstraint(Heat(), GRID, GRID)(GRID),
    ],
)
def test_bases_are_refused_when_they_are_made_of_something_else(make):
    with pytest.raises(InputError, match=r"basis"):
        make()


@given(
    viscosity=st.floats(1e-3, 1.0),
    waves=st.lists(st.floats(-3, 3), min_size=1, max_size=6),
    time=st.floats(0.01, 2.0),
)
@example(viscosity=0.01, waves=[3.0] * 6, time=2.0)
@settings(deadline=None, max_examples=15)
def test_the_nodes_of_an_exact_solution_suffice_whatever_its_waves_are(viscosity, waves, time):
    x = torch.linspace(0, 1, 9, dtype=torch.float64)[:, None]
    finer = periodic_burgers(x, x.new_tensor(time), viscosity, TrigonometricSeries(sines=waves, period=2.0), 40_001)
    found = BurgersWaves(viscosity, waves, 2.0).exact(x, time)
    assert found == pytest.approx(finer, rel=1e-9, abs=1e-11)
