"""Words, marks and numbers with units of an English text, as a text encoder and a grammar read them.

Numbers are exact decimals in SI units, so that ``4.5 cm`` and ``45 mm`` are the same value:

>>> [token.value for token in tokens_of("a radius of 4.5 cm, or 45 mm") if token.dimension]
[Decimal('0.045'), Decimal('0.045')]
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from sciml.checks import instance, shown
from sciml.errors import InputError

DIMENSIONS = {"number": "", "length": "m", "velocity": "m/s", "viscosity": "m^2/s", "angle": "degrees"}
"""The dimensions of numbers by name, with their units; a number without a unit has the dimension ``number``."""
MOST_CHARACTERS = 2000

_LENGTH = r"mm|cm|m|(?:milli|centi)?met(?:re|er)s?"
_SECOND = r"\s*/\s*s(?:ec(?:ond)?)?|\s+per\s+second|\s*s\s*\^?-1"
_UNIT = (
    rf"(?:(?P<square>square\s+)?(?P<length>{_LENGTH})(?P<power>\s*\^?2)?(?P<rate>{_SECOND})?|(?P<angle>°|deg(?:rees?)?))"
    r"(?![\w/^])"
)
_NUMBER = (
    r"(?<![\w.])(?P<number>[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d{1,3}(?!\d))?)"
    r"(?:\s*[x×*·]\s*10(?:\^\(?(?P<high>[+-]?\d{1,3})\)?|(?P<low>-\d{1,3})))?"
)
_TOKEN = re.compile(
    rf"(?P<word>[23]-?d\b|[^\W\d]\w*(?:['-][^\W\d_]+)*)|{_NUMBER}(?:[\s-]?(?P<unit>{_UNIT}))?|(?P<mark>\S)",
    re.IGNORECASE,
)
_UNIT_AFTER_BRACKET = re.compile(r"\s*" + _UNIT, re.IGNORECASE)


@dataclass(frozen=True)
class Token:
    """A word, a mark or a number of a text.

    Attributes
    ----------
    text : in lower case; of a number with its unit, as written
    start, end : its place in the text
    value : of a number in SI units, and of an angle in degrees; None for words and marks
    dimension : of a number, one of :data:`DIMENSIONS` or ``area``; empty for words and marks
    is_word : whether it is a word
    exponent : of ten, by which its unit is larger than that of the value
    """

    text: str
    start: int
    end: int
    value: Decimal | None = None
    dimension: str = ""
    is_word: bool = False
    exponent: int = 0


def normalised(text: str) -> str:
    """Return a text with plain digits, minus signs and spaces, of which tokens name the places.

    Parameters
    ----------
    text : any text of at most 2000 characters

    Raises
    ------
    InputError
        If it is no text, blank or longer.
    """
    instance("the text", text, str, "a text")
    plain = unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")
    if not plain.strip():
        raise InputError(f"the text is {shown(text)}, expected words.")
    if len(plain) > MOST_CHARACTERS:
        raise InputError(f"the text has {len(plain)} characters, expected at most {MOST_CHARACTERS}; shorten it.")
    return plain


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a text in their order.

    A unit after a bracket belongs to all numbers in it, and in the brackets right before it, that have none.

    Parameters
    ----------
    text : such as ``"Fluid enters at 1.2 m/s"``

    Raises
    ------
    InputError
        If the text is blank or too long.

    Examples
    --------
    >>> [token.text for token in tokens_of("at (31, 18) cm")]
    ['at', '(', '31 cm', ',', '18 cm', ')']
    """
    plain = normalised(text)
    found: list[Token] = []
    at = 0
    while match := _TOKEN.search(plain, at):
        at = match.end()
        found.append(_token(match))
        if match["mark"] == ")" and (unit := _UNIT_AFTER_BRACKET.match(plain, at)):
            at = unit.end()
            found[-1] = replace(found[-1], end=at)
            for index in _in_brackets(found):
                found[index] = _with_unit(found[index], unit)
    return found


def _token(match: re.Match[str]) -> Token:
    """Return the token of a match."""
    whole = match[0]
    if match["number"] is None:
        return Token(whole.lower(), match.start(), match.end(), is_word=match["word"] is not None)
    value = Decimal(match["number"]).scaleb(int(match["high"] or match["low"] or 0))
    token = Token(whole, match.start(), match.end(), value, "number")
    return token if match["unit"] is None else _in_units(token, match)


def _in_units(token: Token, unit: re.Match[str]) -> Token:
    """Return a number without unit as one in the unit of a match."""
    if unit["angle"]:
        return replace(token, dimension="angle")
    name = unit["length"].lower()
    exponent = -3 if name.startswith(("mm", "mi")) else -2 if name.startswith("c") else 0
    squared = bool(unit["square"] or unit["power"])
    kinds = {(False, False): "length", (False, True): "velocity", (True, True): "viscosity", (True, False): "area"}
    dimension = kinds[squared, unit["rate"] is not None]
    exponent *= 2 if squared else 1
    return replace(token, value=token.value.scaleb(exponent), dimension=dimension, exponent=exponent)


def _with_unit(token: Token, unit: re.Match[str]) -> Token:
    return _in_units(replace(token, text=f"{token.text} {unit[0].strip()}"), unit)


def _in_brackets(tokens: list[Token]) -> Iterator[int]:
    """Yield the places of bare numbers in the brackets that the last token closes, and in those right before them."""
    depth = 0
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        depth += (token.text == ")") - (token.text == "(")
        if depth < 0 or (depth == 0 and token.text not in ("(", ",", "and")):
            return
        if token.dimension == "number":
            yield index
