"""Make the picture of README from a folder of ``sciml demo``: ``python tools/readme_picture.py runs/demo OUT.png``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from sciml.bench.lpinn.chapter import characteristics
from sciml.bench.poisson.chapter import default_surface, tunnel_around
from sciml.mesh import read_series
from sciml.plots.gallery import gallery

TITLES = (
    "Wind around a knot (multigrid)",
    "A travelling pulse (INSR)",
    "A front and its paths (LPINN)",
)


def main(demo: Path, picture: Path) -> None:
    """Draw the three chapters of a demo side by side."""
    flow = read_series(demo / "poisson" / "flow.xdmf")
    _, surface, _ = tunnel_around(default_surface(), flow.on.shape[0], [])
    pulse = read_series(demo / "insr" / "run" / "fields.xdmf")["u"]
    front = read_series(demo / "lpinn" / "run" / "fields.xdmf")["u"]
    gallery(
        picture,
        wind=(flow["velocity"], surface),
        pulse=pulse,
        front=(front, characteristics(demo / "lpinn" / "run", front)),
        titles=TITLES,
    )
    with Image.open(picture) as image:  # 256 colours take a third of the space, and dithered they look the same
        colours = image.convert("RGB")
    colours.quantize(palette=colours.quantize(256), dither=Image.Dither.FLOYDSTEINBERG).save(picture, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
