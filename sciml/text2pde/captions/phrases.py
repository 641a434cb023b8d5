"""A small grammar of phrases: words have tags, rules are patterns of tags, and what they match are statements.

A rule such as ``radius link* Q`` is a regular expression whose letters are tags; ``Q`` stands for any number, and ``L``
for a length or a number without a unit:

>>> tags = {"radius": "radius", "of": "link", "is": "link"}
>>> rules = [Rule("radius", "radius link* Q", "length")]
>>> found = Phrases(tags, rules).read("The radius is 4.5 cm")
>>> found.statements[0].name, found.statements[0].values, found.unknown
('radius', (Decimal('0.045'),), ('the',))
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sciml.errors import InputError
from sciml.nets.text_tokens import Token, normalised, tokens_of

UNKNOWN = "other"  # the tag of words that are not in the lexicon
_NUMBERS = {"Q": "(?:<[A-Z]+>)", "L": "(?:<LENGTH>|<NUMBER>)"}  # their tags are the dimensions in capitals
_UNITS = {"length": "mm, cm or m", "velocity": "mm/s, cm/s or m/s", "viscosity": "m^2/s", "angle": "degrees"}


@dataclass(frozen=True)
class Rule:
    """A pattern of tags, and what a match of it states.

    Parameters
    ----------
    name : of the statement
    pattern : tags, ``Q`` and ``L`` for numbers, dimensions in capitals for numbers that have them; ``* + ? | ( )`` as
        in regular expressions
    dimension : of its numbers; empty for a statement without
    """

    name: str
    pattern: str
    dimension: str = ""

    @property
    def expression(self) -> re.Pattern[str]:
        """The regular expression of the pattern on tags in angle brackets."""
        tags = re.sub(r"\w+", lambda tag: _NUMBERS.get(tag[0], f"(?:<{tag[0]}>)"), self.pattern)
        return re.compile(tags.replace(" ", ""))


@dataclass(frozen=True)
class Statement:
    """A statement of a text.

    Attributes
    ----------
    name : of the rule that it matches
    values : its numbers in SI units and degrees
    words : of the text
    tags : of these words
    """

    name: str
    values: tuple[Decimal, ...]
    words: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parsed:
    """The statements of a text.

    Attributes
    ----------
    text : with plain digits and signs
    statements : in the order of the rules
    tagged : the words of each tag that no statement has taken
    unknown : words that are not in the lexicon
    """

    text: str
    statements: tuple[Statement, ...]
    tagged: Mapping[str, tuple[str, ...]]
    unknown: tuple[str, ...]


class Phrases:
    """A lexicon and the rules that read texts with it, each on what those before it have left.

    Parameters
    ----------
    tags : of words and marks in lower case, without hyphens
    rules : in the order in which they are tried
    """

    def __init__(self, tags: Mapping[str, str], rules: Sequence[Rule]) -> None:
        self.tags = dict(tags)
        self.rules = [(rule, rule.expression) for rule in rules]

    def read(self, text: str) -> Parsed:
        """Return the statements of a text.

        Parameters
        ----------
        text : in English

        Raises
        ------
        InputError
            If it is blank, a number belongs to no statement, or has another unit than its statement, or none.
        """
        plain, tokens = normalised(text), tokens_of(text)
        tags = [self._tag(token) for token in tokens]
        statements = [found for rule in self.rules for found in _matches(*rule, plain, tokens, tags)]
        for index, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
            if token.dimension and tag:
                raise InputError(_unread(plain, tokens, index))
        left: dict[str, list[str]] = {}
        for token, tag in zip(tokens, tags, strict=True):
            if tag:
                left.setdefault(tag, []).append(token.text)
        unknown = (token.text for token in tokens if token.is_word and self._tag(token) == UNKNOWN)
        return Parsed(plain, tuple(statements), {tag: tuple(words) for tag, words in left.items()}, (*unknown,))

    def _tag(self, token: Token) -> str:
        return token.dimension.upper() or self.tags.get(token.text.replace("-", ""), UNKNOWN)


def _matches(
    rule: Rule, expression: re.Pattern[str], text: str, tokens: Sequence[Token], tags: list[str]
) -> Iterator[Statement]:
    """Yield the statements of a rule, and take their tags away."""
    ends, line = [], ""
    for tag in tags:
        line += f"<{tag}>"
        ends.append(len(line))
    starts = [0, *ends[:-1]]
    for match in expression.finditer(line):
        first, last = starts.index(match.start()), ends.index(match.end())
        taken = tokens[first : last + 1]
        words = text[taken[0].start : taken[-1].end]
        after = tokens[last + 1 :] if tags[last + 1 : last + 2] == [UNKNOWN] else []
        values = _values(rule, [token for token in taken if token.dimension], after, words)
        found = tuple(tags[first : last + 1])
        tags[first : last + 1] = [""] * len(taken)
        yield Statement(rule.name, values, words, found)


def _values(rule: Rule, numbers: Sequence[Token], after: Sequence[Token], words: str) -> tuple[Decimal, ...]:
    """Return the numbers of a statement, of which those without a unit have that of the last one."""
    if not rule.dimension or not numbers:
        return tuple(number.value for number in numbers)
    wrong = {number.dimension for number in numbers} - {rule.dimension, "number"}
    if wrong:
        raise InputError(f"the prompt says {words!r}, expected a {rule.dimension}, not a {wrong.pop()}.")
    last = numbers[-1]
    if rule.dimension == "number":
        return tuple(number.value for number in numbers)
    if last.dimension == "number":
        unit = _word_right_after(last, after)
        got = f"the unit {unit!r}, which is not known" if unit else "no unit"
        raise InputError(f"the prompt says {words!r}, which has {got}, expected {_UNITS[rule.dimension]}.")
    return tuple(
        number.value.scaleb(last.exponent) if number.dimension == "number" else number.value for number in numbers
    )


def _word_right_after(number: Token, after: Sequence[Token]) -> str:
    """Return the word after a number, with what is written together with it, as the unit that was meant."""
    unit, end = "", None
    for token in after:
        if end is not None and token.start != end:
            break
        if end is None and (not token.is_word or token.start > number.end + 1):
            break
        unit, end = unit + token.text, token.end
    return unit.rstrip(".,;:!?)")


def _unread(text: str, tokens: Sequence[Token], index: int) -> str:
    """Return the sentence about a number that no rule has taken, with the words around it."""
    token = tokens[index]
    unit = _word_right_after(token, tokens[index + 1 :]) if token.dimension == "number" else ""
    if unit:
        units = ", ".join(_UNITS.values())
        return f"the prompt says '{token.text} {unit}', which is neither a unit nor a name, expected {units}."
    first, last = max(0, index - 2), min(len(tokens) - 1, index + 2)
    words = text[tokens[first].start : tokens[last].end]
    return (
        f"the prompt says {token.text!r} in {words!r}, and not what it is, expected a name beside each number, such as "
        "'a radius of 4.5 cm'."
    )


def joined(words: Collection[str]) -> str:
    """Return words in quotation marks, with commas between them.

    Parameters
    ----------
    words : any number

    Examples
    --------
    >>> joined(["a", "b"])
    "'a', 'b'"
    """
    return ", ".join(map(repr, words))
