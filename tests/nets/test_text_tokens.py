"""Tokens of texts: units against SI by an independent table, exact decimals, brackets, and texts of any kind."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.nets.text_tokens import DIMENSIONS, normalised, tokens_of


def numbers(text: str) -> list[tuple[str, str]]:
    return [(str(token.value.normalize()), token.dimension) for token in tokens_of(text) if token.dimension]


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("4.5 cm", 0.045, "length"),
        ("45mm", 0.045, "length"),
        ("4.5-cm", 0.045, "length"),
        (".045 metres", 0.045, "length"),
        ("45 Millimeters", 0.045, "length"),
        ("1.2 m/s", 1.2, "velocity"),
        ("120 cm / s", 1.2, "velocity"),
        ("1200 mm s^-1", 1.2, "velocity"),
        ("1.2 metres per second", 1.2, "velocity"),
        ("1e-3 m²/s", 1e-3, "viscosity"),
        ("1000 mm^2/s", 1e-3, "viscosity"),
        ("10 square centimetres per second", 1e-3, "viscosity"),
        ("1.5×10⁻³ m2/s", 1.5e-3, "viscosity"),
        ("1.5 x 10^(-3) m^2/s", 1.5e-3, "viscosity"),
        ("30°", 30, "angle"),
        ("−30 deg", -30, "angle"),
        ("2 m^2", 2, "area"),
        ("1.2 km/h", 1.2, "number"),
        ("3 m/s^2", 3, "number"),
        ("4.5 inches", 4.5, "number"),
        ("7", 7, "number"),
    ],
)
def test_numbers_are_in_si_units(text: str, value: float, dimension: str) -> None:
    found = tokens_of(text)[0]
    assert (float(found.value), found.dimension) == (value, dimension)


@given(st.decimals(min_value=0, max_value=10**6, places=7), st.sampled_from(["m", "cm", "mm"]))
def test_units_change_no_digit(value: Decimal, unit: str) -> None:
    scale = Decimal(1).scaleb({"m": 0, "cm": -2, "mm": -3}[unit])
    assert tokens_of(f"{value:f} {unit}")[0].value == value * scale


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(31, 18) cm", [("0.31", "length"), ("0.18", "length")]),
        ("Re 7 at (31, 18) cm", [("7", "number"), ("0.31", "length"), ("0.18", "length")]),
        ("Re 7, (31, 18) cm", [("7", "number"), ("0.31", "length"), ("0.18", "length")]),
        ("(1, 2), (3, 4) and (5, 6) m", [(str(each), "length") for each in range(1, 7)]),
        ("(1 mm, 2) m", [("0.001", "length"), ("2", "length")]),
        ("f(2) m", [("2", "length")]),
        ("(7) 2 m", [("7", "number"), ("2", "length")]),
    ],
)
def test_a_unit_after_brackets_belongs_to_the_numbers_in_them(text: str, expected: list[tuple[str, str]]) -> None:
    assert numbers(text) == expected


def test_words_keep_their_letters_and_dimensions_of_space_are_words() -> None:
    assert [token.text for token in tokens_of("The semi-axes of a 2-D body's u_max.")] == [
        "the", "semi-axes", "of", "a", "2-d", "body's", "u_max", ".",
    ]  # fmt: skip


@given(st.text(max_size=200))
def test_every_text_has_tokens_that_lie_in_it_in_order(text: str) -> None:
    if not normalised_or_empty(text):
        return
    plain, found = normalised(text), tokens_of(text)
    assert all(0 <= token.start < token.end <= len(plain) for token in found)
    assert all(first.end <= second.start for first, second in pairwise(found))
    covered = {place for token in found for place in range(token.start, token.end)}
    assert all(plain[place].isspace() for place in set(range(len(plain))) - covered)
    assert {token.dimension for token in found} <= {"", "area", *DIMENSIONS}


def normalised_or_empty(text: str) -> str:
    try:
        return normalised(text)
    except InputError:
        return ""


@pytest.mark.parametrize("text", ["", "   ", "a" * 2001, None, 3])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="expected"):
        tokens_of(text)
