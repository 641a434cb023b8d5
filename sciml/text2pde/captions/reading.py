"""Prompts about channel flows, read by a grammar: flow, the words behind each of its numbers, and what contradicts.

>>> prompt = read_prompt("Fluid passes over a cylinder of radius 4.5 cm at 0.31 m, 0.18 m. It enters at 1.2 m/s.")
>>> prompt.flow.outline, prompt.flow.peak_velocity, prompt.flow.reynolds()
(CircleOutline(x=0.31, y=0.18, radius=0.045), 1.2, 72.0)
>>> prompt.words["radius"]
'radius 4.5 cm'
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sciml.errors import InputError
from sciml.text2pde.captions.channel_flow import HEIGHT, LENGTH, VISCOSITY, ChannelFlow
from sciml.text2pde.captions.grammar import GRAMMAR
from sciml.text2pde.captions.outlines import OUTLINES, Outline, exact
from sciml.text2pde.captions.phrases import Parsed, Statement, joined

AGREEMENT = 0.05  # relative difference up to which two statements about the velocity agree: they are rounded
_ROUNDING = 1e-6  # of the range of a number that counts as within: ranges may be in single precision
EXAMPLE = "'Fluid passes over a cylinder of radius 4.5 cm at 0.31 m, 0.18 m. It enters at 1.2 m/s.'"
_CORNERS = {"tri": 3, "quadri": 4, "penta": 5, "hexa": 6}  # of polygons by how their names begin
_SHAPES = ("ellipse", "rectangle", "polygon", "circle")
_IMPLIED = {"radius": "circle", "diameter": "circle", "semi_axes": "ellipse", "axes": "ellipse", "sides": "rectangle",
            "side": "rectangle", "corners": "polygon"}  # fmt: skip
_EXTENTS = {  # what width and height are of a shape, and by what they are divided
    "circle": {"width": ("radius", 2), "height": ("radius", 2)},
    "ellipse": {"width": ("first", 2), "height": ("second", 2)},
    "rectangle": {"width": ("length", 1), "height": ("depth", 1)},
}
_SIZES = ("radius", "first", "second", "length", "depth")
_GEOMETRY = {"x", "y", "angle", "corners", "width", "height", *_SIZES}
_SAYS_HOW_FAST = ("peak_velocity", "mean_velocity", "reynolds_number", "viscosity")


@dataclass(frozen=True)
class Prompt:
    """A prompt that has been read.

    Attributes
    ----------
    text : with plain digits and signs
    flow : all that it states
    words : the words by the names of the numbers that they state
    unknown : words without a meaning for the grammar, which have been passed over
    """

    text: str
    flow: ChannelFlow
    words: Mapping[str, str]
    unknown: tuple[str, ...]

    def check_within(
        self,
        ranges: Mapping[str, tuple[float, float]],
        shapes: Collection[str] = tuple(OUTLINES),
        viscosity: float = VISCOSITY,
    ) -> None:
        """Refuse a flow outside the range of a training.

        Parameters
        ----------
        ranges : of the numbers by their names, as :meth:`~sciml.text2pde.captions.ChannelFlow.numbers` has them
        shapes : of the obstacles
        viscosity : where the prompt does not say it [m^2/s]

        Raises
        ------
        InputError
            If a number that the prompt states, or that follows, is out of its range, or the shape is another one.
        """
        outline = self.flow.outline
        if outline is not None and outline.shape not in shapes:
            raise InputError(
                f"the prompt describes {_a(outline.shape)}, expected {' or '.join(map(_a, shapes))}, as the "
                "training has."
            )
        numbers = self.flow.numbers(viscosity)
        for name, (lowest, highest) in ranges.items():
            value = numbers.get(name)
            slack = _ROUNDING * max(abs(lowest), abs(highest))
            if value is not None and not lowest - slack <= value <= highest + slack:
                words = self.words.get(name)
                says = f"says {words!r}" if words else f"has the {name.replace('_', ' ')} {value:.4g}"
                raise InputError(
                    f"the prompt {says}, {value:.4g} in SI units, expected {lowest:.4g} to {highest:.4g}, the range of "
                    "the training; beyond it the network has seen nothing, and extrapolate=true uses it all the same."
                )


def read_prompt(text: str, viscosity: float = VISCOSITY, height: float = HEIGHT, length: float = LENGTH) -> Prompt:
    """Return what a prompt says of the flow in a channel.

    Numbers need their names and units, in any order; each may be left out.

    Parameters
    ----------
    text : in English
    viscosity : where the prompt does not say it [m^2/s]
    height, length : of the channel [m]

    Raises
    ------
    InputError
        If the prompt is about something else, a number has no name or no known unit, or statements contradict one
        another. The sentence names the words.
    """
    parsed = GRAMMAR.read(text)
    _check_subject(parsed)
    facts = _Facts()
    for statement in parsed.statements:
        for name, value in _facts_of(statement, height):
            facts.add(name, value, statement.words)
    for name, expected in {"channel_height": height, "channel_length": length}.items():
        facts.expect(name, expected)
    outline = _outline(parsed, facts)
    flow = ChannelFlow(outline, regime=facts.take("regime"), **{name: facts.take(name) for name in _SAYS_HOW_FAST})
    prompt = Prompt(parsed.text, flow, facts.words, parsed.unknown)
    _check_agreement(prompt, viscosity)
    return prompt


class _Facts:
    """Values by name with the words that state them, of which no two may differ."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.words: dict[str, str] = {}
        self.taken: set[str] = set()

    def add(self, name: str, value: Any, words: str) -> None:
        """Add a value; one that differs from the value that is there is refused."""
        if self.values.setdefault(name, value) != value:
            raise InputError(
                f"the prompt says {self.words[name]!r} and {words!r}, which contradict one another; leave one of them "
                "out."
            )
        self.words.setdefault(name, words)

    def take(self, name: str) -> Any:
        """Return a value, None if it is not there, and note that it has been used."""
        self.taken.add(name)
        return self.values.get(name)

    def rename(self, name: str, new: str, divisor: int) -> None:
        """Give a value that is there another name, divided by a number."""
        if name in self.values:
            words = self.words.pop(name)
            self.add(new, float(exact(self.values.pop(name)) / divisor), words)

    def expect(self, name: str, expected: float) -> None:
        """Refuse another value than the one that is expected."""
        if self.take(name) not in (None, expected):
            raise InputError(
                f"the prompt says {self.words[name]!r}, expected the {name.replace('_', ' ')} {expected:g} m."
            )


