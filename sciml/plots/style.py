"""The look of all pictures: colours, axes, colour bars, and files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import ParamSpec, TypeVar

import numpy as np
from matplotlib import colormaps, style
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, to_rgb
from matplotlib.figure import Figure

from sciml.atomic import write_bytes
from sciml.errors import InputError
from sciml.mesh.field import Field

COLOURS = ("#c8102e", "#1f5fa8", "#e08a00", "#2a8a57", "#7a4fa3", "#6b6f76")
INK, FAINT = "#22262b", "#7d848c"
PANEL = (5.8, 4.6)  # inches, of a picture with one pair of axes
_FORMATS = (".png", ".pdf", ".svg")
_drawing = RLock()  # matplotlib has one set of settings for all threads
P = ParamSpec("P")
R = TypeVar("R")


def own_look(draw: Callable[P, R]) -> Callable[P, R]:
    """Return a function that draws with the defaults of matplotlib, and leaves the settings as they were.

    matplotlib takes settings from a file ``matplotlibrc`` in the working directory, which can start LaTeX.
    """

    @wraps(draw)
    def drawn(*arguments: P.args, **options: P.kwargs) -> R:
        with _drawing, style.context("default"):
            return draw(*arguments, **options)

    return drawn


def colouring(values: np.ndarray) -> tuple[Normalize, Colormap]:
    """Choose a diverging map about zero for values of both signs, else a sequential one; ignore 0.5 % of outliers."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Normalize(0.0, 1.0), colormaps["viridis"]
    low, high = (float(q) for q in np.quantile(finite, (0.0025, 0.9975)))
    if low < 0.0 < high and min(-low, high) > 0.05 * max(-low, high):
        return Normalize(-max(-low, high), max(-low, high)), colormaps["RdBu_r"]
    if not high > low:
        low, high = float(finite.min()) - 0.5, float(finite.max()) + 0.5
    return Normalize(low, high), colormaps["viridis"]


def pale(colour: str) -> tuple[float, ...]:
    """Mix a colour with white, 40 to 60."""
    return tuple(0.4 * part + 0.6 for part in to_rgb(colour))


def labelled(field: Field) -> str:
    """Return the name of a field with its unit, as on an axis."""
    return f"{field.name} [{field.unit}]" if field.unit else field.name


def colour_bar(figure: Figure, axes: Axes, shown: ScalarMappable, values: np.ndarray, label: str) -> None:
    """Draw the colours right of the axes, with a tip at each end that some value lies beyond."""
    above, below = np.any(values > shown.norm.vmax), np.any(values < shown.norm.vmin)
    extend = "both" if above and below else "max" if above else "min" if below else "neither"
    bar = figure.colorbar(shown, cax=axes.inset_axes((1.03, 0.08, 0.035, 0.84)), extend=extend)
    bar.set_label(label, color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=9, colors=FAINT, labelcolor=INK)
    bar.formatter.set_powerlimits((-3, 4))
    bar.ax.yaxis.get_offset_text().set(horizontalalignment="left", color=INK, fontsize=9)


def entitle(axes: Axes, title: str) -> None:
    """Write a title at the left end of the axes."""
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)


def tidy(axes: Axes) -> None:
    """Remove the spines at the top and the right, and make the others faint."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=FAINT, labelcolor=INK, which="both")
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)


def checked_path(path: str | Path, formats: Sequence[str] = _FORMATS) -> Path:
    """Return the path of a picture, or refuse an unknown format and a folder that does not exist."""
    path = Path(path)
    if path.suffix.lower() not in formats:
        raise InputError(
            f"The picture {path.name!r} has an unknown format: expected {'one of ' * (len(formats) > 1)}"
            f"{', '.join(formats)}."
        )
    if not path.parent.is_dir():
        raise InputError(f"The folder of the picture does not exist: got {str(path.parent)!r}; make it first.")
    return path


def save(figure: Figure, path: str | Path, *, dpi: int = 160) -> None:
    """Write a figure as .png, .pdf or .svg."""
    path = checked_path(path)
    kind = path.suffix.lower()
    dateless = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(kind)  # equal data, equal files
    look = {"facecolor": "white", "bbox_inches": "tight", "pad_inches": 0.2, "metadata": dateless}
    picture = BytesIO()  # the writers of matplotlib make other errors of a full disk
    figure.savefig(picture, format=kind[1:], dpi=dpi, **look)
    write_bytes(path, picture.getbuffer())
