"""Pictures of the conditioning of a least-squares problem: losses in a plane of its parameters, and eigenvalues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.axes3d import Axes3D

from sciml.errors import InputError
from sciml.plots.style import COLOURS, FAINT, INK, checked_path, colour_bar, entitle, own_look, save, tidy

LEVELS = 14  # at most
LOWEST = 0.01  # of the values: below them, as at an exact solution, the colour does not change any more


@own_look
def loss_landscape(
    losses: np.ndarray | Mapping[str, np.ndarray], path: str | Path, *, span: float = 1.0, surface: bool = False
) -> None:
    """Draw one landscape of losses, or several side by side, and write the picture.

    Parameters
    ----------
    losses : logarithms to the base 10, ``[i, j]`` at step i along the first and j along the second direction, each
        square; or several such arrays by name
    path : .png, .pdf or .svg
    span : the largest step along both
    surface : hills and valleys seen from above instead of contours

    Raises
    ------
    InputError : nothing to draw, an array that is not square, or without finite values
    """
    checked_path(path)
    save(landscape_figure(losses, span, surface), path)


def landscape_figure(losses: np.ndarray | Mapping[str, np.ndarray], span: float, surface: bool) -> Figure:
    """Return the figure of `loss_landscape`, each landscape with colours of its own range."""
    panels = {name: _checked(name, values) for name, values in _named(losses).items()}
    figure = Figure(figsize=(5.6 * len(panels), 4.6), layout="constrained")
    for number, (name, values) in enumerate(panels.items()):
        place = (1, len(panels), number + 1)
        axes = figure.add_subplot(*place, projection="3d") if surface else figure.add_subplot(*place)
        finite = values[np.isfinite(values)]
        low, high = (float(q) for q in np.quantile(finite, (LOWEST, 1.0)))
        norm = Normalize(low, high) if high > low else Normalize(low - 0.5, low + 0.5)
        steps = np.linspace(-span, span, len(values))
        shown = (_draw_surface if surface else _draw_contours)(axes, steps, values, norm)
        axes.set(xlabel="first direction", ylabel="second direction")
        axes.locator_params(nbins=5)
        entitle(axes, name or "Loss around the weights")
        if not surface:
            colour_bar(figure, axes, shown, finite, "log10 of the loss")
            tidy(axes)
    return figure


@own_look
def spectrum(values: Sequence[float] | np.ndarray | Mapping[str, Sequence[float]], path: str | Path) -> None:
    """Draw eigenvalues, falling, on a logarithmic axis, one line for each spectrum, and write the picture.

    Parameters
    ----------
    values : of a matrix ``J^T J`` in any order, or several such lists by name. Those whose roots are rounding beside
        that of the largest are left out; the legend says how many are drawn
    path : .png, .pdf or .svg

    Raises
    ------
    InputError : nothing to draw, or values that are not finite or below 0
    """
    checked_path(path)
    save(spectrum_figure(values), path)


def spectrum_figure(values: Sequence[float] | np.ndarray | Mapping[str, Sequence[float]]) -> Figure:
    """Return the figure of `spectrum`."""
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.subplots()
    for number, (name, given) in enumerate(_named(values).items()):
        found = np.sort(np.asarray(given, float).ravel())[::-1]
        if not len(found) or not np.isfinite(found).all() or found[-1] < 0:
            raise InputError(f"The spectrum {name!r} needs numbers of at least 0: got {len(found)} values, or others.")
        shown = found[found > (len(found) * np.finfo(float).eps) ** 2 * found[0]]
        colour, marker = COLOURS[number % len(COLOURS)], "o" if len(shown) <= 60 else ""
        axes.plot(np.arange(1, len(shown) + 1), shown, color=colour, linewidth=1.8, marker=marker, markersize=3.5)
        axes.lines[-1].set_label(f"{name}: {len(shown)} of {len(found)}".removeprefix(": "))
    axes.set(xlabel="number", ylabel="eigenvalue", yscale="log")
    axes.grid(True, which="major", color="#e6e8eb", linewidth=0.8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    entitle(axes, "Spectrum of the Gauss–Newton matrix")
    tidy(axes)
    return figure


def _named(given: object) -> dict[str, object]:
    panels = dict(given) if isinstance(given, Mapping) else {"": given}
    if not panels:
        raise InputError("There is nothing to draw: got no arrays, expected at least one.")
    return panels


def _checked(name: str, values: object) -> np.ndarray:
    found = np.asarray(values, float)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or len(found) < 3 or not np.isfinite(found).any():
        raise InputError(
            f"The landscape {name!r} must be square, 3 x 3 or more, and finite somewhere: got shape {found.shape}."
        )
    return found


def _draw_contours(axes: Axes, steps: np.ndarray, values: np.ndarray, norm: Normalize) -> ScalarMappable:
    """Filled contours of evenly spread levels, the first direction to the right, and a cross in the middle."""
    shown = np.ma.masked_invalid(values).T
    levels = MaxNLocator(LEVELS).tick_values(norm.vmin, norm.vmax)
    drawn = axes.contourf(steps, steps, shown, levels, cmap="viridis", extend="min")
    axes.contour(steps, steps, shown, levels, colors=INK, linewidths=0.4, linestyles="-", alpha=0.5)
    axes.plot(0.0, 0.0, "+", color="white", markersize=9, markeredgewidth=1.6)
    axes.set_aspect("equal")
    return drawn


def _draw_surface(axes: Axes3D, steps: np.ndarray, values: np.ndarray, norm: Normalize) -> ScalarMappable:
    """A surface in the same colours; what is below the lowest colour is cut off."""
    x, y = np.meshgrid(steps, steps, indexing="ij")
    shown = np.clip(values, norm.vmin, norm.vmax)
    axes.set_zlabel("log10 of the loss", color=INK)
    axes.tick_params(colors=FAINT, labelcolor=INK)
    axes.view_init(elev=38, azim=-58)
    return axes.plot_surface(
        x, y, shown, cmap=colormaps["viridis"], norm=norm, rcount=len(steps), ccount=len(steps), linewidth=0.1
    )
