"""Make the picture of a page from a chapter of the demo: ``python tools/chapter_picture.py runs/demo/cgs OUT.png``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

ROWS = {  # of the pictures of a chapter, from above
    "cgs": (("network.png", "errors.png"), ("upscaling.png",)),
    "gfi": (("maps.png",), ("seen.png", "misfit.png")),
    "hcmoe": (("experts.png",), ("residual.png", "faces.png")),
    "text2pde": (("given.png", "not_given.png"), ("calls.png", "calibration.png")),
}
WIDTH = 1400  # pixels


def main(chapter: Path, picture: Path) -> None:
    """Put the pictures of the chapter of a demo into one, with 256 colours, which take a third of the space."""
    rows = [_row([Image.open(chapter / name).convert("RGB") for name in names]) for names in ROWS[chapter.name]]
    whole = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        whole.paste(row, (0, top))
        top += row.height
    whole.quantize(palette=whole.quantize(256), dither=Image.Dither.FLOYDSTEINBERG).save(picture, optimize=True)


def _row(images: list[Image.Image]) -> Image.Image:
    """Return images of one height side by side, as wide as the picture."""
    height = min(image.height for image in images)
    scaled = [image.resize((round(image.width * height / image.height), height)) for image in images]
    row = Image.new("RGB", (sum(image.width for image in scaled), height), "white")
    left = 0
    for image in scaled:
        row.paste(image, (left, 0))
        left += image.width
    return row.resize((WIDTH, round(row.height * WIDTH / row.width)), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
