"""Captions of scenes of smoke: a writer in many wordings, and the reader by the same grammar of phrases.

>>> scene = SmokeScene((Plume("large", "tall", "lower", "left"), Plume("small", "round", "middle", "right")), 0.3)
>>> caption = write_smoke_caption(scene, np.random.default_rng(3))
>>> read_smoke_prompt(caption) == scene
True
"""

from __future__ import annotations

import numpy as np

from sciml.errors import InputError
from sciml.text2pde.captions.outlines import exact
from sciml.text2pde.captions.phrases import Parsed, Phrases, Rule, Statement, joined
from sciml.text2pde.captions.smoke_scenes import COLUMNS, FORMS, ROWS, SIZES, Plume, SmokeScene
from sciml.text2pde.captions.writing import words_of

_COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_EXAMPLE = "'A large round plume at the lower left and a small plume at the right. The buoyancy is 0.3.'"
_WORDS = {
    "small": "small little",
    "medium": "medium mediumsized middling",
    "large": "large big",
    "round": "round circular compact",
    "tall": "tall columnlike narrow upright",
    "wide": "wide flat broad",
    "lower": "lower bottom low",
    "upper": "upper top high",
    "middle": "middle centre center central",
    "left": "left",
    "right": "right",
    "plume": "plume cloud",
    "plumes": "plumes clouds",
    "count": " ".join(_COUNTS),
    "buoyancy": "buoyancy factor",
    "and": "and , with",
    "at": "at in on to near",
    "link": "of is are a an the there it its has have having = : box side part half corner value equals",
    "stop": ". ; !",
    "filler": "smoke rises rise rising starts start from hot warm scene show me please simulate begins begin first",
    "foreign": "cylinder channel circle ellipse obstacle velocity radius diameter reynolds viscosity vortex vortices",
}
_PARTS = "(lower|middle|upper|left|right)"
_KIND = "(small|medium|large|round|tall|wide|and|link)"
GRAMMAR = Phrases(
    {word: tag for tag, words in _WORDS.items() for word in words.split()},
    (
        Rule("count", "count plumes"),
        Rule("count", "Q plumes", "number"),
        Rule("buoyancy", "buoyancy (buoyancy|link)* Q", "number"),
        Rule("plume", f"{_KIND}* plume ((at|link)* {_PARTS} (link* {_PARTS})*)?"),
    ),
)

_PLUMES = (
    "{size} {form} plume {place}",
    "{size} and {form} plume {place}",
    "{size}, {form} cloud {place}",
)
_PLACES = {
    ("lower", "left"): ("at the lower left", "in the bottom left corner"),
    ("lower", "middle"): ("at the bottom", "in the lower part"),
    ("lower", "right"): ("at the lower right", "in the bottom right corner"),
    ("middle", "left"): ("at the left", "on the left side"),
    ("middle", "middle"): ("in the middle", "in the centre"),
    ("middle", "right"): ("at the right", "on the right side"),
    ("upper", "left"): ("at the upper left", "in the top left corner"),
    ("upper", "middle"): ("at the top", "in the upper part"),
    ("upper", "right"): ("at the upper right", "in the top right corner"),
}
_FORMS = {"round": ("round", "compact"), "tall": ("tall", "column-like"), "wide": ("wide", "flat")}
_LISTS = ("there is {plumes}", "smoke rises from {plumes}", "{plumes}", "the scene has {plumes}")
_COUNTED = ("there are {count} plumes: {plumes}", "{count} plumes: {plumes}")
_BUOYANCY = (
    "the buoyancy is {buoyancy}",
    "the smoke has a buoyancy of {buoyancy}",
    "the buoyancy factor is {buoyancy}",
)


def write_smoke_caption(scene: SmokeScene, random: np.random.Generator) -> str:
    """Return a caption that states all of a scene and nothing else.

    Parameters
    ----------
    scene : with one to nine plumes
    random : chooses order and wordings

    Raises
    ------
    InputError
        If there are no plumes, or more.
    """
    if not 1 <= len(scene.plumes) <= len(_COUNTS):
        raise InputError(f"the scene has {len(scene.plumes)} plumes, expected one to {len(_COUNTS)}.")
    plumes = [_plume_in_words(scene.plumes[index], random) for index in random.permutation(len(scene.plumes))]
    listed = ", ".join(plumes[:-1]) + " and " * (len(plumes) > 1) + plumes[-1]
    forms = _LISTS if len(plumes) == 1 else (*_LISTS, *_COUNTED)
    sentences = [_picked(forms, random).format(plumes=listed, count=_COUNTS[len(plumes) - 1])]
    if scene.buoyancy is not None:
        sentences.append(_picked(_BUOYANCY, random).format(buoyancy=f"{exact(scene.buoyancy):f}"))
    ordered = [sentences[index] for index in random.permutation(len(sentences))]
    return ". ".join(text[0].upper() + text[1:] for text in ordered) + "."


