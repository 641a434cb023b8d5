"""Decisions on a graph: states by value, and an arrow from each state to the one that its best decision leads to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sciml.checks import real_array, whole_array
from sciml.plots.networks import draw_parity
from sciml.plots.style import COLOURS, FAINT, INK, PANEL, colour_bar, entitle, own_look, save, tidy

GOLDEN = (5**0.5 - 1.0) / 2.0  # multiples of it spread states of similar values over the width
RIGHT, WRONG = COLOURS[3], COLOURS[0]


@dataclass(frozen=True, eq=False)
class DecisionPicture:
    """The contents of a picture of decisions: states, edges, values and the decisions that were taken.

    Parameters
    ----------
    edges : (2, m) the state that an edge leads to, and the state that may choose it
    values : (n,) exact ones of the states
    predicted : (n,) values
    best, chosen : (n,) the best edge of each state by the exact and by the predicted values, -1 for none
    """

    edges: np.ndarray
    values: np.ndarray
    predicted: np.ndarray
    best: np.ndarray
    chosen: np.ndarray

    def __post_init__(self) -> None:
        values = real_array("the values", self.values, shape=("states",))
        edges = whole_array("the edges", self.edges, shape=(2, "edges"), at_least=0, below=len(values))
        real_array("the predicted values", self.predicted, shape=values.shape)
        for name in ("best", "chosen"):
            whole_array(f"the {name} edges", getattr(self, name), shape=values.shape, at_least=-1, below=edges.shape[1])


@own_look
def decisions_picture(shown: DecisionPicture, path: str | Path, *, title: str = "Values and decisions") -> None:
    """Draw the states of a graph by value with their decisions, and predicted over exact values; write the picture.

    Parameters
    ----------
    shown : values and decisions
    path : .png, .pdf or .svg
    title : one line
    """
    figure = Figure(figsize=(2.2 * PANEL[0], 1.1 * PANEL[1]), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1.0))
    draw_decisions(left, shown)
    draw_parity(right, np.asarray(shown.predicted, float), np.asarray(shown.values, float))
    right.set(xlabel="exact value", ylabel="predicted value")
    figure.suptitle(title, fontsize=12, fontweight="bold", color=INK)
    save(figure, path, dpi=120)


def draw_decisions(axes: Axes, shown: DecisionPicture) -> None:
    """Draw states at the heights of their exact values, in the colours of the predicted ones, with their decisions.

    All edges are faint lines. The best decision of a state is an arrow; where the predicted values choose another
    one, that is an arrow in a colour of its own, too.
    """
    values, predicted = np.asarray(shown.values, float), np.asarray(shown.predicted, float)
    rank = np.argsort(np.argsort(values, kind="stable"))
    places = np.stack([rank * GOLDEN % 1.0, values], 1)
    axes.add_collection(LineCollection(places[shown.edges.T], colors=FAINT, linewidths=0.4, alpha=0.25))
    wrong = shown.chosen != shown.best
    for edges, colour in ((shown.best, RIGHT), (np.where(wrong, shown.chosen, -1), WRONG)):
        for state in np.flatnonzero(edges >= 0):
            target = shown.edges[0, edges[state]]
            arrow = {
                "arrowstyle": "-|>",
                "color": colour,
                "shrinkA": 4,
                "shrinkB": 4,
                "mutation_scale": 9,
                "alpha": 0.8,
            }
            axes.annotate("", places[target], places[state], arrowprops={**arrow, "linewidth": 1.1})
    norm = Normalize(values.min(), values.max())
    axes.scatter(*places.T, c=predicted, norm=norm, cmap="viridis", s=38, linewidths=0.0, zorder=3)
    axes.set(xticks=[], ylabel="exact value")
    axes.margins(0.05)
    entitle(axes, f"{int(wrong.sum())} of {len(values)} decisions differ")
    names = {"best decision": RIGHT, "another, by predicted values": WRONG}
    lines = [Line2D([], [], color=colour, label=name) for name, colour in names.items()]
    axes.legend(handles=lines[: 1 + wrong.any()], frameon=False, labelcolor=INK, fontsize=9, loc="lower right")
    tidy(axes)
    colour_bar(axes.figure, axes, ScalarMappable(norm, colormaps["viridis"]), predicted, "predicted value")
