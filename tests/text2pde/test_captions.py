"""Captions of channel flows: what is written is read, mirrored prompts are mirrored flows, and faults are named."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from sciml.errors import ConfigError, InputError
from sciml.text2pde.captions import (
    ChannelFlow,
    CircleOutline,
    EllipseOutline,
    FlowCaptions,
    Outline,
    PolygonOutline,
    RectangleOutline,
    read_prompt,
    write_caption,
)
from sciml.text2pde.captions.channel_flow import HEIGHT
from sciml.text2pde.captions.grammar import LEXICON
from sciml.text2pde.captions.paper import paper_reynolds, read_paper_caption

CIRCLE = CircleOutline(x=0.31, y=0.18, radius=0.045)
FLOW = ChannelFlow(CIRCLE, peak_velocity=1.2)
AXES = {"first": 0.06, "second": 0.04}
TYPED = "Fluid passes over a cylinder of radius 4.5 cm at 0.31 m, 0.18 m. It enters at 1.2 m/s."


def random_outline(random: np.random.Generator) -> Outline:
    """Return an outline of any shape, of which something may be left out."""

    def drawn(lowest: float, highest: float, digits: int = 4) -> float | None:
        return round(float(random.uniform(lowest, highest)), digits) if random.random() < 0.8 else None

    x, y = drawn(0.2, 0.5, 3), drawn(0.12, 0.29, 3)
    angle = float(random.integers(-90, 91))
    length = drawn(0.03, 0.1)
    turns = np.arange(5) + 0.5 * random.random(5)
    corners = tuple((round(0.3 + 0.05 * np.cos(t), 4), round(0.2 + 0.05 * np.sin(t), 4)) for t in turns.tolist())
    return [
        CircleOutline(x=x, y=y, radius=drawn(0.03, 0.065)),
        EllipseOutline(x=x, y=y, angle=angle, first=drawn(0.03, 0.065), second=drawn(0.02, 0.05)),
        RectangleOutline(x=x, y=y, angle=angle, length=length, depth=drawn(0.03, 0.1)),
        RectangleOutline(x=x, y=y, angle=angle, length=length, depth=length),
        PolygonOutline(corners=tuple((float(x), float(y)) for x, y in corners)),
    ][int(random.integers(5))]


def random_flow(random: np.random.Generator) -> ChannelFlow:
    """Return a flow that does not contradict itself, of which anything may be left out."""
    flow = ChannelFlow(random_outline(random), viscosity=[None, 1e-3, 0.0015][int(random.integers(3))])
    speeds = [
        {},
        {"peak_velocity": round(float(random.uniform(0.5, 1.6)), 2)},
        {"mean_velocity": round(float(random.uniform(0.3, 1.1)), 3)},
        {"reynolds_number": float(random.integers(20, 141))},
    ]
    flow = replace(flow, **speeds[int(random.integers(4))])
    regimes = [None, flow.expected_regime() or ("steady", "shedding")[int(random.integers(2))]]
    return replace(flow, regime=regimes[int(random.integers(2))])


# What is written is read


@pytest.mark.parametrize("unseen", [False, True])
def test_a_thousand_captions_are_read_as_they_were_written(unseen: bool) -> None:
    random = np.random.default_rng(int(unseen))
    for _ in range(1000):
        flow = random_flow(random)
        caption = write_caption(flow, random, unseen)
        assert read_prompt(caption).flow == flow, caption


@pytest.mark.parametrize("unseen", [False, True])
def test_captions_of_a_data_set_are_read_as_what_they_state(unseen: bool) -> None:
    random = np.random.default_rng(2)
    captions = FlowCaptions(unseen=unseen)
    for _ in range(500):
        circle = CircleOutline(
            x=random.uniform(0.2, 0.5), y=random.uniform(0.12, 0.29), radius=random.uniform(0.03, 0.065)
        )
        flow = ChannelFlow(circle, peak_velocity=random.uniform(0.5, 1.6), viscosity=1e-3)
        seed = int(random.integers(2**31))
        caption = captions.write(flow, np.random.default_rng(seed))
        assert captions.read(caption).flow == captions.stated(flow, np.random.default_rng(seed)), caption


def test_the_rounding_of_captions_changes_the_velocity_by_less_than_three_percent() -> None:
    random = np.random.default_rng(3)
    for _ in range(300):
        circle = CircleOutline(x=0.31, y=0.18, radius=random.uniform(0.03, 0.065))
        flow = ChannelFlow(circle, peak_velocity=random.uniform(0.5, 1.6))
        velocities = FlowCaptions(left_out=0.0).stated(flow, random).velocities().values()
        assert velocities and all(each == pytest.approx(flow.peak_velocity, rel=0.03) for each in velocities)


def test_there_are_more_than_two_hundred_phrasings_of_one_flow() -> None:
    random = np.random.default_rng(0)
    written = [write_caption(FLOW, random) for _ in range(1500)]
    phrasings = {re.sub(r"[\d.]+ ?(mm|cm|m)?(/s)?", "#", caption) for caption in written}
    assert len(phrasings) > 200 and len(set(written)) > len(phrasings)


def test_one_generator_gives_one_caption() -> None:
    assert write_caption(FLOW, np.random.default_rng(5)) == write_caption(FLOW, np.random.default_rng(5))
    assert write_caption(FLOW, np.random.default_rng(5)) != write_caption(FLOW, np.random.default_rng(6))


def test_the_wordings_kept_out_of_the_training_are_other_ones() -> None:
    random = np.random.default_rng(0)
    seen, unseen = ({write_caption(FLOW, random, each) for _ in range(300)} for each in (False, True))
    assert not seen & unseen
    words = {word for caption in unseen for word in re.findall("[a-z]+", caption.lower())}
    assert len(words - set(FlowCaptions().vocabulary())) > 10


# What a person types


@pytest.mark.parametrize(
    "prompt",
    [
        TYPED,
        "It enters at 1.2 m/s. Fluid passes over a cylinder at 0.31 m, 0.18 m of radius 4.5 cm.",
        "cylinder, r = 4.5cm, x=31cm, y=18cm, u=1.2m/s",
        "Flow past a 9 cm wide disc centred at (310, 180) mm with peak velocity 120 cm/s.",
        "Please show me a round obstacle, diameter 0.09 m, 31 cm from the inlet, 23 cm below the top; 1.2 meters/s",
        "A circle of radius 45 millimetres sits at (0.31, 0.18) m and the inflow is up to 1.2 m s^-1",
        "In a channel 0.41 m high: a cylinder (radius: 4.5 cm; position: 0.31 m, 0.18 m). Maximum speed 1.2 m/s.",
        "a cylinder of radius 4.5 cm, 2.5 cm below the centreline and 31 cm downstream of the inlet, 1.2 m/s",
    ],
)
def test_prompts_that_a_person_types_describe_the_flow(prompt: str) -> None:
    assert read_prompt(prompt).flow == FLOW


@pytest.mark.parametrize(
    ("prompt", "numbers"),
    [
        (
            "an ellipse with axes of 12 cm and 8 cm at (30, 20) cm turned by 30°",
            {"x": 0.3, "y": 0.2, "angle": 30.0} | AXES,
        ),
        ("an elliptic cylinder 12 cm wide and 8 cm high, 10 degrees clockwise", {"angle": -10.0} | AXES),
        ("a square with a side of 8 cm, angle of attack 5 degrees", {"angle": -5.0, "length": 0.08, "depth": 0.08}),
        ("an obstacle of 8 x 100 mm", {"length": 0.008, "depth": 0.1}),
        (
            "a triangle with corners (25, 15), (35, 15) and (3, 25) cm",
            {"corners": ((0.25, 0.15), (0.35, 0.15), (0.03, 0.25))},
        ),
        ("a cylinder on the centreline", {"y": 0.205}),
        ("a cylinder", {}),
    ],
)
def test_shapes_are_read(prompt: str, numbers: dict[str, object]) -> None:
    found = read_prompt(prompt).flow.outline
    shape = {"ellip": EllipseOutline, "squar": RectangleOutline, "obsta": RectangleOutline, "trian": PolygonOutline}
    assert found == shape.get(prompt.split()[1][:5], CircleOutline)(**numbers)


@pytest.mark.parametrize(
    ("words", "regime"),
    [
        ("the flow is steady", "steady"),
        ("no vortices are shed", "steady"),
        ("without vortex shedding", "steady"),
        ("it does not change in time", "steady"),
        ("the flow is not steady", "shedding"),
        ("a vortex street forms", "shedding"),
        ("the wake is unsteady", "shedding"),
        ("vortices are shed", "shedding"),
    ],
)
def test_regimes_are_read(words: str, regime: str) -> None:
    assert read_prompt(f"Past a cylinder {words}.").flow.regime == regime


def test_the_order_of_sentences_changes_nothing() -> None:
    sentences = [
        "Fluid passes over a cylinder at 31 cm, 18 cm.",
        "Its radius is 4.5 cm.",
        "The mean velocity of the inflow is 0.8 m/s.",
        "The viscosity is 1e-3 m²/s.",
        "The wake is a vortex street.",
    ]
    flows = {read_prompt(" ".join(order)).flow for order in permutations(sentences)}
    assert flows == {ChannelFlow(CIRCLE, mean_velocity=0.8, viscosity=1e-3, regime="shedding")}


# Physics


def test_the_reynolds_number_is_that_of_mean_velocity_and_diameter() -> None:
    assert read_prompt(TYPED).flow.reynolds() == pytest.approx(2 / 3 * 1.2 * 0.09 / 1e-3, rel=1e-15)
    assert read_prompt("Re = 72 past a cylinder of diameter 9 cm").flow.velocity() == pytest.approx(1.2, rel=1e-15)
    assert read_prompt("mean velocity 0.8 m/s").flow.velocity() == pytest.approx(1.2, rel=1e-15)
    thin = read_prompt(f"{TYPED} nu = 5e-4 m^2/s").flow
    assert thin.reynolds() == pytest.approx(144)


def test_the_length_of_the_reynolds_number_is_the_extent_across_the_channel() -> None:
    flat, upright = (
        ChannelFlow(EllipseOutline(first=0.06, second=0.03, angle=angle), peak_velocity=1.0) for angle in (0.0, 90.0)
    )
    assert upright.reynolds() / flat.reynolds() == pytest.approx(2.0)
    turned = ChannelFlow(RectangleOutline(length=0.08, depth=0.08, angle=45.0), peak_velocity=1.0)
    assert turned.reynolds() == pytest.approx(2 / 3 * 0.08 * 2**0.5 / 1e-3)


@pytest.mark.parametrize(("velocity", "regime"), [(0.5, "steady"), (0.85, None), (1.2, "shedding")])
def test_the_regime_follows_from_the_reynolds_number_away_from_the_onset(velocity: float, regime: str | None) -> None:
    assert ChannelFlow(CIRCLE, peak_velocity=velocity).expected_regime() == regime


def test_mirrored_prompts_are_mirrored_flows() -> None:
    random = np.random.default_rng(4)
    for _ in range(300):
        flow = random_flow(random)
        mirrored = flow.mirrored()
        assert read_prompt(write_caption(mirrored, random)).flow == mirrored
        assert mirrored.mirrored() == flow


@pytest.mark.parametrize(
    ("prompt", "mirrored"),
    [
        (
            "a cylinder of radius 4 cm, 18 cm above the lower wall",
            "a cylinder of radius 4 cm, 18 cm below the upper wall",
        ),
        ("a cylinder 2 cm above the centreline", "a cylinder 2 cm below the centreline"),
        ("an ellipse turned by 30 degrees", "an ellipse turned clockwise by 30 degrees"),
        ("a square on the centreline", "a square on the centreline"),
    ],
)
def test_words_that_are_mirrored_describe_the_mirrored_flow(prompt: str, mirrored: str) -> None:
    assert read_prompt(mirrored).flow == read_prompt(prompt).flow.mirrored()


def test_mirrored_outlines_are_mirrored_obstacles() -> None:
    random = np.random.default_rng(6)
    points = random.uniform((0.0, 0.0), (0.7, HEIGHT), (100, 2))
    images = np.column_stack([points[:, 0], HEIGHT - points[:, 1]])
    for outline in (random_outline(random) for _ in range(60)):
        if not outline.missing:
            mirrored = outline.mirrored(HEIGHT).obstacle()
            assert mirrored.signed_distance(images) == pytest.approx(
                outline.obstacle().signed_distance(points), abs=1e-12
            )


# Bad input


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "the text is '', expected words"),
        ("a horse on a beach", "about something else.*'horse', 'beach'"),
        ("Smoke rises from a plume.", "says 'smoke', 'plume', expected the flow past an obstacle in a channel"),
        ("two cylinders of radius 4 cm", "says 'cylinders', expected one obstacle"),
        ("a sphere of radius 4.5 cm", "'radius 4.5 cm' beside 'sphere', and not of which shape"),
        ("a circle and an ellipse", "'ellipse', 'circle', expected one shape"),
        ("a cylinder of radius 4.5 inches", "'radius 4.5', which has the unit 'inches'"),
        ("a cylinder in a flow of 1.2 km/h", "says '1.2 km/h', which is neither a unit nor a name"),
        ("a cylinder with velocity 3 knots", "the unit 'knots'"),
        ("a cylinder of radius 4.5", "'radius 4.5', which has no unit, expected mm, cm or m"),
        ("a cylinder at 0.31, 0.18", "'at 0.31, 0.18', which has no unit"),
        ("a cylinder of radius 4.5 m/s", "'radius 4.5 m/s', expected a length, not a velocity"),
        ("a cylinder of radius 4.5 cm and 7 cm", "'7 cm' in .* and not what it is"),
        ("a cylinder of radius 4,5 cm", "'radius of 4'|'radius 4'"),
        ("a cylinder of radius -4.5 cm", "'radius -4.5 cm', expected a positive length"),
        ("a cylinder of radius 4e400 m", "'radius 4e400 m', which is beyond all numbers"),
        ("a cylinder of radius 4 cm, its diameter is 9 cm", "'radius 4 cm' and 'diameter is 9 cm', which contradict"),
        ("a cylinder at 1.2 m/s and 1.5 m/s", "'1.2 m/s' and '1.5 m/s', which contradict"),
        (f"{TYPED} Re = 500", "'Re = 500', but from '1.2 m/s' and 'radius 4.5 cm' follows 72"),
        (f"{TYPED} The mean velocity is 1 m/s", "'mean velocity is 1 m/s', but from '1.2 m/s' follows 0.8"),
        (f"{TYPED} The flow is steady", "'steady', but at the Reynolds number 72 a circle is shedding"),
        ("vortices are shed past a cylinder, Re 20", "'vortices are shed', but .* 20 a circle is steady"),
        ("a cylinder in a turbulent flow", "'turbulent', expected 'steady' or 'shedding'"),
        ("a cylinder without walls", "'without', expected statements without negations"),
        ("an ellipse of radius 4 cm", "'radius 4 cm', which an ellipse does not have"),
        ("a triangle with corners (1, 1), (2, 1), (2, 2), (1, 2) cm", "'triangle' and 4 corners, expected 3"),
        ("a polygon with corners (1, 1), (2, 2), (2, 1), (1, 2) cm, Re 10", "intersect"),
        ("a cylinder in a channel 0.5 m high", "'channel 0.5 m high', expected the channel height 0.41 m"),
        ("a cylinder, Re = 0", "'Re = 0', expected a positive number"),
        ("a cylinder " * 300, "3300 characters, expected at most 2000"),
    ],
)  # fmt: skip
def test_faults_of_a_prompt_are_named_by_its_words(prompt: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_prompt(prompt)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_words_in_any_order_are_read_or_refused_in_one_sentence() -> None:
    random = np.random.default_rng(8)
    numbers = ["4.5 cm", "0 m", "-5 mm", "1.2 m/s", "100", "0 m^2/s", "30°", "(31, 18) cm", "2 m^2", "1e300 m"]
    words = [*LEXICON, *numbers]
    sentences, read = [], 0
    for _ in range(1500):
        chosen = random.integers(len(words), size=int(random.integers(1, 14)))
        try:
            read_prompt(" ".join(["a cylinder", *(words[index] for index in chosen)])).flow.mirrored()
            read += 1
        except InputError as error:
            sentences.append(str(error))
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)
    assert read > 100 and len(set(sentences)) > 100


@pytest.mark.parametrize(
    ("prompt", "missing"),
    [("a cylinder", "radius and the position"), ("a cylinder of radius 4 cm", "position"), ("a polygon", "corners")],
)
def test_a_mesh_needs_all_of_the_geometry(prompt: str, missing: str) -> None:
    with pytest.raises(InputError, match=f"says nothing of the {missing} of the .*; add it, or give a mesh"):
        read_prompt(prompt).flow.outline.obstacle()


RANGES = {"radius": (0.03, 0.065), "peak_velocity": (0.5, 1.6), "reynolds_number": (20.0, 140.0), "y": (0.15, 0.26)}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a cylinder of radius 8 cm", r"'radius 8 cm', 0.08 in SI units, expected 0.03 to 0.065"),
        ("a cylinder of diameter 20 cm", r"'diameter 20 cm', 0.1 in SI units"),
        ("a cylinder of radius 5 cm, 2 m/s", r"'2 m/s', 2 in SI units, expected 0.5 to 1.6"),
        ("a cylinder of radius 6.5 cm, 1.6 m/s, nu = 0.9e-3 m^2/s", r"has the reynolds number 154.1"),
        ("a cylinder at 30 cm, 5 cm", r"'at 30 cm, 5 cm', 0.05 in SI units"),
        ("a square of side 6 cm", "describes a rectangle, expected a circle"),
    ],
)
def test_what_is_outside_the_training_is_refused_by_its_words(prompt: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_prompt(prompt).check_within(RANGES, ("circle",))


def test_what_is_within_the_training_is_taken() -> None:
    read_prompt(TYPED).check_within(RANGES, ("circle",))
    read_prompt("a cylinder of radius 6.5 cm").check_within({"radius": (0.03, np.float32(0.065).item())})


# The captions of the paper


def test_the_captions_of_the_paper_state_its_number_and_regime() -> None:
    flow = ChannelFlow(CircleOutline(x=0.312, y=0.178, radius=0.0449), peak_velocity=1.16)
    caption = FlowCaptions("paper").write(flow, np.random.default_rng(0))
    assert caption == (
        "Fluid passes over a cylinder with a radius of 4.49 and position: 0.31, 0.18. Fluid enters with a velocity of "
        "1.16. The Reynolds number is 989. The flow is turbulent."
    )
    assert paper_reynolds(flow) / flow.reynolds() == pytest.approx(1.5 * 9.494, rel=1e-3)
    read = FlowCaptions("paper").read(caption).flow
    assert read == ChannelFlow(CircleOutline(x=0.31, y=0.18, radius=0.0449), peak_velocity=1.16)
    with pytest.raises(InputError, match="no unit"):
        read_prompt(caption)


def test_captions_of_the_paper_round_trip() -> None:
    random = np.random.default_rng(7)
    captions = FlowCaptions("paper")
    for _ in range(1000):
        x, y, velocity = (round(float(random.uniform(*each)), 2) for each in ((0.2, 0.5), (0.1, 0.3), (0.3, 2.0)))
        flow = ChannelFlow(CircleOutline(x=x, y=y, radius=round(float(random.uniform(0.02, 0.08)), 4)), velocity)
        assert captions.read(captions.write(flow, random)).flow == flow


def test_other_prompts_are_none_of_the_paper() -> None:
    with pytest.raises(InputError, match="expected the template of the paper"):
        read_paper_caption(TYPED)
    with pytest.raises(InputError, match="expected one past a circle with place, radius and peak velocity"):
        FlowCaptions("paper").write(ChannelFlow(CircleOutline()), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="style of the captions is 'papr'"):
        FlowCaptions("papr")