def _facts_of(statement: Statement, height: float) -> list[tuple[str, Any]]:
    """Return the values by name that a statement stands for."""
    name, values = statement.name, statement.values
    whole = [_number(value, statement.words) for value in values]
    half = [float(value / 2) for value in values]
    h = exact(height)
    if name == "corners":
        return [("corners", tuple(zip(whole[::2], whole[1::2], strict=True)))]
    if name in ("steady", "shedding"):
        return [("regime", name)]
    rows = {
        "channel_size": ("channel_length", "channel_height"),
        "centre": ("x", "y"),
        "semi_axes": ("first", "second"),
        "sides": ("length", "depth"),
        "side": ("length", "depth"),
    }
    if name in rows:
        return list(zip(rows[name], whole * (2 // len(whole)), strict=True))
    derived = {
        "diameter": lambda: [("radius", half[0])],
        "axes": lambda: list(zip(("first", "second"), half, strict=True)),
        "clockwise": lambda: [("angle", -whole[0])],
        "depth": lambda: [("y", float(h - values[0]))],
        "centreline": lambda: [("y", float(h / 2))],
        "above_centreline": lambda: [("y", float(h / 2 + values[0]))],
        "below_centreline": lambda: [("y", float(h / 2 - values[0]))],
    }
    return derived.get(name, lambda: [(name, whole[0])])()


def _number(value: Decimal, words: str) -> float:
    """Return a number as a float; one beyond them is refused."""
    found = float(value)
    if found in (float("inf"), float("-inf")):
        raise InputError(f"the prompt says {words!r}, which is beyond all numbers that can be computed with.")
    return found


def _check_subject(parsed: Parsed) -> None:
    """Refuse prompts about something else, several obstacles, turbulence, and negations that are not understood."""
    tagged = parsed.tagged
    for tag, expected in {
        "foreign": "the flow past an obstacle in a channel",
        "several": "one obstacle",
        "turbulent": "'steady' or 'shedding', which flows of Reynolds numbers of at most a few hundred are",
        "not": "statements without negations, but for 'no vortices are shed' and 'not steady'",
    }.items():
        if tag in tagged:
            raise InputError(f"the prompt says {joined(tagged[tag])}, expected {expected}.")
    about = {"cylinder", "obstacle", *_SHAPES} & set(tagged)
    if not about and not parsed.statements:
        unknown = f"; it knows nothing of {joined(dict.fromkeys(parsed.unknown))}" if parsed.unknown else ""
        raise InputError(
            f"the prompt is about something else, expected the flow past an obstacle in a channel, such as {EXAMPLE}"
            f"{unknown}."
        )


def _outline(parsed: Parsed, facts: _Facts) -> Outline | None:
    """Return the outline that a prompt describes; None if it describes none."""
    shape = _shape(parsed)
    for extent, (name, divisor) in _EXTENTS.get(shape, {}).items():
        facts.rename(extent, name, divisor)
    geometry = _GEOMETRY & set(facts.values)
    if shape is None:
        if geometry:
            words = joined(dict.fromkeys(facts.words[name] for name in sorted(geometry)))
            about = f" beside {joined(dict.fromkeys(parsed.unknown))}" if parsed.unknown else ""
            raise InputError(
                f"the prompt says {words}{about}, and not of which shape, expected a cylinder, circle, ellipse, "
                "rectangle, square or polygon."
            )
        return None
    cls = OUTLINES[shape]
    known = {name: facts.take(name) for name in geometry & set(cls.__dataclass_fields__)}
    for name in sorted(geometry - set(known)):
        raise InputError(f"the prompt says {facts.words[name]!r}, which {_a(shape)} does not have; leave it out.")
    if shape == "polygon":
        _check_corners(parsed, known.get("corners", ()))
    for name in sorted(known.keys() & set(_SIZES)):
        if known[name] <= 0.0:
            raise InputError(f"the prompt says {facts.words[name]!r}, expected a positive length.")
    return cls(**known)


def _shape(parsed: Parsed) -> str | None:
    """Return the shape of the obstacle; by its size where only a cylinder or an obstacle is named."""
    named = [shape for shape in _SHAPES if shape in parsed.tagged]
    if len(named) > 1:
        words = [word for shape in named for word in parsed.tagged[shape]]
        raise InputError(f"the prompt says {joined(words)}, expected one shape.")
    if named:
        return named[0]
    implied = {_IMPLIED[each.name]: each.words for each in parsed.statements if each.name in _IMPLIED}
    if len(implied) > 1:
        raise InputError(f"the prompt says {joined(implied.values())}, expected the size of one shape.")
    if "cylinder" in parsed.tagged:
        return next(iter(implied), "circle")
    is_clear = "obstacle" in parsed.tagged or not parsed.unknown
    return next(iter(implied), None) if is_clear else None


def _a(shape: str) -> str:
    """Return the name of a shape with its article."""
    return f"{'an' if shape[0] in 'aeiou' else 'a'} {shape}"


def _check_corners(parsed: Parsed, corners: tuple[Any, ...]) -> None:
    for word in parsed.tagged.get("polygon", ()):
        for begin, count in _CORNERS.items():
            if word.startswith(begin) and corners and len(corners) != count:
                raise InputError(f"the prompt says {word!r} and {len(corners)} corners, expected {count} of them.")


def _check_agreement(prompt: Prompt, viscosity: float) -> None:
    """Refuse velocities, Reynolds numbers and a regime that contradict one another."""
    flow = prompt.flow
    for name in _SAYS_HOW_FAST:
        value = getattr(flow, name)
        if value is not None and value <= 0.0:
            raise InputError(f"the prompt says {prompt.words[name]!r}, expected a positive number.")
    found = flow.velocities(viscosity)
    first = next(iter(found), "")
    for name, value in found.items():
        if abs(value - found[first]) > AGREEMENT * found[first]:
            size = [prompt.words[each] for each in (*_SIZES, "corners") if each in prompt.words]
            given = [prompt.words[first], *(size[:1] if name == "reynolds_number" else ())]
            raise InputError(
                f"the prompt says {prompt.words[name]!r}, but from {' and '.join(map(repr, given))} follows "
                f"{getattr(flow, name) * found[first] / value:.4g} with a parabolic inflow, whose mean is two thirds "
                "of its peak; leave one of them out."
            )
    expected = flow.expected_regime(viscosity)
    if flow.regime is not None and expected not in (None, flow.regime):
        raise InputError(
            f"the prompt says {prompt.words['regime']!r}, but at the Reynolds number {flow.reynolds(viscosity):.4g} "
            f"a circle is {expected}; leave one of them out."
        )
