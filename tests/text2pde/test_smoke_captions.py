"""Captions of smoke: plumes of known fields, mirror images, and prompts that are read as they were written."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.nets.text_tokens import tokens_of
from sciml.reference.incompressible_smoke import random_smoke
from sciml.text2pde.captions import Plume, SmokeScene, describe_smoke, read_smoke_prompt, write_smoke_caption
from sciml.text2pde.captions.smoke_captions import smoke_vocabulary
from sciml.text2pde.captions.smoke_scenes import COLUMNS, FORMS, ROWS, SIZES

X, Y = (np.indices((96, 96)) + 0.5) / 96


def blob(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Return a Gaussian whose deviations are a width and a height."""
    return np.exp(-(((X - x) / width) ** 2 + ((Y - y) / height) ** 2) / 2)


def random_scene(random: np.random.Generator) -> SmokeScene:
    """Return one to nine plumes of which anything may be left out."""
    plumes = []
    for _ in range(int(random.integers(1, 10))):
        size, form = ((None, *known)[int(random.integers(4))] for known in (SIZES, FORMS))
        row, column = (known[int(random.integers(3))] for known in (ROWS, COLUMNS))
        plumes.append(Plume(size, form, *((row, column) if random.random() < 0.8 else (None, None))))
    return SmokeScene(tuple(plumes), round(float(random.uniform(0.2, 0.5)), 3) if random.random() < 0.7 else None)


def start(seed: int) -> np.ndarray:
    """Return the smoke of which a trajectory of the generator starts."""
    return random_smoke(48, np.random.default_rng(seed))


def test_a_thousand_captions_are_read_as_they_were_written() -> None:
    random = np.random.default_rng(0)
    words = set(smoke_vocabulary())
    for _ in range(1000):
        scene = random_scene(random)
        caption = write_smoke_caption(scene, random)
        assert read_smoke_prompt(caption) == scene, caption
        assert {token.text for token in tokens_of(caption) if not token.dimension} <= words, caption


@pytest.mark.parametrize(
    ("centre", "place"),
    [((0.15, 0.15), ("lower", "left")), ((0.5, 0.5), ("middle", "middle")), ((0.85, 0.5), ("middle", "right")),
     ((0.5, 0.85), ("upper", "middle"))],
)  # fmt: skip
def test_plumes_stand_where_their_centre_of_mass_is(centre: tuple[float, float], place: tuple[str, str]) -> None:
    (plume,) = describe_smoke(blob(*centre, 0.05, 0.05)).plumes
    assert (plume.row, plume.column) == place


@pytest.mark.parametrize(
    ("width", "height", "size", "form"),
    [(0.06, 0.06, "small", "round"), (0.12, 0.12, "medium", "round"), (0.2, 0.2, "large", "round"),
     (0.05, 0.12, "small", "tall"), (0.12, 0.05, "small", "wide")],
)  # fmt: skip
def test_the_size_of_a_plume_is_its_area_and_its_form_the_ratio_of_deviations(
    width: float, height: float, size: str, form: str
) -> None:
    (plume,) = describe_smoke(blob(0.5, 0.5, width, height)).plumes
    assert (plume.size, plume.form) == (size, form)


def test_each_connected_region_is_a_plume() -> None:
    smoke = blob(0.2, 0.2, 0.05, 0.05) + blob(0.8, 0.2, 0.05, 0.05) + 0.9 * blob(0.5, 0.8, 0.12, 0.04)
    assert describe_smoke(smoke, 0.31249).plumes == (
        Plume("small", "round", "lower", "left"),
        Plume("small", "round", "lower", "right"),
        Plume("small", "wide", "upper", "middle"),
    )
    assert describe_smoke(smoke, 0.31249).buoyancy == 0.312


@pytest.mark.parametrize("seed", range(8))
def test_mirrored_smoke_has_left_and_right_exchanged(seed: int) -> None:
    smoke = start(seed)
    scene = describe_smoke(smoke, 0.3)
    assert describe_smoke(smoke[::-1], 0.3) == scene.mirrored() and scene.mirrored().mirrored() == scene
    caption = write_smoke_caption(scene, np.random.default_rng(seed))
    exchanged = caption.replace("left", "#").replace("right", "left").replace("#", "right")
    assert read_smoke_prompt(exchanged) == scene.mirrored()


def test_the_strength_of_the_smoke_changes_nothing() -> None:
    assert describe_smoke(7.0 * start(1)) == describe_smoke(start(1))


@pytest.mark.parametrize(
    ("prompt", "scene"),
    [
        ("Smoke rises from a big cloud at the top left, buoyancy 0.4", [("large", None, "upper", "left"), 0.4]),
        ("two plumes", [(), (), None]),
        ("a plume on the left", [(None, None, "middle", "left"), None]),
        ("Buoyancy: 0.25. Show me a little flat plume in the centre!", [("small", "wide", "middle", "middle"), 0.25]),
    ],
)
def test_prompts_that_a_person_types_are_read(prompt: str, scene: list) -> None:
    *plumes, buoyancy = scene
    assert read_smoke_prompt(prompt) == SmokeScene(tuple(Plume(*plume) for plume in plumes), buoyancy)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("fluid passes over a cylinder", "says 'cylinder', expected plumes of smoke"),
        ("a horse", "about something else.*'horse'"),
        ("three plumes: a small plume", "'three plumes' and describes 1 of them"),
        ("a small large plume", "'a small large plume', expected one size"),
        ("a plume at the left right", "expected one column"),
        ("buoyancy 0.3 and a buoyancy of 0.4", "'buoyancy 0.3', 'buoyancy of 0.4', which contradict"),
        ("12 plumes", "'12 plumes', expected one to 9"),
        ("a plume of 3 cm", "'3 cm' in .* and not what it is"),
    ],
)
def test_faults_of_a_prompt_are_named_by_its_words(prompt: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_smoke_prompt(prompt)


def test_what_is_no_smoke_is_refused() -> None:
    with pytest.raises(InputError, match="zero everywhere or negative"):
        describe_smoke(np.zeros((8, 8)))
    with pytest.raises(InputError, match="has 0 plumes"):
        write_smoke_caption(SmokeScene(), np.random.default_rng(0))
    with pytest.raises(InputError, match="size of a plume is 'huge'"):
        Plume("huge")
