"""Generated velocity maps: what each family promises, and two of them against genuine maps of OpenFWI."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from sciml.bench.gfi.maps import PUBLISHED
from sciml.errors import InputError
from sciml.reference.layered_maps import FAMILIES, curve_of_controls, layered_map, layered_maps

VELOCITIES = sorted(set(FAMILIES) - {"style-a", "style-b"})


@given(st.sampled_from(list(FAMILIES)), st.integers(0, 2**40), st.integers(0, 2**40), st.integers(7, 90))
def test_a_map_is_a_function_of_family_number_and_seed_within_bounds(family, number, seed, cells) -> None:
    shape = (cells, 7 + (number + seed) % 80)
    velocity = layered_map(family, number, seed, shape)
    assert velocity.shape == shape and velocity.dtype == np.float32
    assert velocity.min() >= 1500 and velocity.max() <= 4500
    assert np.array_equal(velocity, layered_map(family, number, seed, shape))
    assert not np.array_equal(velocity, layered_map(family, number + 1, seed, shape))
    assert not np.array_equal(velocity, layered_map(family, number, seed + 1, shape))


def test_families_have_nothing_in_common_and_several_maps_are_the_single_ones() -> None:
    maps = {family: layered_maps(family, [5, 2]) for family in FAMILIES}
    assert all(np.array_equal(pair[1], layered_map(family, 2)) for family, pair in maps.items())
    first = [pair[0] for pair in maps.values()]
    assert all(not np.array_equal(one, other) for k, one in enumerate(first) for other in first[:k])


@pytest.mark.parametrize("family", VELOCITIES)
def test_layers_keep_what_the_name_of_the_family_says(family: str) -> None:
    maps = layered_maps(family, range(60), seed=1)
    flat = [bool((velocity == velocity[:, :1]).all()) for velocity in maps]
    rising = [bool((np.diff(velocity, axis=0) >= 0).all()) for velocity in maps]
    whole = [bool((velocity == np.round(velocity)).all()) for velocity in maps]
    if "vel" in family:
        assert all(whole) and all(flat) == ("flat" in family)
        assert all(rising) if family.endswith("a") else sum(rising) < 15
    else:  # a fault breaks flat layers and order, and mixes the cells that it passes through
        assert sum(flat) < 6 and sum(whole) < 6 and sum(rising) < (45 if family.endswith("a") else 15)


def test_curved_interfaces_are_parallel_up_to_the_drawn_thickness() -> None:
    """Depths are those at seven control points; between interfaces these differ by d + U(-1, 1) of 70 cells."""
    cells = 700  # a tenth of a cell of OpenFWI each
    controls = [0, 100, 200, 300, 400, 500, 600]
    counted = 0
    for velocity in layered_maps("curvevel-a", range(12), seed=2, shape=(cells, cells)):
        layers = len(np.unique(velocity)) - 1
        depths = np.array([(velocity < value).sum(axis=0) for value in np.unique(velocity)[1:]])[:, controls] / 10.0
        for upper, lower in itertools.pairwise(depths):
            inside = (upper > 0) & (lower < 70)
            assert (np.abs(lower - upper - 70 / layers)[inside] <= 1.1).all()
            counted += inside.sum()
    assert counted > 150


def test_a_finer_grid_shows_the_same_section() -> None:
    coarse, fine = layered_map("curvevel-a", 3), layered_map("curvevel-a", 3, shape=(140, 140))
    assert np.array_equal(fine[::2, ::2], coarse)


def test_curves_pass_through_their_control_points_and_reproduce_parabolas() -> None:
    curve = curve_of_controls(70)
    assert np.allclose(curve[::10], np.eye(7), atol=1e-12)
    assert np.allclose(curve.sum(axis=1), 1)
    x = np.arange(70) / 10
    # a parabola with slope zero at 6.85, as all curves have it there
    assert np.allclose(curve @ (np.arange(7) - 6.85) ** 2, (x - 6.85) ** 2)


@pytest.mark.parametrize("family", PUBLISHED)
def test_families_without_genuine_maps_have_the_published_mean_and_deviation(family: str) -> None:
    maps = layered_maps(family, range(600), seed=3)
    mean, deviation = PUBLISHED[family]
    assert abs(maps.mean() / mean - 1) < 0.02 and abs(maps.std() / deviation - 1) < 0.035


def genuine(folder: Path, name: str, files: range) -> np.ndarray:
    """Genuine maps other than vmodel10, which serves as the test set."""
    maps = []
    with zipfile.ZipFile(folder / "openfwi" / f"{name}_train.zip") as archive:
        for number in files:
            with archive.open(f"vmodel{number}.npy") as file:
                maps.append(np.lib.format.read_array(file, allow_pickle=False)[:, 0])
    return np.concatenate(maps)


def layers_and_amplitudes(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Layers of each map, and the peak-to-peak depths in cells of the interfaces that stay inside."""
    counts, amplitudes = [], []
    for velocity in maps:
        values = np.unique(velocity)
        depths = np.array([(velocity < value).sum(axis=0) for value in values[1:]])
        inside = (depths.min(axis=1) > 0) & (depths.max(axis=1) < velocity.shape[0])
        counts.append(len(values))
        amplitudes.extend(np.ptp(depths[inside], axis=1).tolist())
    return np.array(counts), np.array(amplitudes)


@pytest.mark.parametrize(("name", "family"), [("FlatVelA", "flatvel-a"), ("CurveVelA", "curvevel-a")])
def test_generated_maps_agree_with_genuine_ones(reference_data: Path, name: str, family: str) -> None:
    true, ours = genuine(reference_data, name, range(1, 4)), layered_maps(family, range(2000), seed=4)
    assert abs(ours.mean() / true.mean() - 1) < 0.02 and abs(ours.std() / true.std() - 1) < 0.02
    (true_counts, true_amplitudes), (counts, amplitudes) = layers_and_amplitudes(true), layers_and_amplitudes(ours)
    kinds = [kind for kind in range(2, 9) if (true_counts == kind).sum() + (counts == kind).sum() >= 10]
    table = [[(each == kind).sum() for kind in kinds] for each in (true_counts, counts)]
    assert chi2_contingency(table).pvalue > 0.01
    if family == "curvevel-a":
        levels = [0.05, 0.25, 0.5, 0.75, 0.95]
        ratios = np.quantile(amplitudes, levels) / np.quantile(true_amplitudes, levels)
        assert np.abs(ratios - 1).max() < 0.15
        true_profile, profile = true.mean(axis=(0, 2)), ours.mean(axis=(0, 2))
        assert np.abs(profile / true_profile - 1).max() < 0.03


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("curvevel-c", 0), "the family is 'curvevel-c', expected one of .*did you mean 'curvevel-"),
        (("curvevel-a", -1), "seed or counter is -1"),
        (("curvevel-a", 0, 0, (70, 3)), "cells of a map along an axis is 3, expected a whole number of at least 7"),
    ],
)
def test_what_makes_no_map_is_refused_in_a_sentence(words: tuple, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        layered_map(*words)
