"""Pictures of graphs with classes: places by shortest paths, tags in colours, wrong classes in another colour."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from sciml.errors import InputError
from sciml.plots import ClassifiedGraph, classified_graphs
from sciml.plots.labelled_graphs import draw_graph, flat_positions
from sciml.plots.style import COLOURS, INK

RING = np.array([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]])


def test_a_path_lies_on_a_line_with_its_own_distances_and_a_ring_is_a_regular_polygon():
    path = flat_positions(np.array([[0, 1, 2], [1, 2, 3]]), 4)
    apart = np.linalg.norm(path[:, None] - path, axis=2)
    np.testing.assert_allclose(apart, np.abs(np.subtract.outer(np.arange(4), np.arange(4))), atol=1e-9)
    ring = flat_positions(RING, 6)
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), np.linalg.norm(ring[0]))
    sides = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, sides[0])


def test_parts_that_nothing_joins_and_single_nodes_have_places_of_their_own():
    apart = flat_positions(np.array([[0, 2], [1, 3]]), 4)
    assert np.isfinite(apart).all() and np.linalg.norm(apart[0] - apart[2]) > 1.0
    assert flat_positions(np.zeros((2, 0), int), 1).tolist() == [[0.0, 0.0]]


def test_a_wrong_class_has_another_colour_and_equal_tags_have_one(tmp_path):
    for predicted, colour in ((1, INK), (0, COLOURS[0])):
        axes = Figure().subplots()
        draw_graph(axes, ClassifiedGraph(RING, np.array([0, 1, 0, 1, 0, 1]), 1, predicted))
        (title,) = (each for each in axes.findobj(Text) if each.get_text() == f"true 1, predicted {predicted}")
        assert to_hex(title.get_color()) == colour
        dots = axes.collections[1].get_facecolors()
        assert (dots[::2] == dots[0]).all() and (dots[1::2] == dots[1]).all() and (dots[0] != dots[1]).any()
    graphs = [ClassifiedGraph(RING, np.zeros(6, int), 0, 0)] * 5
    classified_graphs(graphs, tmp_path / "graphs.png")
    assert (tmp_path / "graphs.png").stat().st_size > 5000
    with pytest.raises(InputError, match="at least one"):
        classified_graphs([], tmp_path / "graphs.png")
