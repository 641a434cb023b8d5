"""What the user of an inversion is told: how it ended, and what the records do not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sciml.gfi import InversionTask, RefineTask
from sciml.gfi.remarks import UNSEEN, remarks


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"interpolated": 12.0}, "is 12; the network was given these interpolated"),
        ({"dead_traces": 3.0}, "left out of the misfit, is 3"),
        ({"at_limit": 1.0}, "the solves were used up"),
        ({"stalled": 1.0}, "the misfit hardly fell any further"),
        ({"unseen": UNSEEN + 0.05}, "hardly change with 25% of the cells"),
        ({"unrecorded": 0.3}, "the lowest 30% of the map"),
    ],
)
def test_a_number_that_matters_is_a_sentence(numbers, words):
    for task in (InversionTask, RefineTask):
        (told,) = task.remarks(numbers)
        assert words in told and told.endswith(".")


def test_shares_of_several_maps_are_stated_and_nothing_is_said_of_a_good_end():
    assert remarks({"at_limit": 0.4})[0].startswith("of 40% of the maps, the solves")
    assert remarks({"converged": 1.0, "at_limit": 0.0, "stalled": 0.0, "unseen": UNSEEN, "unrecorded": 0.0}) == []


def test_the_command_line_shows_the_notes_of_a_prediction(tmp_path: Path, in_process, monkeypatch):
    class Predicting:
        """A network whose refinement stalled."""

        remarks = InversionTask.remarks
        parameter_options = InversionTask.parameter_options

        def predict_file(self, source: Path, output: Path) -> dict[str, float]:
            np.save(output, np.load(source))
            return {"misfit": 0.5, "stalled": 1.0}

    monkeypatch.setattr("sciml.training.stored.load_with_config", lambda *given, **named: (Predicting(), None))
    monkeypatch.setattr("sciml.training.stored.unfinished", lambda *given: None)
    np.save(tmp_path / "shots.npy", np.ones(3))
    words = ("predict", "dcdm/box2d_cpu", tmp_path / "shots.npy", "-o", tmp_path / "v.npy")
    code, out, _ = in_process(*words)
    assert code == 0 and "misfit 0.5, stalled 1" in out
    assert "note: the misfit hardly fell any further" in " ".join(out.split())
    assert "note" not in in_process(*words, "--json")[1]
