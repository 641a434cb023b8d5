"""Fields of several resolutions share their colours, and distributions of errors end at 1."""

from __future__ import annotations

import numpy as np
import pytest

from sciml import plots
from sciml.errors import InputError
from sciml.mesh import Field, Grid
from sciml.plots import upscaling


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures that are saved."""
    figures = []
    monkeypatch.setattr(upscaling, "save", lambda figure, path: figures.append(figure))
    return figures


def ramp(n: int, factor: float = 1.0) -> Field:
    grid = Grid((n, n), centring="cell")
    return Field("p", factor * grid.coordinates()[..., 0], grid)


def test_coarse_fields_have_the_colours_of_the_fine_one(drawn) -> None:
    plots.fine_beside_coarse({"fine": ramp(16), "coarse": ramp(4, 3.0)}, "p.png", coefficient=ramp(16, 7.0))
    panels = [axes for axes in drawn[0].axes if axes.images]
    assert [axes.get_title(loc="left") for axes in panels] == ["p", "fine", "coarse"]
    other, fine, coarse = (axes.images[0].norm for axes in panels)
    assert (fine.vmin, fine.vmax) == (coarse.vmin, coarse.vmax)
    assert other.vmax > 5.0 * fine.vmax


def test_a_distribution_is_the_share_of_errors_up_to_each(drawn) -> None:
    plots.error_distributions({"ours": np.array([0.3, -0.1, 0.2]), "theirs": np.array([1.0])}, "e.png", label="error")
    (axes,) = drawn[0].axes
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [1 / 3, 2 / 3, 1.0])
    assert axes.get_xscale() == "log"


def test_nothing_to_draw_is_refused(drawn) -> None:
    with pytest.raises(InputError, match="at least one field"):
        plots.fine_beside_coarse({}, "p.png")
    with pytest.raises(InputError, match="finite errors"):
        plots.error_distributions({"ours": np.array([np.nan])}, "e.png", label="error")
