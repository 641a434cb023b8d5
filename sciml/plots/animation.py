"""A scalar field that changes in time, as a GIF."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from mpl_toolkits.mplot3d.axes3d import Axes3D
from PIL import Image  # Pillow is a dependency of matplotlib

from sciml.atomic import write_bytes
from sciml.checks import positive, whole_number
from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.plots.panels import Scene
from sciml.plots.style import COLOURS, FAINT, INK, checked_path, entitle, own_look
from sciml.plots.timelines import evenly

_DPI = 100
_UNKNOWN = 256  # no number of a palette
_SHORTEST = 20  # milliseconds; many programs show shorter frames ten times slower

Show = Callable[[float], None]


@own_look
def field_animation(  # noqa: PLR0913 - all but two are rarely given
    field: Field,
    path: str | Path,
    *,
    reference: Field | None = None,
    displacement: Field | None = None,
    velocity: Field | None = None,
    frames: int = 60,
    seconds: float = 6.0,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Draw a scalar field at its times and write the animation; the limits and colours are the same in all frames.

    Parameters
    ----------
    field : real scalar at two or more times, on a grid of one dimension (a curve) or two (an image) or on a plane mesh
        (coloured triangles)
    path : .gif
    reference : at the same times or static: a dashed curve, or a second picture in the same colours
    displacement : vectors at the points of the mesh, which is drawn where they move it
    velocity : two components on a plane grid, drawn as arrows over the image
    frames : at most; of more times those nearest to equal steps are drawn
    seconds : duration; each frame lasts in proportion to the time until the next
    progress : called with the fraction of the frames that are drawn

    Raises
    ------
    InputError : a field that cannot be drawn or has one time only, companions without values at its times
    """
    path = checked_path(path, (".gif",))
    times = film_times(field, frames, seconds)
    figure, show = moving_picture(Scene(field, reference, displacement, velocity), times)
    write_film(figure, show, times, path, seconds, progress)


def film_times(field: Field, frames: int, seconds: float) -> np.ndarray:
    """Return the times of the frames, or refuse what makes no film."""
    if field.times is None or len(field.times) < 2:
        raise InputError(f"An animation needs a field at two or more times: got {field!r}.")
    frames = whole_number("the number of frames of an animation", frames, at_least=2)
    positive("the duration [s] of an animation", seconds)
    return evenly(field.times, frames)


def moving_picture(scene: Scene, times: np.ndarray) -> tuple[Figure, Show]:
    """Return a figure and the function that makes it show another time."""
    scenes = scene.panels()
    wide, high = np.ptp(scene.box, axis=0)
    width = 4.9 if len(scenes) < 3 else 3.7  # of a picture with an error beside it
    height = (width - 0.6) * float(np.clip(high / wide, 0.4, 1.6)) + 1
    size = (7.0, 4.2) if scene.is_curve else (width * len(scenes) + 0.8, height)
    figure = Figure(figsize=size, dpi=_DPI, layout=film_layout())
    panels = figure.subplots(1, len(scenes), squeeze=False)[0]
    drawn: list[Artist] = []
    clock = clock_of(times)
    for each, axes in zip(scenes, panels, strict=True):
        each.prepare(axes)
    for limits in dict.fromkeys(each.limits for each in scenes):  # one bar for those that share a scale
        alike = [number for number, each in enumerate(scenes) if each.limits == limits]
        scenes[alike[0]].draw_colour_bar(figure, panels[alike[-1]])

    def show(time: float) -> None:
        while drawn:
            drawn.pop().remove()
        for each, axes in zip(scenes, panels, strict=True):
            drawn.extend(each.draw(axes, time))
            entitle(axes, f"{each.field.name}, t = {clock(time)}" if axes is panels[0] else each.field.name)
        if scene.is_curve and scene.reference is not None:
            panels[0].legend(frameon=False, labelcolor=INK, fontsize=10, loc="upper right")

    return figure, show


def clock_of(times: np.ndarray) -> Callable[[float], str]:
    """Return how to write times: with as many decimals as it takes to tell them apart."""
    decimals = int(np.clip(1 - np.floor(np.log10(np.diff(times).min())), 0, 12))
    return lambda time: f"{time:.{decimals}f}"


