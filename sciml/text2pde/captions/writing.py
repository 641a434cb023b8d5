"""Captions of channel flows in many wordings, which state a flow exactly.

The same generator gives the same caption, and :func:`~sciml.text2pde.captions.read_prompt` gives back the flow:

>>> import numpy as np
>>> circle = CircleOutline(x=0.31, y=0.18, radius=0.045)
>>> write_caption(ChannelFlow(circle, peak_velocity=1.2), np.random.default_rng(7))
'The inflow reaches 120 cm/s. Fluid passes over a circular cylinder 0.045 m in radius at 31 cm, 18 cm.'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from sciml.nets.text_tokens import tokens_of
from sciml.text2pde.captions.channel_flow import HEIGHT, ChannelFlow
from sciml.text2pde.captions.outlines import PolygonOutline, RectangleOutline, exact
from sciml.text2pde.captions.wordings import SEEN, UNSEEN, Wordings

_NAME = re.compile(r"\{(\w+)\}")
_UNITS = {  # names of units, and of ten the exponents of their values
    "length": (("m", 0), ("cm", -2), ("mm", -3)),
    "velocity": (("m/s", 0), ("cm/s", -2)),
    "viscosity": (("m^2/s", 0), ("cm^2/s", -4), ("mm^2/s", -6)),
    "angle": (("degrees", 0), ("°", 0)),
    "number": (("", 0),),
}
_CENTIMETRES = 0.5  # the share of lengths in cm, of the others a half each in m and mm
_BRIEF, _ALONE = 0.25, 0.2  # shares of captions without sentences, and of sizes and places in sentences of their own


@dataclass(frozen=True)
class _Number:
    """A number in a wording: the fields it states, its dimension, and what it is of them."""

    fields: tuple[str, ...]
    dimension: str
    value: Callable[[Decimal], Decimal] = lambda value: value


_NUMBERS: Mapping[str, _Number] = {
    **{name: _Number((name,), "length") for name in ("radius", "first", "second", "length", "depth", "x", "y")},
    "diameter": _Number(("radius",), "length", lambda radius: 2 * radius),
    "first_axis": _Number(("first",), "length", lambda first: 2 * first),
    "second_axis": _Number(("second",), "length", lambda second: 2 * second),
    "below": _Number(("y",), "length", lambda y: exact(HEIGHT) - y),
    "angle": _Number(("angle",), "angle"),
    "minus_angle": _Number(("angle",), "angle", lambda angle: -angle),
    "peak_velocity": _Number(("peak_velocity",), "velocity"),
    "mean_velocity": _Number(("mean_velocity",), "velocity"),
    "reynolds_number": _Number(("reynolds_number",), "number"),
    "viscosity": _Number(("viscosity",), "viscosity"),
}
_FIELDS = {**{name: number.fields for name, number in _NUMBERS.items()}, "place": ("x", "y"), "corners": ("corners",)}
_STATED = ("peak_velocity", "mean_velocity", "reynolds_number", "viscosity")
_PARTS = {"place": ("x", "y"), "angle": ("angle",), "size": ("radius", "first", "second", "length", "depth", "corners")}


def write_caption(flow: ChannelFlow, random: np.random.Generator, unseen: bool = False) -> str:
    """Return a caption that states all of a flow and nothing else.

    Parameters
    ----------
    flow : in a channel that is 0.41 m high
    random : chooses order, wordings and units
    unseen : whether the wordings are those that trainings do not use
    """
    return _Writer(flow, random, UNSEEN if unseen else SEEN).caption()


def words_of(*wordings: Wordings) -> list[str]:
    """Return the words and marks of wordings in alphabetical order, the vocabulary of their captions.

    Parameters
    ----------
    wordings : tables of alternatives
    """
    texts = [text for table in wordings for alternatives in table.values() for text in alternatives]
    tokens = (token for text in texts for token in tokens_of(_NAME.sub(" ", text) + " ,.;()"))
    return sorted({token.text for token in tokens if not token.dimension})


class _Writer:
    """The wordings for one flow, and the generator that chooses them."""

    def __init__(self, flow: ChannelFlow, random: np.random.Generator, wordings: Wordings) -> None:
        self.flow, self.random, self.wordings = flow, random, wordings
        given = {
            name: getattr(flow, name) for name in ("peak_velocity", "mean_velocity", "reynolds_number", "viscosity")
        }
        self.values = {name: value for name, value in given.items() if value is not None}
        if isinstance(flow.outline, PolygonOutline):
            self.values |= {"corners": flow.outline.corners} if flow.outline.corners else {}
        elif flow.outline is not None:
            self.values |= {name: value for name, value in flow.outline.numbers().items() if name != "angle" or value}

    def caption(self) -> str:
        """Return sentences, or phrases between commas."""
        topics = [
            name for name in ("peak_velocity", "mean_velocity", "reynolds_number", "viscosity") if name in self.values
        ]
        topics += [self.flow.regime] if self.flow.regime else []
        if self._happens(_BRIEF):
            phrases = [self.fill(self.pick(f"{topic}_briefly")) for topic in topics]
            if self.flow.outline is not None:
                phrases.append(self.fill(self.pick("obstacle_briefly"), self.obstacle(list(_PARTS))))
            return ", ".join(self.shuffled(phrases))
        sentences = [self.fill(self.pick(topic)) for topic in topics]
        if self.flow.outline is not None:
            sentences += self.about_obstacle()
        end = "; " if self._happens(_BRIEF) else ". "
        return end.join(text[0].upper() + text[1:] for text in self.shuffled(sentences)) + "."

    def about_obstacle(self) -> list[str]:
        """Return the sentences about the obstacle."""
        parts, more = list(_PARTS), []
        if "radius" in self.values and self._happens(_ALONE):
            parts.remove("size")
            more.append(self.fill(self.pick("size_alone")))
        if {"x", "y"} <= set(self.values) and self._happens(_ALONE):
            parts.remove("place")
            more.append(self.fill(self.pick("place_alone")))
        return [self.fill(self.pick("obstacle"), self.obstacle(parts)), *more]

    def obstacle(self, parts: Sequence[str]) -> str:
        """Return the noun of the obstacle with some of its parts: size, place and angle."""
        phrases = [self.pick("square" if self._is_square else self.flow.outline.shape)]
        for part in self.shuffled(parts):
            fields = set(_PARTS[part]) & set(self.values)
            if fields:
                phrases.append(self.fill(self._wording_of(part, fields)))
        return " ".join(phrases)

    def pick(self, topic: str, fields: set[str] | None = None) -> str:
        """Return one of the wordings of a topic that state the given fields, no more and no fewer."""
        known = self.wordings[topic]
        if fields is not None:
            known = [
                text for text in known if {each for name in _NAME.findall(text) for each in _FIELDS[name]} == fields
            ]
        return known[int(self.random.integers(len(known)))]

    def fill(self, text: str, obstacle: str = "") -> str:
        """Return a wording with its numbers."""
        return _NAME.sub(lambda name: obstacle if name[1] == "obstacle" else self._said(name[1]), text)

    def shuffled(self, items: Sequence[str]) -> list[str]:
        """Return items in a random order."""
        return [items[index] for index in self.random.permutation(len(items))]

    def _said(self, name: str) -> str:
        if name == "place_words":
            return self.fill(self.pick("place", {"x", "y"}))
        if name == "place":
            return self._pairs([(self.values["x"], self.values["y"])])
        if name == "corners":
            return self._pairs(self.values["corners"])
        number = _NUMBERS[name]
        value = number.value(exact(self.values[number.fields[0]]))
        unit, exponent = self._unit(number.dimension)
        return f"{_plain(value.scaleb(-exponent))}{'' if unit in ('', '°') else ' '}{unit}"

    def _pairs(self, pairs: Sequence[tuple[float, float]]) -> str:
        """Return pairs of coordinates in brackets, in one unit at the end."""
        unit, exponent = self._unit("length")
        texts = [f"({', '.join(_plain(exact(value).scaleb(-exponent)) for value in pair)})" for pair in pairs]
        return f"{', '.join(texts[:-1])} and {texts[-1]} {unit}" if len(texts) > 1 else f"{texts[0]} {unit}"

    def _unit(self, dimension: str) -> tuple[str, int]:
        units = _UNITS[dimension]
        if dimension == "length" and self._happens(_CENTIMETRES):
            return units[1]
        return units[int(self.random.integers(len(units)))]

    def _wording_of(self, part: str, fields: set[str]) -> str:
        """Return a wording of size, place or angle; a square has one side, and angles are not negative."""
        if part == "size" and self._is_square:
            return self.pick("side", {"length"})
        return self.pick("clockwise" if part == "angle" and self.values["angle"] < 0 else part, fields)

    @property
    def _is_square(self) -> bool:
        outline = self.flow.outline
        return isinstance(outline, RectangleOutline) and outline.length == outline.depth is not None

    def _happens(self, probability: float) -> bool:
        return bool(self.random.random() < probability)


def _fields_of(wording: str) -> set[str]:
    """Return the fields that a wording states."""
    return {field for name in _NAME.findall(wording) for field in _FIELDS[name]}


def _plain(value: Decimal) -> str:
    """Return a decimal without exponent and without zeros at the end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
