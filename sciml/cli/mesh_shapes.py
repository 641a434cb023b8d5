"""The shapes of ``sciml mesh make``: their options, and the meshes that those give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.mesh import Mesh, make_channel, make_interval, make_mesh
from sciml.mesh.channel import DEFAULT
from sciml.mesh.obstacles import Circle, Ellipse, Obstacle, Polygon

REFINEMENTS = 3  # where neither they nor cells are given
_SIZES = {"--length": "length", "--height": "height", "--size": "size", "--far-size": "far_size", "--growth": "growth"}
_BODIES = ("--centre", "--radius", "--semi-axes", "--angle", "--corner")
_OWN = {"interval": ("--refinements", "--from", "--to", "--cells"), "channel": (*_SIZES, *_BODIES)}
Options = Mapping[str, Any]


def mesh_of_shape(name: str, options: Options) -> Mesh:
    """Return the mesh of a shape with the options that were given.

    Parameters
    ----------
    name : of the shape
    options : those given by the user, ``{"--radius": 0.05}``

    Raises
    ------
    InputError
        For options that the shape does not have, that contradict one another, or of wrong values.
    """
    _refuse(f"the shape {name}", options, _OWN.get(name, ("--refinements",)))
    if name == "channel":
        return make_channel(_obstacle(options), **{_SIZES[key]: options[key] for key in options if key in _SIZES})
    if name == "interval" and options:
        return _interval(options)
    return make_mesh(name, options.get("--refinements", REFINEMENTS))


def _refuse(what: str, options: Options, own: tuple[str, ...]) -> None:
    foreign = [option for option in options if option not in own]
    if foreign:
        raise InputError(
            f"{' and '.join(foreign)} with {what}: it has {', '.join(own)} only; leave out what it does not have."
        )


def _interval(options: Options) -> Mesh:
    cells, refinements = options.get("--cells"), options.get("--refinements", REFINEMENTS)
    if cells is not None and "--refinements" in options:
        raise InputError(f"--cells {cells} and --refinements {refinements} both set the cells; leave one out.")
    halvings = whole_number("--refinements", refinements, at_least=0, at_most=22)
    return make_interval(options.get("--from", 0.0), options.get("--to", 1.0), 2**halvings if cells is None else cells)


def _obstacle(options: Options) -> Obstacle:
    body = {option: options[option] for option in options if option in _BODIES}
    centre = body.get("--centre", DEFAULT.centre)
    if "--corner" in body:
        _refuse("--corner of a polygon", body, ("--corner",))
        return Polygon(tuple(_corner(text) for text in body["--corner"]))
    if "--semi-axes" in body:
        _refuse("--semi-axes of an ellipse", body, ("--centre", "--semi-axes", "--angle"))
        return Ellipse(centre, body["--semi-axes"], body.get("--angle", 0.0))
    _refuse("a circle", body, ("--centre", "--radius"))
    return Circle(centre, body.get("--radius", DEFAULT.radius))


def _corner(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--corner is {text!r}, expected two numbers such as 0.3,0.1.") from None
    return x, y
