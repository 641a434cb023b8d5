"""Pictures of decisions: states by value, arrows to what they choose, and wrong choices in a colour of their own."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from sciml.errors import InputError
from sciml.plots import DecisionPicture, decisions_picture
from sciml.plots.decisions import RIGHT, WRONG, draw_decisions

EDGES = np.array([[1, 2, 2, 0], [0, 0, 1, 2]])  # 0 may go to 1 or to 2, 1 to 2, and 2 to 0
VALUES = np.array([3.0, 2.0, 1.0])


def picture(chosen, predicted=VALUES):
    return DecisionPicture(EDGES, VALUES, np.array(predicted), best=np.array([0, 2, -1]), chosen=np.array(chosen))


def arrows(shown):
    axes = Figure().subplots()
    draw_decisions(axes, shown)
    drawn = [(text.xyann[1], text.xy[1], to_hex(text.arrow_patch.get_edgecolor())) for text in axes.texts]
    return axes, drawn


def test_an_arrow_leads_from_each_state_at_its_value_to_the_state_that_its_best_edge_comes_from():
    axes, drawn = arrows(picture([0, 2, -1]))
    assert drawn == [(3.0, 2.0, RIGHT), (2.0, 1.0, RIGHT)]
    assert axes.get_title("left") == "0 of 3 decisions differ"
    np.testing.assert_allclose(axes.collections[1].get_offsets()[:, 1], VALUES)


def test_another_choice_of_the_predicted_values_is_drawn_beside_the_best_one():
    axes, drawn = arrows(picture([1, 2, -1], [2.0, 1.0, 1.5]))
    assert drawn == [(3.0, 2.0, RIGHT), (2.0, 1.0, RIGHT), (3.0, 1.0, WRONG)]
    assert axes.get_title("left") == "1 of 3 decisions differ"
    np.testing.assert_allclose(axes.collections[1].get_array(), [2.0, 1.0, 1.5])


def test_the_picture_is_written_and_choices_beyond_the_edges_are_refused(tmp_path):
    decisions_picture(picture([1, 2, -1]), tmp_path / "decisions.png")
    assert (tmp_path / "decisions.png").stat().st_size > 5000
    with pytest.raises(InputError, match="the chosen edges"):
        picture([0, 4, -1])
