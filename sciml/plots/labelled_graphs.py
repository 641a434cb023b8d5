"""Graphs with a class each: their nodes by tag, and the predicted class beside the true one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from sciml.checks import whole_array, whole_number
from sciml.errors import InputError
from sciml.plots.style import COLOURS, FAINT, INK, own_look, save

IN_A_ROW = 4
TAGS = colormaps["tab20"].colors  # by tag; they repeat


@dataclass(frozen=True, eq=False)
class ClassifiedGraph:
    """A graph with its class and the predicted one.

    Parameters
    ----------
    edges : (2, m) nodes of each edge, in one direction or in both
    tags : (n,) of the nodes
    true, predicted : classes
    """

    edges: np.ndarray
    tags: np.ndarray
    true: int
    predicted: int

    def __post_init__(self) -> None:
        tags = whole_array("the tags", self.tags, shape=("nodes",), at_least=0)
        whole_array("the edges", self.edges, shape=(2, "edges"), at_least=0, below=max(len(tags), 1))
        for name in ("true", "predicted"):
            whole_number(f"the {name} class", getattr(self, name), at_least=0)


@own_look
def classified_graphs(graphs: Sequence[ClassifiedGraph], path: str | Path, *, title: str = "Classes of graphs") -> None:
    """Draw graphs with the colours of their tags, their true and their predicted classes, and write the picture.

    Parameters
    ----------
    graphs : at least one; wrong classes are named in another colour
    path : .png, .pdf or .svg
    title : one line
    """
    if not graphs:
        raise InputError("A picture of graphs needs at least one, got none.")
    rows = -(-len(graphs) // IN_A_ROW)
    columns = min(len(graphs), IN_A_ROW)
    figure = Figure(figsize=(2.7 * columns, 2.9 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, graph in zip(panels, graphs, strict=False):
        draw_graph(axes, graph)
    for axes in panels:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=12, fontweight="bold", color=INK)
    save(figure, path, dpi=120)


def draw_graph(axes: Axes, graph: ClassifiedGraph) -> None:
    """Draw one graph, its nodes by tag and its classes in the title."""
    places = flat_positions(np.asarray(graph.edges), len(graph.tags))
    axes.add_collection(LineCollection(places[np.asarray(graph.edges).T], colors=FAINT, linewidths=1.2))
    colours = [TAGS[tag % len(TAGS)] for tag in graph.tags]
    axes.scatter(*places.T, c=colours, s=float(np.clip(900 / len(places), 8.0, 60.0)), linewidths=0.0, zorder=3)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    colour = INK if graph.true == graph.predicted else COLOURS[0]
    axes.set_title(f"true {graph.true}, predicted {graph.predicted}", loc="left", fontsize=11, color=colour)


def flat_positions(edges: np.ndarray, nodes: int) -> np.ndarray:
    """Return places of the nodes in the plane, (nodes, 2), whose distances are near the lengths of the shortest paths.

    By classical multidimensional scaling: the two largest eigenvectors of the centred squares of the lengths. Parts
    that no path joins lie one length more than the longest path apart.

    Parameters
    ----------
    edges : (2, m)
    nodes : how many
    """
    if nodes < 3:
        return np.stack([np.arange(nodes, dtype=float), np.zeros(nodes)], 1)
    joined = coo_array((np.ones(edges.shape[1]), tuple(edges)), shape=(nodes, nodes)).tocsr()
    length = shortest_path(joined, directed=False, unweighted=True)
    finite = np.isfinite(length)
    length[~finite] = length[finite].max() + 1.0
    square = length**2
    centred = -0.5 * (square - square.mean(0) - square.mean(1)[:, None] + square.mean())
    sizes, vectors = np.linalg.eigh(centred)
    return vectors[:, -2:] * np.sqrt(np.maximum(sizes[-2:], 0.0))
