"""YAML: plain values or one sentence, whatever the text is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sciml import strict_yaml
from sciml.errors import ConfigError

REFUSED = {
    "? [a, b] : 1": "line 1, column 3: invalid YAML: a key is a mapping, not text",
    "a: 1\n? [a, b]\n: 1": "line 2, column 3: invalid YAML: a key is a sequence, not text",
    "1: a": "a key is '1', not text",
    "null: a": "a key is 'null', not text",
    "{<<: {a: 1}, b: 2}": "merge keys are not known here",
    "!!merge a: {b: 1}": "merge keys are not known here",
    "a: &x 1\nb: *x": "line 2, column 4: invalid YAML: aliases are not known here",
    "&a [*a]": "aliases are not known here",
    "a: 1\na: 2": "'a' is given twice",
    "a: 1" + "0" * 400: "a number has 1329 bits, expected at most 64",
    "a: 0x" + "f" * 5000: "a number has 20000 bits",
    "a: " + "9" * 5000: "has a value that YAML cannot read",
    "a: !!int 1:30": "numbers to the base 60 are not known here",
    "a: !!float " + "1:" * 300 + "1.5": "numbers to the base 60 are not known here",
    "a: 1e999": "a number is larger than 1.8e308",
    "a: !!binary aGk=": "could not determine a constructor",
    "a: !!set {x, y}": "could not determine a constructor",
    "a: !!timestamp 2024-01-01": "could not determine a constructor",
    "!!omap [a: 1]": "could not determine a constructor",
    "!!python/object/apply:os.system [id]": "could not determine a constructor",
    "!!python/name:os.system": "could not determine a constructor",
    "%TAG ! tag:yaml.org,2002:python/\n---\n!name:os.system": "could not determine a constructor",
    "!!bool maybe": "has a value that YAML cannot read",
    "!!int ''": "has a value that YAML cannot read",
    "!!float 'x'": "has a value that YAML cannot read",
    "!!map [1]": "expected a mapping node",
    "!!seq a": "expected a sequence node",
    "[" * 100_000: "nested too deeply",
    "- " * 50_000: "nested too deeply",
    "{a: " * 50_000: "nested too deeply",
    "a: 1\n---\na: 2": "another document",
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.items(), ids=[text[:30] for text in REFUSED])
def test_what_is_no_plain_value_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(ConfigError) as caught:
        strict_yaml.parse(text, "x.yaml")
    said = str(caught.value)
    assert said.startswith("x.yaml") and sentence in said and "\n" not in said and len(said) < 400


def test_a_file_of_another_size_is_refused_before_it_is_parsed(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"[" * (strict_yaml.LARGEST + 1))
    with pytest.raises(ConfigError, match="larger than"):
        strict_yaml.read(tmp_path / "x.yaml")


@pytest.mark.parametrize("value", ["1:30", "-1:30:59", "12:30:45.5", "1:" * 300 + "1.5"])
def test_times_are_text_and_no_numbers_to_the_base_60(value):
    assert strict_yaml.parse(f"a: {value}", "x.yaml") == {"a": value}
    assert strict_yaml.parse(strict_yaml.dump({"a": value}), "x.yaml") == {"a": value}


def test_dates_are_text_and_infinity_is_a_number():
    assert strict_yaml.parse("{a: 2024-01-01, b: 2026-13-45 25:00:00, c: -.inf}", "") == {
        "a": "2024-01-01",
        "b": "2026-13-45 25:00:00",
        "c": -math.inf,
    }


def is_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) is str and is_plain(item) for key, item in value.items())
    if type(value) is list:
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


NODES = ["a", "b: ", "- ", "? ", ": ", "[", "]", "{", "}", ", ", "&x ", "*x", "<<", "=", "~", "---", "%", "|", ">"]
TAGS = ["!!int ", "!!float ", "!!bool ", "!!map ", "!!seq ", "!!set ", "!!str ", "!!python/name:os.system "]
SCRAPS = ["\n", "  ", "\t", "1", "-", ".", "0x", "1e", "'", '"', "2024-01-01"]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(NODES + TAGS + SCRAPS), max_size=14).map("".join) | st.text(max_size=30))
@example("? ? a : 1\n: 2")
@example("a: \ud800")
def test_any_text_is_plain_values_or_one_sentence(text):
    try:
        assert is_plain(strict_yaml.parse(text, "x.yaml"))
    except ConfigError as error:
        said = str(error)
        if "\n" in said or len(said) > 400:
            pytest.fail(said)


TEXT = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])  # YAML folds the line ends of Unicode
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(TEXT, max_size=10)
)
NAMES = st.text(TEXT, max_size=6)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner), max_leaves=8)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, PLAIN, max_size=4))
@example({"a": "12:30", "b": "1:1:1.5"})
@example({"a": "2024-01-01", "<<": "1e3", "=": "0x1", "1": "null"})
def test_what_is_written_is_read_again(values):
    assert strict_yaml.parse(strict_yaml.dump(values), "x.yaml") == values
    assert strict_yaml.parse(strict_yaml.dump(values, ascii_only=True), "x.yaml") == values
