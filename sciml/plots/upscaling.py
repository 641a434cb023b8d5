"""Fields on a fine and on coarse grids in one scale of colours, and the distribution of errors of several methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sciml.errors import InputError
from sciml.mesh.field import Field
from sciml.plots.slices import draw_slice, section_of
from sciml.plots.style import COLOURS, INK, PANEL, entitle, own_look, save, tidy


@own_look
def fine_beside_coarse(
    fields: Mapping[str, Field], path: str | Path, *, coefficient: Field | None = None, axis: int = 2
) -> None:
    """Draw scalar fields on grids of any resolution side by side with the colours of the first, and write the picture.

    Parameters
    ----------
    fields : by the title of the panel, the fine one first; slices in three dimensions
    path : .png, .pdf or .svg
    coefficient : drawn left of them in its own colours
    axis : of the slices
    """
    if not fields:
        raise InputError("A picture of fields side by side needs at least one field, got none.")
    sections = {title: section_of(field, None, axis, None) for title, field in fields.items()}
    first = next(iter(sections.values()))
    sections = {title: replace(each, norm=first.norm, colours=first.colours) for title, each in sections.items()}
    if coefficient is not None:
        sections = {coefficient.name: section_of(coefficient, None, axis, None)} | sections
    figure = Figure(figsize=(1.1 * PANEL[0] * len(sections), PANEL[1]), layout="constrained")
    for axes, (title, section) in zip(
        figure.subplots(1, len(sections), squeeze=False)[0], sections.items(), strict=True
    ):
        draw_slice(figure, axes, section)
        entitle(axes, title)
    save(figure, path)


@own_look
def error_distributions(errors: Mapping[str, np.ndarray], path: str | Path, *, label: str, title: str = "") -> None:
    """Draw the share of samples whose error is at most so large, for several methods, and write the picture.

    Parameters
    ----------
    errors : absolute values by the name of the method, ours first
    path : .png, .pdf or .svg
    label : of the horizontal axis, which is logarithmic
    title : one line
    """
    sizes = {name: np.sort(np.abs(np.ravel(values))) for name, values in errors.items()}
    if not sizes or not all(len(each) and np.isfinite(each).all() and each[-1] > 0.0 for each in sizes.values()):
        raise InputError("Distributions of errors need finite errors of at least one method, not all of them 0.")
    figure = Figure(figsize=PANEL, layout="constrained")
    axes = figure.subplots()
    for number, (name, each) in enumerate(sizes.items()):
        share = (np.arange(len(each)) + 1.0) / len(each)
        axes.step(each, share, where="post", label=name, color=COLOURS[number % len(COLOURS)],
                  linewidth=2.2 if number == 0 else 1.5)  # fmt: skip
    axes.set(xscale="log", xlabel=label, ylabel="share of samples", ylim=(0.0, 1.02))
    axes.legend(frameon=False, labelcolor=INK, fontsize=10)
    entitle(axes, title)
    tidy(axes)
    save(figure, path)
