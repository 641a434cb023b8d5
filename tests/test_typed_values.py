"""Plain values against annotations: what fits is returned plain and built, what does not is named by its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.config_classes import shipped_classes
from sciml.config_errors import Where
from sciml.data import FieldData
from sciml.errors import ConfigError, InputError
from sciml.training.config import Paper
from sciml.typed_values import LARGEST_COUNT, TypedValues


class Colour(Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=lambda: ["a"])


class Shape:
    """A base."""


class Circle(Shape):
    def __init__(self, radius: float = 1.0, centre: Point | None = None) -> None:
        if radius < 0:
            raise InputError("the radius is negative.")
        self.radius, self.centre = radius, centre


class Named(Circle):
    def __init__(self, name: str, **others: Any) -> None:
        super().__init__(**others)
        self.name = name


class Everything:
    def __init__(
        self,
        count: int = 1,
        size: float = 2,
        is_on: bool = False,
        text: str | None = None,
        kind: Literal["a", 1] = "a",
        colour: Colour = Colour.RED,
        file: Path = Path("x"),
        pair: tuple[int, float] = (1, 2),
        numbers: Sequence[float] = (),
        table: Mapping[str, list[int]] = {},
        either: int | float | list[int] | None = None,
        point: Point = Point(1),
        shape: Shape | None = None,
        shapes: dict[str, Shape] = {},  # noqa: B006
        anything: Any = None,
        call: Callable[[], int] | None = None,
    ) -> None:
        self.values = dict(locals())


OWN = shipped_classes().extended({"own.Circle": Circle, "own.Named": Named, "own.Everything": Everything})
TYPED = TypedValues(Where("f"), OWN)


def checked(**values: Any) -> dict[str, Any]:
    return TYPED.check(Everything, values, "it")


def built(**values: Any) -> dict[str, Any]:
    return TYPED.construct(Everything, checked(**values), "it").values


def test_defaults_are_plain_and_checking_them_again_changes_nothing():
    plain = checked()
    assert plain["size"] == 2.0 and type(plain["size"]) is float
    assert plain["pair"] == [1, 2.0] and plain["numbers"] == [] and plain["colour"] == "RED" and plain["file"] == "x"
    assert plain["point"] == {"x": 1.0, "y": 0.0, "tags": ["a"]}
    assert checked(**plain) == plain


@dataclass(frozen=True)
class Line:
    start: Point = Point(1.0)
    width: float = 1.0


class Drawing:
    def __init__(self, line: Line | None = Line(Point(2.0, 3.0), 4.0), other: Point | Line | None = Line()) -> None:
        self.line, self.other = line, other


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Line(Point(2.0, 3.0), 4.0)),
        ({"width": 5.0}, Line(Point(2.0, 3.0), 5.0)),
        ({"start": {"y": 6.0}}, Line(Point(2.0, 6.0), 4.0)),
        ({"start": {"tags": []}}, Line(Point(2.0, 3.0, []), 4.0)),
        (None, None),
    ],
)
def test_fields_that_a_mapping_leaves_out_are_those_of_the_default_of_its_parameter(given, expected):
    checked = TYPED.check(Drawing, {"line": given}, "it")
    assert TYPED.construct(Drawing, checked, "it").line == expected
    assert TYPED.check(Drawing, checked, "it") == checked


def test_a_mapping_of_another_dataclass_than_the_default_has_nothing_of_it():
    checked = TYPED.check(Drawing, {"other": {"x": 1.0}}, "it")
    assert TYPED.construct(Drawing, checked, "it").other == Point(1.0)
    with pytest.raises(ConfigError, match=r"it\.line has no 'wide'; did you mean 'width'"):
        TYPED.check(Drawing, {"line": {"wide": 1.0}}, "it")


def test_objects_are_built_the_innermost_first():
    circle = {"class_path": "own.Circle", "init_args": {"radius": 2, "centre": {"x": 3}}}
    made = built(shapes={"a": circle, "b": "own.Circle"}, pair=[1, 2], colour="RED", file="a/b", either=[1])
    assert made["shapes"]["a"].centre == Point(3.0) and made["shapes"]["a"].radius == 2.0
    assert made["shapes"]["b"].radius == 1.0 and made["shapes"]["b"].centre is None
    assert (made["pair"], made["colour"], made["file"], made["either"]) == ((1, 2.0), Colour.RED, Path("a/b"), [1])
    assert isinstance(made["point"], Point)


def test_the_parameters_of_a_class_it_inherits_from_are_found():
    made = built(shape={"class_path": "own.Named", "init_args": {"name": "n", "radius": 5}})
    assert made["shape"].name == "n" and made["shape"].radius == 5.0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"count": 1.0}, r"it\.count is 1\.0, expected a whole number"),
        ({"count": True}, r"it\.count is true, expected a whole number"),
        ({"count": "3"}, r"it\.count is '3', expected a whole number"),
        ({"size": False}, r"it\.size is false, expected a number"),
        ({"size": 10**400}, r"it\.size is 1000.*, expected a number"),
        ({"size": float("nan")}, r"it\.size is nan, expected a number"),
        ({"is_on": 1}, r"it\.is_on is 1, expected true or false"),
        ({"text": 3}, r"it\.text is 3, expected text or null"),
        ({"kind": True}, r"it\.kind is true, expected one of a, 1"),
        ({"kind": "b"}, r"it\.kind is 'b', expected one of a, 1"),
        ({"colour": "BLUE"}, r"it\.colour is 'BLUE'"),
        ({"pair": [1]}, r"it\.pair is \[1\], expected a list of 2 \(a whole number / a number each\)"),
        ({"pair": [1, 2, 3]}, r"it\.pair is \[1, 2, 3\], expected a list"),
        ({"numbers": "12"}, r"it\.numbers is '12', expected a list"),
        ({"table": {"a": [1, "b"]}}, r"it\.table\.a is \[1, 'b'\], expected a list \(a whole number each\)"),
        ({"table": {1: [1]}}, r"it\.table is \{1: \[1\]\}, expected a mapping"),
        ({"point": {"z": 1}}, r"it\.point has no 'z'; .*x, y, tags"),
        ({"shape": {"class_path": "own.Circle", "init_args": {"centre": {}}}}, r"it\.shape\.\S+\.centre\.x is missing"),
        ({"shape": {"radius": 1}}, r"it\.shape is \{'radius': 1\}, expected class_path and init_args of a Shape"),
        ({"shape": "own.Everything"}, r"it\.shape\.class_path is own\.Everything, expected a Shape.* own\.Circle"),
        ({"shape": {"class_path": "own.Circle", "arguments": {}}}, r"it\.shape has no 'arguments'"),
        ({"text": {"class_path": "own.Circle"}}, r"it\.text names a class, but only plain values"),
        ({"anything": [{"a": {"class_path": "Circle"}}]}, r"it\.anything\.0\.a names a class, but only plain values"),
        ({"call": "os.getpid"}, r"it\.call is 'os\.getpid'"),
        ({"call": {"class_path": "own.Circle"}}, r"it\.call names a class, but only plain values"),
        ({"none": 1}, r"it has no 'none'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(values, sentence):
    with pytest.raises(ConfigError, match=f"^f: {sentence}"):
        checked(**values)


def test_what_a_constructor_refuses_names_its_key():
    with pytest.raises(ConfigError, match=r"^f: it\.shape\.init_args: the radius is negative\.$"):
        built(shape={"class_path": "own.Circle", "init_args": {"radius": -1}})


def test_counts_of_a_stored_config_are_bounded_and_seeds_are_not():
    class Drawn:
        def __init__(self, seed: int = 0, sizes: list[list[int]] | None = None) -> None: ...

    stored = TypedValues(Where("f", stored=True))
    assert stored.check(Drawn, {"seed": 2**62}, "it")["seed"] == 2**62
    with pytest.raises(ConfigError, match=rf"it\.sizes is \[{LARGEST_COUNT + 1}\], more than {LARGEST_COUNT}"):
        stored.check(Drawn, {"sizes": [[1], [LARGEST_COUNT + 1]]}, "it")
    assert TypedValues(Where("f")).check(Drawn, {"sizes": [[LARGEST_COUNT + 1]]}, "it")


@dataclass(frozen=True)
class Disc:
    radius: float
    centre: Point | None = None


MEMBERS = (
    *(int, float, str, bool, Path, Colour, Point, Disc, None, Literal["a", "RED"], tuple[int, float], Any),
    *(list[int], list[float], list[list[float]], list[str], list[Point], list[Disc | float], list[Path]),
    *(dict[str, int], dict[str, list[float]], Mapping[str, Point], Mapping[str, Disc | list[Point]]),
)
POINTS = st.fixed_dictionaries({"x": st.integers(0, 2)}, optional={"y": st.floats(0, 1)})
DISCS = st.fixed_dictionaries({"radius": st.floats(0, 1)}, optional={"centre": POINTS})
LEAVES = st.none() | st.booleans() | st.integers(0, 2) | st.floats(0, 1) | st.sampled_from(["a", "RED", "b/c"])
TREES = st.recursive(
    LEAVES | POINTS | DISCS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=2),
    max_leaves=5,
)


def taker(hint: Any) -> type:
    """Return a class whose constructor takes one value of an annotation."""

    class Taker:
        def __init__(self, it: Any) -> None:
            self.it = it

    Taker.__init__.__annotations__["it"] = hint
    return Taker


def taken(hint: Any, value: Any) -> tuple[Any, Any] | None:
    """Return a value as an annotation takes it, plain and built, or None."""
    try:
        plain = TYPED.check(taker(hint), {"it": value}, "")
    except ConfigError:
        return None
    assert TYPED.check(taker(hint), plain, "") == plain
    return plain["it"], TYPED.construct(taker(hint), plain, "").it


@given(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=4), TREES)
def test_a_union_takes_a_value_as_the_first_member_does_that_takes_it(kinds, value):
    alone = [found for kind in kinds if (found := taken(kind, value)) is not None]
    found = taken(Union[tuple(kinds)], value)  # noqa: UP007
    assert repr(found) == repr(alone[0] if alone else None)


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (list[float] | list[list[float]], [[1, 2]], [[1.0, 2.0]]),
        (list[int] | tuple[float, ...], [1, 2.5], (1.0, 2.5)),
        (Point | Disc, {"radius": 1}, Disc(1.0)),
        (list[Point] | list[Disc], [{"radius": 1}], [Disc(1.0)]),
        (dict[str, int] | dict[str, list[Point]], {"a": [{"x": 1}]}, {"a": [Point(1.0)]}),
    ],
)
def test_every_member_of_a_union_is_tried(hint, value, expected):
    assert taken(hint, value)[1] == expected


@pytest.mark.parametrize("path", ["//host/share/a.h5", r"\\\\host\share\a.h5", "https://host/a.h5", "S3://a/b.h5"])
def test_a_stored_config_names_no_file_of_another_machine(path):
    data = {"path": path}
    with pytest.raises(ConfigError, match=r"data\.path is .*, a file of another machine; copy it"):
        TypedValues(Where("f", stored=True)).check(FieldData, data, "data")
    assert TYPED.check(FieldData, data, "data")["path"] == path
    paper = {"claim": "fast", "source": path}
    assert TypedValues(Where("f", stored=True)).check(Paper, paper, "paper")["source"] == path


@pytest.mark.parametrize("path", ["/data/a.h5", "../a.h5", "a//b.h5", r"C:\a.h5"])
def test_a_stored_config_names_any_file_of_this_machine(path):
    assert TypedValues(Where("f", stored=True)).check(FieldData, {"path": path}, "data")["path"] == path


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["own.Circle"])
)
KEYS = st.sampled_from(["class_path", "init_args", "x", "radius", "a"])
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@given(st.sampled_from(sorted(Everything.__init__.__annotations__.keys() - {"return"})), TREES)
def test_any_value_fits_and_is_built_or_is_refused_in_a_sentence(name, value):
    try:
        plain = checked(**{name: value})
    except ConfigError:
        return
    assert repr(checked(**plain)) == repr(plain), "a checked value is left alone"
    try:
        TYPED.construct(Everything, plain, "it")
    except ConfigError as error:
        if "the radius is negative" not in str(error):
            pytest.fail(str(error))


def test_of_two_overrides_with_one_key_the_later_one_is_blamed():
    where = Where("f.yaml", ("a.b=1", "a.b=x", "c=2"))
    assert str(where.error("a.b", "a.b is 'x'")) == "f.yaml, changed by a.b=x: a.b is 'x'."
    assert str(where.error("d", "d is missing")) == "f.yaml: d is missing."