def film_layout() -> ConstrainedLayoutEngine:
    """Return a layout with a margin: the frames of a film are not cut to what is drawn on them."""
    return ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.12)


def write_film(
    figure: Figure,
    show: Show,
    times: np.ndarray,
    path: Path,
    seconds: float,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write a frame for each time, all with the layout of the first and one palette, so that nothing flickers."""
    camera = Camera(figure, show, float(times[0]))
    palette = _Palette(np.concatenate([camera.frame(time) for time in times[[0, len(times) // 2, -1]]]))
    images = []
    for number, time in enumerate(times):
        if progress is not None:
            progress(number / len(times))
        images.append(palette.image(camera.frame(time)))
    gaps = np.diff(times, append=2 * times[-1] - times[-2])
    lasting = np.maximum(10 * np.round(100 * seconds * gaps / gaps.sum()), _SHORTEST).astype(int)
    film = BytesIO()
    images[0].save(
        film,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=lasting.tolist(),
        loop=0,
        optimize=False,
    )
    write_bytes(path, film.getbuffer())


class Camera:
    """A camera that draws what stands still once, and over it for each frame only what moves.

    Ticks with their numbers, labels and colour bars take most of the time of a picture.

    Parameters
    ----------
    figure : with a layout engine, which arranges it once
    show : makes it show another time
    first : a time
    """

    def __init__(self, figure: Figure, show: Show, first: float) -> None:
        self.figure, self.show, self.canvas = figure, show, FigureCanvasAgg(figure)
        show(first)
        for _ in range(2):  # the first time changes the ticks, and with them the space that they need
            figure.draw_without_rendering()
        figure.set_layout_engine("none")
        flat = [axes for axes in figure.axes if not isinstance(axes, Axes3D)]  # in space there is no axis to draw
        self.still: list[Artist] = [figure.patch]
        for axes in flat:
            self.still += [axes.patch, axes.xaxis, axes.yaxis, *axes.child_axes]
        moving = [child for axes in figure.axes for child in axes.get_children() if child not in self.still]
        seen = [child for child in moving if child.get_visible()]
        _set_visible(seen, False)
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(figure.bbox)
        _set_visible(seen, True)
        _set_visible(self.still, False)

    def frame(self, time: float) -> np.ndarray:
        """Return the pixels (height, width, 3) of a time."""
        self.show(time)
        self.canvas.restore_region(self.background)
        self.figure.draw(self.canvas.get_renderer())
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()


def _set_visible(artists: Iterable[Artist], visible: bool) -> None:
    for artist in artists:
        artist.set_visible(visible)


class _Palette:
    """256 colours for all frames: those of the style as they are, the others chosen from some pixels (n, m, 3)."""

    def __init__(self, pixels: np.ndarray) -> None:
        own = np.round(255 * np.array([to_rgb(colour) for colour in ("white", INK, FAINT, *COLOURS)])).astype(np.uint8)
        others = Image.fromarray(_decoded(np.unique(_encoded(pixels)))[None])
        chosen = others.quantize(256 - len(own), dither=Image.Dither.NONE).getpalette()
        found = np.array(chosen, dtype=np.uint8).reshape(-1, 3)[: 256 - len(own)]
        self.colours = np.concatenate([own, found])
        self._numbers = np.full(1 << 24, _UNKNOWN, dtype=np.uint16)  # of the nearest colour, for each colour met so far

    def image(self, pixels: np.ndarray) -> Image.Image:
        """Give each pixel the nearest colour; Pillow's own search is approximate and tints the white."""
        codes = _encoded(pixels)
        numbers = self._numbers[codes]
        if (new := numbers == _UNKNOWN).any():
            from scipy.spatial import cKDTree

            met = np.unique(codes[new])
            self._numbers[met] = cKDTree(self.colours.astype(float)).query(_decoded(met))[1]
            numbers = self._numbers[codes]
        image = Image.fromarray(numbers.astype(np.uint8))
        image.putpalette(self.colours.tobytes())
        return image


def _encoded(pixels: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) as numbers (...)."""
    return pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)


def _decoded(codes: np.ndarray) -> np.ndarray:
    """Return numbers (...) as colours (..., 3)."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1).astype(np.uint8)
