"""What an acquisition refuses, and its mirror image and scaled copies."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.waves import Acquisition, ricker


def test_the_wavelet_of_openfwi_has_147_samples_and_the_peak_in_their_middle():
    wavelet = Acquisition.openfwi().wavelet
    assert np.flatnonzero(wavelet).max() == 146 and wavelet.argmax() == 73 and wavelet[73] == 1.0
    np.testing.assert_allclose(wavelet[:147], wavelet[146::-1], atol=1e-15)
    assert abs(wavelet.sum()) < 2e-3  # a second derivative, cut where it is 2e-4


def test_json_keeps_every_bit_of_an_acquisition():
    acquisition = Acquisition(
        (8, 9),
        2.5,
        1e-4,
        12,
        [(0.1, 1 / 3)],
        [[(5.0, 20.0), (7.0, 0.0)]],
        40.0,
        mask=[[True, False]],
        free_surface=True,
    )
    copy = Acquisition.from_dict(json.loads(json.dumps(acquisition.as_dict())))
    assert copy.as_dict() == acquisition.as_dict()
    assert np.array_equal(copy.receivers, acquisition.receivers) and copy.record_shape == (1, 12, 2)


def test_the_mirror_image_of_openfwi_has_its_middle_source_one_column_further():
    flipped = Acquisition.openfwi().flipped()
    assert flipped.sources[:, 1].tolist() == [0.0, 170.0, 350.0, 520.0, 690.0]
    assert np.array_equal(flipped.receivers, Acquisition.openfwi().receivers)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": [(10.0, 700.0)]}, "1 of 1 sources are outside of the map, the first at z = 10 m, x = 700 m"),
        ({"sources": [(np.nan, 0.0)]}, "not finite"),
        (
            {"receivers": np.zeros((2, 3, 2))},
            r"the shape of the receivers is \(2, 3, 2\), expected .* or \(5, receivers",
        ),
        ({"receivers": np.zeros((0, 2))}, "5 sources and 0 receivers"),
        ({"mask": np.ones((5, 69), bool)}, r"the shape of the mask is \(5, 69\), expected \(5, 70\)"),
        ({"wavelet": np.zeros(999)}, "wavelet"),
        ({"shape": (70,)}, "two whole numbers"),
        ({"spacing": 0.0}, "the spacing of an acquisition is 0.0"),
        ({"free_surface": True, "sources": [(0.0, 10.0)]}, "on the free surface, where it makes no wave"),
    ],
)
def test_an_acquisition_that_does_not_fit_together_is_refused(changes, words):
    values = Acquisition.openfwi().as_dict()
    with pytest.raises(InputError, match=words):
        Acquisition.from_dict({**values, **changes})


def test_records_with_exchanged_axes_are_named_as_such():
    acquisition = Acquisition.openfwi()
    assert acquisition.check_records("the records", np.zeros((2, 5, 1000, 70))).shape == (2, 5, 1000, 70)
    with pytest.raises(InputError, match=r"the records is \(1000, 70, 5\), expected \(..., 5, 1000, 70\); exchange"):
        acquisition.check_records("the records", np.zeros((1000, 70, 5)))


def test_a_dictionary_with_a_name_too_many_or_too_few_is_refused():
    values = Acquisition.openfwi().as_dict()
    with pytest.raises(InputError, match="spacings"):
        Acquisition.from_dict({**values, "spacings": 1.0})
    del values["frequency"]
    with pytest.raises(InputError, match="an acquisition has no frequency"):
        Acquisition.from_dict(values)


def test_dictionaries_of_any_values_are_acquisitions_or_refused_in_a_sentence():
    """300 mutations, as of a manifest that was damaged or made to do harm."""
    random = np.random.default_rng(0)
    values = Acquisition((8, 9), 2.5, 1e-4, 12, [(0.1, 1 / 3)], [(5.0, 20.0), (7.0, 0.0)], 40.0).as_dict()
    strange = [
        None,
        True,
        -1,
        0,
        10**400,
        1e-320,
        1e308,
        float("nan"),
        "70",
        [],
        [[]],
        [[1.0]],
        [1, [2]],
        {"a": 1},
        2.5,
    ]
    sentences = []
    for _ in range(300):
        names = random.choice(list(values), random.integers(1, 3), replace=False)
        changed = {**values, **{name: strange[random.integers(len(strange))] for name in names}}
        try:
            assert Acquisition.from_dict(changed).record_shape[1] == changed["steps"]
        except InputError as error:
            sentences.append(str(error))
    assert len(sentences) > 200 and all(each.endswith(".") and "\n" not in each for each in sentences)


def test_an_acquisition_is_shown_by_its_sizes_and_not_by_its_arrays():
    expected = "Acquisition(5 shots, 70 receivers, 1000 steps of 0.001 s, 15 Hz, 70 x 70 cells of 10 m)"
    assert repr(Acquisition.openfwi()) == expected


def test_a_wavelet_longer_than_the_record_is_cut():
    np.testing.assert_array_equal(ricker(15.0, 1e-3, 100), ricker(15.0, 1e-3, 1000)[:100])
