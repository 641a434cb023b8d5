"""Obstacles in a channel: signed distances against sampled outlines and their gradients, boxes, mirror images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from sciml.errors import InputError
from sciml.mesh.obstacles import Circle, Ellipse, Obstacle, Polygon

L_SHAPE = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.1), (0.1, 0.1), (0.1, 0.2), (0.0, 0.2))
OBSTACLES: dict[str, Obstacle] = {
    "circle": Circle((0.3, 0.2), 0.05),
    "ellipse": Ellipse((0.3, 0.2), (0.08, 0.03), 25.0),
    "ellipse across": Ellipse((0.3, 0.2), (0.02, 0.09), -70.0),
    "rectangle": Polygon.rectangle((0.3, 0.2), (0.1, 0.06), 30.0),
    "concave": Polygon(L_SHAPE),
}
POINTS = np.random.default_rng(0).uniform((-0.1, -0.1), (0.7, 0.5), (200, 2))


def outline(obstacle: Obstacle, count: int = 40_001) -> np.ndarray:
    """Return points on an outline, from its parametrisation."""
    if isinstance(obstacle, Polygon):
        corners = np.array(obstacle.corners)
        share = np.linspace(0, 1, count // len(corners))[:, None]
        return np.concatenate([a + share * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)])
    turn = np.linspace(0, 2 * math.pi, count)
    axes = (obstacle.radius,) * 2 if isinstance(obstacle, Circle) else obstacle.semi_axes
    angle = math.radians(getattr(obstacle, "angle", 0.0))
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.array(obstacle.centre) + np.column_stack([axes[0] * np.cos(turn), axes[1] * np.sin(turn)]) @ rotation


@pytest.mark.parametrize("name", OBSTACLES)
def test_the_distance_is_that_to_the_nearest_point_of_the_outline(name: str) -> None:
    nearest, _ = cKDTree(outline(OBSTACLES[name])).query(POINTS)
    assert np.abs(OBSTACLES[name].signed_distance(POINTS)) == pytest.approx(nearest, abs=1e-6, rel=1e-5)


@pytest.mark.parametrize("name", OBSTACLES)
def test_the_sign_is_that_of_the_winding_number(name: str) -> None:
    turns = [np.arctan2(*(outline(OBSTACLES[name], 2000) - point).T[::-1]) for point in POINTS]
    winding = np.array([np.rint((np.unwrap(turn)[-1] - turn[0]) / (2 * math.pi)) for turn in turns])
    inside = OBSTACLES[name].signed_distance(POINTS) < 0
    assert inside.any() and np.array_equal(inside, winding == 1)


@pytest.mark.parametrize("name", ["circle", "ellipse", "ellipse across"])
def test_the_gradient_of_the_distance_has_length_one(name: str) -> None:
    step = 1e-6
    far = POINTS[np.abs(OBSTACLES[name].signed_distance(POINTS)) > 0.02]
    far = far[OBSTACLES[name].signed_distance(far) > 0]
    sides = [OBSTACLES[name].signed_distance(far + np.eye(2)[axis] * sign) for axis in (0, 1) for sign in (step, -step)]
    gradient = np.stack([sides[0] - sides[1], sides[2] - sides[3]]) / (2 * step)
    assert np.linalg.norm(gradient, axis=0) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", OBSTACLES)
def test_the_box_is_that_of_the_outline_and_the_height_its_extent_across(name: str) -> None:
    points = outline(OBSTACLES[name])
    lower, upper = OBSTACLES[name].bounds
    assert [*lower, *upper] == pytest.approx([*points.min(0), *points.max(0)], abs=1e-7)
    assert OBSTACLES[name].height == pytest.approx(np.ptp(points[:, 1]), abs=1e-7)


@pytest.mark.parametrize("name", OBSTACLES)
def test_mirrored_obstacles_have_mirrored_distances(name: str) -> None:
    mirrored = OBSTACLES[name].mirrored(0.41)
    images = np.column_stack([POINTS[:, 0], 0.41 - POINTS[:, 1]])
    assert mirrored.signed_distance(images) == pytest.approx(OBSTACLES[name].signed_distance(POINTS), abs=1e-12)


@given(st.floats(0.01, 0.2), st.floats(-1, 1), st.floats(-1, 1))
@settings(deadline=None)
def test_an_ellipse_of_equal_semi_axes_is_a_circle(radius: float, x: float, y: float) -> None:
    circle, ellipse = Circle((0.1, 0.2), radius), Ellipse((0.1, 0.2), (radius, radius), 40.0)
    assert ellipse.signed_distance([[x, y]]) == pytest.approx(circle.signed_distance([[x, y]]), abs=1e-12)


@pytest.mark.parametrize("point", [(0.0, 0.0), (0.05, 0.0), (0.0, 0.02), (0.08, 0.0), (0.0, 0.03), (0.2, 0.0)])
def test_points_on_the_axes_of_an_ellipse_have_their_distances(point: tuple[float, float]) -> None:
    ellipse = Ellipse((0.0, 0.0), (0.08, 0.03))
    nearest = np.linalg.norm(outline(ellipse) - point, axis=1).min()
    sign = -1 if (point[0] / 0.08) ** 2 + (point[1] / 0.03) ** 2 < 1 else 1
    assert ellipse.signed_distance([point]) == pytest.approx(sign * nearest, abs=1e-7)


def test_corners_are_kept_anticlockwise() -> None:
    clockwise = Polygon(L_SHAPE[::-1])
    assert set(clockwise.corners) == set(L_SHAPE)
    assert clockwise.signed_distance(POINTS) == pytest.approx(Polygon(L_SHAPE).signed_distance(POINTS))
    x, y = np.array(clockwise.corners).T
    assert (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2 == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Circle((0.0, 0.0), 0.0), "radius of the circle is 0.0, expected a positive number"),
        (lambda: Circle((0.0, math.nan), 0.1), "centre of the circle are not finite"),
        (lambda: Ellipse((0.0, 0.0), (0.1, -0.1)), "second semi-axis of the ellipse is -0.1"),
        (lambda: Polygon(((0.0, 0.0), (1.0, 0.0))), "has 2 corners, expected at least three"),
        (lambda: Polygon(((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))), "intersect"),
        (lambda: Polygon(((0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (0.0, 1.0))), "intersect"),
        (lambda: Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (0.0, 1.0))), "intersect"),
        (lambda: Polygon.rectangle((0.0, 0.0), (0.1, 0.0)), "second side of the rectangle is 0.0"),
    ],
)
def test_what_is_no_obstacle_is_refused(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
