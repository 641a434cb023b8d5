"""Pictures of networks: each pore has the colour of its pressure, and the wider throat the larger flux."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from sciml.errors import InputError
from sciml.mesh import Field, Mesh
from sciml.plots import error_by_size, law_picture, network_picture, predicted_beside_true
from sciml.plots.networks import NARROWEST, WIDEST, draw_law, draw_network, draw_parity

MESH = Mesh([[0, 0, 0], [1e-3, 0, 0], [1e-3, 1e-3, 1e-3], [2e-3, 0, 0]], {"line": [[0, 1], [2, 1], [1, 3]]})
PRESSURE = Field("pressure", [1.0, 0.4, 0.7, 0.0], MESH, "points")
FLUX = Field("flux", [4.0, -1.0, 0.0], MESH, "cells")


def test_throats_are_as_wide_as_the_root_of_their_flux_and_lie_between_their_pores():
    axes = Figure().subplots()
    draw_network(axes, PRESSURE, FLUX)
    throats, pores = axes.collections
    widths = [NARROWEST + part * (WIDEST - NARROWEST) for part in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(throats.get_linewidths(), widths)  # the widest on top
    np.testing.assert_allclose(throats.get_segments()[2], [[0, 0], [1, 0]])  # in mm
    np.testing.assert_allclose(pores.get_array(), PRESSURE.values)
    assert axes.get_xlabel() == "x [mm]"


@pytest.mark.parametrize("view", ["plane", "space"])
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_both_views_are_written(tmp_path, view, suffix):
    network_picture(PRESSURE, FLUX, tmp_path / f"network.{suffix}", view=view)
    assert (tmp_path / f"network.{suffix}").stat().st_size > 5000


def test_a_network_without_flow_is_drawn(tmp_path):
    still = Field("flux", np.zeros(3), MESH, "cells"), Field("pressure", np.ones(4), MESH, "points")
    network_picture(still[1], still[0], tmp_path / "still.png")
    assert (tmp_path / "still.png").exists()


def test_fields_of_another_kind_are_refused(tmp_path):
    for fields in ((FLUX, PRESSURE), (PRESSURE, Field("flux", np.zeros((3, 2)), MESH, "cells"))):
        with pytest.raises(InputError, match="must be a scalar"):
            network_picture(*fields, tmp_path / "network.png")
    other = Mesh(MESH.points, dict(MESH.cells))
    with pytest.raises(InputError, match="two fields on one mesh"):
        network_picture(PRESSURE, Field("flux", np.zeros(3), other, "cells"), tmp_path / "network.png")
    with pytest.raises(InputError, match="did you mean 'plane'"):
        network_picture(PRESSURE, FLUX, tmp_path / "network.png", view="plan")


def test_errors_of_a_size_are_joined_and_their_medians_are_marked(tmp_path):
    error_by_size({"ours": [(100, 1e-7), (100, 3e-7), (1000, 1e-6)]}, tmp_path / "sizes.png")
    assert (tmp_path / "sizes.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ({}, "at least one method, got none"),
        ({"ours": []}, "sizes and errors of ours"),
        ({"ours": [(100, 0.0)]}, "smallest of sizes and errors of ours is 0, expected positive numbers"),
        ({"ours": [(100,)]}, "shape of sizes and errors of ours"),
        ({"ours": [(100, float("nan"))]}, "sizes and errors of ours"),
    ],
)
def test_errors_that_a_logarithmic_axis_cannot_show_are_refused(tmp_path, points, words):
    with pytest.raises(InputError, match=words):
        error_by_size(points, tmp_path / "sizes.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("size", "learned", "words"),
    [
        ([1.0, -2.0], [1.0, 1.0], "smallest of the sizes of the throats is -2, expected positive"),
        ([1.0, 2.0], [1.0, 0.0], "smallest of the conductances by the learned law is 0, expected positive"),
        ([1.0, 2.0], [1.0], "shape of the conductances by the learned law"),
        ([], [], "the sizes of the throats are none"),
    ],
)
def test_laws_that_logarithmic_axes_cannot_show_are_refused(tmp_path, size, learned, words):
    with pytest.raises(InputError, match=words):
        law_picture(size, learned, tmp_path / "law.png")
    assert not list(tmp_path.iterdir())


def test_predicted_pressures_lie_over_the_true_ones_and_the_largest_error_is_named(tmp_path):
    axes = Figure().subplots()
    true = np.array([1.0, 0.5, 0.7, 0.0])
    draw_parity(axes, np.asarray(PRESSURE.values), true)
    np.testing.assert_allclose(axes.collections[0].get_offsets(), np.stack([true, PRESSURE.values], 1))
    assert axes.get_title(loc="left") == "largest error 0.1"
    predicted_beside_true(PRESSURE, Field("pressure", true, MESH, "points"), FLUX, tmp_path / "both.png")
    assert (tmp_path / "both.png").stat().st_size > 5000


def test_laws_that_differ_by_a_unit_only_coincide(tmp_path):
    axes, size = Figure().subplots(), np.array([1.0, 2.0, 4.0])
    draw_law(axes, size, {"true": size**4, "learned": 3e-9 * size**4})
    true, learned = (each.get_offsets() for each in axes.collections)
    np.testing.assert_allclose(true, learned)
    np.testing.assert_allclose(true[:, 1], (size / 2.0) ** 4)
    law_picture(size, size**3, tmp_path / "law.png")
    assert (tmp_path / "law.png").stat().st_size > 5000
