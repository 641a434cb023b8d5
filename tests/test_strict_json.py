"""JSON from disk: what a run or a benchmark writes is read, anything else is refused in one sentence."""

from __future__ import annotations

import json
import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml import strict_json
from sciml.errors import DataFormatError, InputError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)
)


@given(PLAIN, st.booleans())
def test_what_json_writes_is_read_to_the_same_value(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert repr(strict_json.parse(text, "it")) == repr(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1, is not JSON: expecting value"),
        ('{"a": 1', "line 1, is not JSON"),
        ('{"a": 1}\n]', "line 2, is not JSON: extra data"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 101 + "]" * 101, "nested too deeply"),
        ("NaN", "the number NaN"),
        ("[-Infinity]", "the number -Infinity"),
        ("[1e999]", "the number 1e999"),
        ("1" * 401, "the number 11111111111111111111 ..."),
        ("9" * 100_000, "the number 99999999999999999999 ..."),
        (str(1 << 64), "the number 18446744073709551616"),
        ('{"a": 1, "a": 2}', "gives the key 'a' twice"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"\\udfff": 1}', "half of a surrogate pair"),
    ],
)
def test_anything_else_is_refused_in_a_short_sentence(text, reason):
    with pytest.raises(DataFormatError) as caught:
        strict_json.parse(text, "result.json")
    sentence = str(caught.value)
    assert sentence.startswith("result.json") and reason in sentence
    assert len(sentence) < 200 and "\n" not in sentence


def test_a_hundred_levels_are_read():
    assert strict_json.parse("[" * 100 + "]" * 100, "it")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("bytes") / "any.json"
    path.write_bytes(data)
    with suppress(DataFormatError):
        strict_json.digest(strict_json.read(path))


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        strict_json.read(tmp_path / "none.json")
    with pytest.raises(DataFormatError, match="expected a regular file"):
        strict_json.read(tmp_path)
    os.mkfifo(tmp_path / "fifo")  # opened, it would be waited for
    with pytest.raises(DataFormatError, match="expected a regular file"):
        strict_json.read(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises((DataFormatError, FileNotFoundError)):
        strict_json.read(tmp_path / "loop")
    (tmp_path / "long.json").write_text(" " * 11 + "1")
    monkeypatch.setattr(strict_json, "LARGEST", 11)
    with pytest.raises(DataFormatError, match="larger than 11 bytes"):
        strict_json.read(tmp_path / "long.json")


@given(PLAIN, PLAIN)
def test_two_values_have_one_digest_only_if_they_are_written_alike(one, other):
    same = json.dumps(one) == json.dumps(other)
    assert (strict_json.digest(one) == strict_json.digest(other)) is same


def test_the_digest_tells_types_and_the_order_of_keys_apart():
    values = [1, 1.0, True, "1", None, [1], {"a": 1, "b": 2}, {"b": 2, "a": 1}, float("inf"), float("-inf")]
    assert len({strict_json.digest(value) for value in values}) == len(values)


def test_a_seal_finds_each_change_of_what_it_is_of_and_nothing_else():
    values = {"a": 1, "b": [2.0, None], "c": {"d": "e"}}
    whole, part = strict_json.sealed(values, "sum"), strict_json.sealed(values, "sum", "c")
    strict_json.check_seal(values, "sum")  # as in files of earlier versions
    strict_json.check_seal(whole, "sum")
    assert strict_json.sealed(whole, "sum") == whole and {**whole, "sum": 0} == {**values, "sum": 0}
    for other in ({"a": True}, {"b": [2, None]}, {"c": {}}, {"more": None}, {"sum": None}):
        with pytest.raises(InputError, match="its values do not match their checksum, sum"):
            strict_json.check_seal({**whole, **other}, "sum")
    strict_json.check_seal({**part, "a": 2}, "sum", "c")
    with pytest.raises(InputError, match="its c do not match their checksum, sum"):
        strict_json.check_seal({**part, "c": {"d": "f"}}, "sum", "c")
    with pytest.raises(InputError, match="neither text nor a number"):
        strict_json.check_seal({**whole, (1, 2): 3}, "sum")
