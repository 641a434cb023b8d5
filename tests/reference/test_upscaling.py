"""Two-point fluxes and classical upscaling: layers are exact, flow is conserved, and a factor of 1 changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import IncompatibleRightHandSideError, InputError
from sciml.linalg import VoxelPoisson
from sciml.reference.upscaling import Blocks, Transmissibilities, average_transmissibilities, fine_transmissibilities
from sciml.reference.upscaling_boxes import LANES, solve_boxes
from sciml.reference.upscaling_fields import lognormal_field
from sciml.reference.upscaling_local import (
    extended_local_transmissibilities,
    local_transmissibilities,
)
from sciml.reference.upscaling_sources import corrected_pressures, source_corrections

EVERY = (average_transmissibilities, local_transmissibilities, extended_local_transmissibilities)
LOCAL = EVERY[1:]
SHAPES = ((12, 8), (8, 4, 12))
ALONG_X = {"x-": 1.0, "x+": 0.0}


def field(shape, seed=0, **options) -> np.ndarray:
    return lognormal_field(shape, np.random.default_rng(seed), **options)


def layers(shape, axis) -> np.ndarray:
    values = np.exp(np.random.default_rng(1).standard_normal(shape[axis]))
    return np.broadcast_to(values.reshape(-1, *(1,) * (len(shape) - 1 - axis)), shape)


# Fine flow


@pytest.mark.parametrize("shape", SHAPES)
def test_inner_faces_are_those_of_the_voxel_problem(shape) -> None:
    k, spacing = field(shape), (0.5, 2.0, 1.5)[: len(shape)]
    ours = fine_transmissibilities(k, spacing).problem({})
    voxels = VoxelPoisson.from_cells(np.zeros(shape, np.uint8), coefficient=k, spacing=spacing)
    np.testing.assert_allclose(ours.to_csr().toarray(), voxels.to_csr().toarray(), rtol=1e-12, atol=1e-14)


def test_a_linear_pressure_is_exact_between_sides_half_a_cell_away() -> None:
    fine = fine_transmissibilities(np.full((5, 3), 2.0), 0.1)
    p = fine.solve({"x-": 3.0, "x+": -1.0})
    expected = 3.0 - 4.0 * (np.arange(5) + 0.5) / 5
    np.testing.assert_allclose(p, np.repeat(expected[:, None], 3, axis=1), atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_flows_in_flows_out_or_comes_from_sources(shape) -> None:
    random = np.random.default_rng(2)
    fine, sources = fine_transmissibilities(field(shape)), random.standard_normal(shape)
    held = {"x-": 1.0, "y+": -0.5}
    p = fine.solve(held, sources)
    fluxes = fine.fluxes(p, held)
    out = sum(np.diff(flux, axis=axis) for axis, flux in enumerate(fluxes))
    np.testing.assert_allclose(out, sources, atol=1e-10)
    inflow = sum(fine.flow_rate(p, held, side) for side in held)
    assert inflow == pytest.approx(-sources.sum(), abs=1e-10)


def test_several_right_hand_sides_are_solved_as_single_ones() -> None:
    fine, sources = fine_transmissibilities(field((6, 4))), np.random.default_rng(0).standard_normal((3, 6, 4))
    together = fine.solve(ALONG_X, sources)
    for one, source in zip(together, sources, strict=True):
        np.testing.assert_allclose(one, fine.solve(ALONG_X, source), rtol=1e-12)
    np.testing.assert_allclose(
        fine.flow_rate(together, ALONG_X, "x+")[1], fine.flow_rate(together[1], ALONG_X, "x+"), rtol=1e-12
    )


def test_a_closed_box_has_pressures_of_zero_mean_and_refuses_sources_that_do_not_balance() -> None:
    fine, source = fine_transmissibilities(field((4, 4))), np.zeros((4, 4))
    source[0, 0], source[3, 2] = 1.0, -1.0
    p = fine.solve({}, source)
    assert p.mean() == pytest.approx(0.0, abs=1e-14)
    np.testing.assert_allclose(fine.matrix({}) @ p.ravel(), source.ravel(), atol=1e-12)
    with pytest.raises(IncompatibleRightHandSideError, match="sum to 1, expected 0; hold the pressure"):
        fine.solve({}, np.abs(source) / 2)


# Upscaling


@pytest.mark.parametrize("upscale", EVERY)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_factor_of_one_changes_nothing(upscale, shape) -> None:
    k, spacing = field(shape), (0.5, 2.0, 1.5)[: len(shape)]
    for ours, fine in zip(upscale(k, 1, spacing).faces, fine_transmissibilities(k, spacing).faces, strict=True):
        np.testing.assert_allclose(ours, fine, rtol=1e-10)


@pytest.mark.parametrize("upscale", EVERY)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_rates_through_layers_are_exact(upscale, shape, axis) -> None:
    k = layers(shape, axis)
    fine, coarse = fine_transmissibilities(k, 0.5), upscale(k, 4, 0.5)
    for name in "xyz"[: len(shape)]:
        held = {f"{name}-": 1.0, f"{name}+": 0.0}
        expected = fine.flow_rate(fine.solve(held), held, f"{name}-")
        assert coarse.flow_rate(coarse.solve(held), held, f"{name}-") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("upscale", LOCAL)
def test_local_upscaling_has_the_mean_pressures_of_flow_across_layers(upscale) -> None:
    k = layers((16, 8), 0)
    means = Blocks(k, 4).means(fine_transmissibilities(k).solve(ALONG_X))
    np.testing.assert_allclose(upscale(k, 4).solve(ALONG_X), means, atol=1e-10)


@pytest.mark.parametrize("upscale", EVERY)
def test_transmissibilities_follow_the_symmetries_of_the_field(upscale) -> None:
    k = field((12, 8), deviation=2.0)
    x, y = upscale(k, 4).faces
    for axis, faces in enumerate(upscale(k[::-1], 4).faces):
        np.testing.assert_allclose(faces, (x, y)[axis][::-1], rtol=1e-9)
    turned = upscale(np.ascontiguousarray(k.T), 4).faces
    np.testing.assert_allclose(turned[0], y.T, rtol=1e-9)
    np.testing.assert_allclose(turned[1], x.T, rtol=1e-9)
    for scaled, faces in zip(upscale(7.0 * k, 4).faces, (x, y), strict=True):
        np.testing.assert_allclose(scaled, 7.0 * faces, rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_rough_fields_have_positive_transmissibilities(shape) -> None:
    k = field(shape, deviation=3.0, length=0.7)
    for upscale in EVERY:
        assert all((faces > 0).all() for faces in upscale(k, 4).faces)


def test_extended_local_upscaling_is_closer_to_the_fine_flow_than_local_and_that_than_averages() -> None:
    errors = np.zeros(3)
    for seed in range(6):
        k = field((64, 64), seed)
        fine = fine_transmissibilities(k)
        expected = fine.flow_rate(fine.solve(ALONG_X), ALONG_X, "x-")
        for number, upscale in enumerate(EVERY):
            coarse = upscale(k, 8)
            errors[number] += abs(coarse.flow_rate(coarse.solve(ALONG_X), ALONG_X, "x-") / expected - 1) / 6
    assert errors[2] < 0.05 < errors[0] < 0.15
    assert errors[2] < errors[1] < errors[0]


# Local problems


@pytest.mark.parametrize("cells", [(7, 5), (4, 3, 5)])
def test_boxes_are_solved_as_single_problems(cells) -> None:
    count, weights = LANES + 3, (4.0, 0.25, 1.0)[: len(cells)]
    k = np.stack([field(cells, seed, length=1.0) for seed in range(count)])
    spacing = [weight**-0.5 for weight in weights]
    sides = {"x-": 1.0, "x+": 0.0, "y+": 2.0}
    source = np.random.default_rng(0).standard_normal(cells)
    held = [(1.0, 0.0), (None, 2.0), (None, None)][: len(cells)]
    for p, each in zip(solve_boxes(k, weights, held, source), k, strict=True):
        np.testing.assert_allclose(p, fine_transmissibilities(each, spacing).solve(sides, source), atol=1e-9)


def test_a_source_in_a_uniform_box_needs_the_correction_of_peaceman() -> None:
    """The mean of log |x - y| over a square of side h is log(0.4470 h); the five-point well radius is 0.1982 h."""
    k = np.ones((9 * 16, 9 * 16))
    (correction,) = source_corrections(k, average_transmissibilities(k, 16), np.array([[4, 4]]))
    assert correction[2, 2] == pytest.approx(np.log(0.1982 / 0.4470) / (2 * np.pi), abs=5e-3)


@pytest.mark.parametrize("shape", [(64, 64), (16, 16, 16)])
def test_the_correction_of_sources_removes_most_of_the_error_between_wells(shape) -> None:
    factor, raw, corrected = 8 if len(shape) == 2 else 4, [], []
    for seed in range(4):
        k = field(shape, seed, length=2.0, deviation=1.0)
        blocks, coarse = Blocks(k, factor), extended_local_transmissibilities(k, factor)
        wells = np.array([[1] * k.ndim, [n - 2 for n in blocks.shape]])
        rates, spread = np.zeros(blocks.shape), np.zeros(k.shape)
        rates[tuple(wells[0])], rates[tuple(wells[1])] = 1.0, -1.0
        spread = np.kron(rates, np.full((factor,) * k.ndim, factor**-k.ndim))
        fine, p = blocks.means(fine_transmissibilities(k).solve({}, spread)), coarse.solve({}, rates)
        drops = [x[tuple(wells[0])] - x[tuple(wells[1])] for x in (fine, p)]
        raw.append(abs(drops[1] / drops[0] - 1))
        p = corrected_pressures(k, coarse, p, rates)
        corrected.append(abs((p[tuple(wells[0])] - p[tuple(wells[1])]) / drops[0] - 1))
    assert np.mean(corrected) < (0.05 if len(shape) == 2 else 0.12)
    assert np.mean(corrected) < 0.5 * np.mean(raw)


@pytest.mark.parametrize("shape", SHAPES)
def test_sources_need_no_correction_for_a_factor_of_one(shape) -> None:
    k = field(shape)
    sources = np.array([[0] * k.ndim, [n - 1 for n in shape], [2] * k.ndim])
    np.testing.assert_allclose(source_corrections(k, fine_transmissibilities(k), sources), 0.0, atol=1e-10)


def test_a_source_outside_is_refused() -> None:
    k = np.ones((4, 4))
    with pytest.raises(InputError, match=r"a block with a source lies outside of the \(2, 2\) blocks"):
        source_corrections(k, average_transmissibilities(k, 2), np.array([[0, 2]]))


# Fields


@pytest.mark.parametrize("shape", [(256, 128), (48, 48, 32)])
def test_a_random_field_has_its_deviation_and_correlation(shape) -> None:
    g = np.log(field(shape, length=2.0, deviation=0.7))
    assert g.mean() == pytest.approx(0.0, abs=1e-12)
    assert g.std() == pytest.approx(0.7, rel=1e-12)
    correlation = (g[:-3] * g[3:]).mean() / g.var()
    assert correlation == pytest.approx(np.exp(-9 / 16), abs=0.06)


def test_an_anisotropic_field_is_correlated_further_along_its_longer_axis() -> None:
    g = np.log(field((128, 128), length=(6.0, 1.0)))
    assert (g[:-4] * g[4:]).mean() > 0.5 * g.var() > 5 * abs((g[:, :-4] * g[:, 4:]).mean())


# Bad input


@pytest.mark.parametrize("upscale", EVERY)
def test_a_factor_that_does_not_divide_the_shape_is_refused(upscale) -> None:
    with pytest.raises(InputError, match=r"shape \(12, 8\), which the factor 5 does not divide; cut or pad it"):
        upscale(np.ones((12, 8)), 5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"coefficient": np.zeros((4, 4))}, "must be finite and > 0 in every cell, got 0 at index"),
        ({"coefficient": np.ones(4)}, r"has shape \(4,\), expected \(nx, ny\)"),
        ({"factor": 0}, "the factor is 0, expected"),
        ({"spacing": (1.0, -1.0)}, "spacing must be finite and > 0"),
    ],
)
def test_bad_blocks_are_refused_with_a_sentence(change, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        average_transmissibilities(**({"coefficient": np.ones((4, 4)), "factor": 2, "spacing": 1.0} | change))


def test_a_transmissibility_that_is_not_positive_is_named() -> None:
    with pytest.raises(InputError, match=r"face \[1, 0\] along axis 0 is 0, expected a finite number > 0"):
        Transmissibilities((np.array([[1.0], [0.0]]), np.ones((1, 2))))


def test_an_unknown_side_is_refused() -> None:
    with pytest.raises(InputError, match="a side with a held pressure"):
        fine_transmissibilities(np.ones((2, 2))).solve({"left": 1.0})


@pytest.mark.parametrize("shapes", [(), ((3, 2), (2, 2)), ((3,), (2,)), ((3, 2), (2, 3), (2, 2)), ((0,),), ((1,),)])
def test_faces_that_make_no_grid_are_refused(shapes):
    with pytest.raises(InputError, match="expected for every axis of one grid an array with one entry more"):
        Transmissibilities(tuple(np.ones(shape) for shape in shapes))