def read_smoke_prompt(text: str) -> SmokeScene:
    """Return the scene of smoke that a prompt describes.

    Parameters
    ----------
    text : in English

    Raises
    ------
    InputError
        If the prompt is about something else, or contradicts itself. The sentence names the words.
    """
    parsed = GRAMMAR.read(text)
    _check_subject(parsed)
    plumes = tuple(_plume(each) for each in parsed.statements if each.name == "plume")
    counts = {_count(each): each.words for each in parsed.statements if each.name == "count"}
    for count, words in counts.items():
        if plumes and count != len(plumes):
            raise InputError(f"the prompt says {words!r} and describes {len(plumes)} of them; describe all of them.")
        if len(counts) > 1:
            raise InputError(f"the prompt says {joined(counts.values())}, expected one number of plumes.")
    stated = {float(each.values[0]): each.words for each in parsed.statements if each.name == "buoyancy"}
    if len(stated) > 1:
        raise InputError(f"the prompt says {joined(stated.values())}, which contradict one another.")
    known = plumes or tuple(Plume() for _ in range(next(iter(counts), 0)))
    return SmokeScene(known, next(iter(stated), None))


def smoke_vocabulary() -> list[str]:
    """Return the words and marks of all captions of smoke, for a text encoder."""
    tables = [_PLUMES, _LISTS, _COUNTED, _BUOYANCY, _COUNTS, SIZES, *_PLACES.values(), *_FORMS.values(), ("a and :",)]
    return words_of({"all": tuple(text for table in tables for text in table)})


def _plume_in_words(plume: Plume, random: np.random.Generator) -> str:
    """Return a plume with its article; what is left out of it leaves its words out, too."""
    form = _picked(_FORMS[plume.form], random) if plume.form else ""
    place = _picked(_PLACES[plume.row, plume.column], random) if plume.row and plume.column else ""
    wording = _picked(_PLUMES if plume.size and form else _PLUMES[:1], random)
    return " ".join(f"a {wording.format(size=plume.size or '', form=form, place=place)}".split())


def _plume(statement: Statement) -> Plume:
    """Return the plume of a statement by its tags; a row without a column is in the middle, and the reverse."""
    found = set(statement.tags)
    for known, name in ((SIZES, "size"), (FORMS, "form"), (("lower", "upper"), "row"), (("left", "right"), "column")):
        if len(found & set(known)) > 1:
            raise InputError(f"the prompt says {statement.words!r}, expected one {name} of a plume.")
    is_placed = bool(found & {*ROWS, *COLUMNS})
    named = [next((each for each in known if each in found and each != "middle"), None) for known in (ROWS, COLUMNS)]
    row, column = ((each or "middle") if is_placed else None for each in named)
    size, form = (next((each for each in known if each in found), None) for known in (SIZES, FORMS))
    return Plume(size, form, row, column)


def _count(statement: Statement) -> int:
    if statement.values:
        value = statement.values[0]
        if value not in range(1, len(_COUNTS) + 1):
            raise InputError(f"the prompt says {statement.words!r}, expected one to {len(_COUNTS)} plumes.")
        return int(value)
    return 1 + _COUNTS.index(statement.words.split()[0].lower())


def _check_subject(parsed: Parsed) -> None:
    if "foreign" in parsed.tagged:
        raise InputError(f"the prompt says {joined(parsed.tagged['foreign'])}, expected plumes of smoke.")
    if not parsed.statements:
        unknown = f"; it knows nothing of {joined(dict.fromkeys(parsed.unknown))}" if parsed.unknown else ""
        raise InputError(f"the prompt is about something else, expected smoke, such as {_EXAMPLE}{unknown}.")


def _picked(known: tuple[str, ...], random: np.random.Generator) -> str:
    return known[int(random.integers(len(known)))]
