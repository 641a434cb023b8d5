"""``sciml mesh``: inspect and convert mesh files, and make standard shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.cli.frame import verb_app
from sciml.cli.streams import say

app = verb_app(
    "Inspect and convert mesh files, and make standard shapes. "
    "Reads .vtu .vtk .xdmf .msh .med .inp .stl .obj .ply, writes .vtu .xdmf .msh .med."
)


@app.command()
def info(
    path: Annotated[Path, typer.Argument(help="Mesh file.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print points, cells, groups, fields, size and volume of a mesh file."""
    from sciml.cli.output import print_json, print_table
    from sciml.mesh import read_mesh
    from sciml.mesh.shapes import SHAPES

    mesh, fields = read_mesh(path)
    volumes = mesh.volumes()
    volume = sum(
        float(volumes[where].sum()) for name, _, where in mesh.blocks() if SHAPES[name].dim == mesh.topological_dim
    )
    boundary = mesh.boundary().n_cells
    result = {
        "path": str(path),
        "dim": mesh.dim,
        "topological_dim": mesh.topological_dim,
        "points": mesh.n_points,
        "cells": {name: len(nodes) for name, nodes in mesh.cells.items()},
        "groups": {name: {"dim": group.dim, "size": len(group)} for name, group in mesh.groups.items()},
        "fields": {
            field.name: {
                "location": field.location,
                "dtype": str(field.values.dtype),
                "components": list(field.components),
                "unit": field.unit,
                "times": None if field.times is None else len(field.times),
            }
            for field in fields
        },
        "lower": mesh.points.min(axis=0),
        "upper": mesh.points.max(axis=0),
        "volume": volume,
        "boundary_facets": boundary,
    }
    if json:
        print_json(result)
        return
    measure = ("number", "length", "area", "volume")[mesh.topological_dim]
    rows: list[tuple[str, float, str]] = [("points", mesh.n_points, f"{mesh.dim}-D")]
    rows += [(f"cells: {name}", count, "") for name, count in result["cells"].items()]
    rows += [(f"group: {name}", len(group), f"dimension {group.dim}") for name, group in mesh.groups.items()]
    rows += [
        (
            f"field: {field.name}",
            field.values.size,
            f"{field.values.dtype} at {field.location}"
            + (f", {len(field.times)} times" if field.times is not None else ""),
        )
        for field in fields
    ]
    rows += [("boundary facets", boundary, "closed" if boundary == 0 else ""), (measure, volume, "")]
    rows += [
        (f"{axis} from", float(low), f"to {high:.6g}")
        for axis, low, high in zip("xyz", mesh.points.min(axis=0), mesh.points.max(axis=0), strict=False)
    ]
    print_table(["", "", ""], rows, title=str(path))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Mesh file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File to write: .vtu .xdmf .msh .med.")],
) -> None:
    """Convert a mesh file with its groups and fields; of a time series the last step."""
    from sciml.mesh import Field, read_mesh, write_mesh

    mesh, fields = read_mesh(source)
    last = [
        field if field.times is None else Field(field.name, field.values[-1], mesh, field.location, unit=field.unit)
        for field in fields
    ]
    write_mesh(target, mesh, last)
    say(f"{target}: {mesh!r}, {len(last)} fields")


@app.command()
def make(
    name: Annotated[
        str,
        typer.Argument(help="interval, square, square_quad, disk, l_shape, cube, cube_hex, ball, sphere or channel."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .vtu .xdmf .msh .med.")],
    refinements: Annotated[
        int | None, typer.Option("-r", "--refinements", help="Uniform refinements; 3 by default. Not of a channel.")
    ] = None,
    lower: Annotated[float | None, typer.Option("--from", help="Lower end of an interval; 0 by default.")] = None,
    upper: Annotated[float | None, typer.Option("--to", help="Upper end of an interval; 1 by default.")] = None,
    cells: Annotated[int | None, typer.Option("--cells", help="Cells of an interval, in place of refinements.")] = None,
    length: Annotated[float | None, typer.Option("--length", help="Length of a channel; 2.2 by default.")] = None,
    height: Annotated[float | None, typer.Option("--height", help="Height of a channel; 0.41 by default.")] = None,
    centre: Annotated[
        tuple[float, float] | None,
        typer.Option("--centre", metavar="X Y", help="Centre of the obstacle in a channel; 0.2 0.2 by default."),
    ] = None,
    radius: Annotated[float | None, typer.Option("--radius", help="Radius of a circle; 0.05 by default.")] = None,
    semi_axes: Annotated[
        tuple[float, float] | None,
        typer.Option("--semi-axes", metavar="A B", help="Semi-axes of an ellipse, in place of the radius."),
    ] = None,
    angle: Annotated[
        float | None, typer.Option("--angle", help="Angle from the x axis to A, in degrees; 0 by default.")
    ] = None,
    corner: Annotated[
        list[str] | None,
        typer.Option("--corner", metavar="X,Y", help="Corner of a polygon, in place of the centre; one at a time."),
    ] = None,
    size: Annotated[
        float | None, typer.Option("--size", help="Length of edges at the obstacle; height / 50 by default.")
    ] = None,
    far_size: Annotated[
        float | None, typer.Option("--far-size", help="Length of the longest edges; 4 times the size by default.")
    ] = None,
    growth: Annotated[
        float | None, typer.Option("--growth", help="Growth of the edges per distance; 0.1 by default.")
    ] = None,
) -> None:
    """Make the mesh of a standard shape; its boundary is a group.

    An interval has its own ends and number of cells. A channel goes around a circle, an ellipse or a polygon, with the
    groups inlet, outlet, wall and obstacle.
    """
    from sciml.cli.mesh_shapes import mesh_of_shape
    from sciml.mesh import write_mesh

    options = {
        "--refinements": refinements,
        "--from": lower,
        "--to": upper,
        "--cells": cells,
        "--length": length,
        "--height": height,
        "--centre": centre,
        "--radius": radius,
        "--semi-axes": semi_axes,
        "--angle": angle,
        "--corner": corner,
        "--size": size,
        "--far-size": far_size,
        "--growth": growth,
    }
    mesh = mesh_of_shape(name, {option: value for option, value in options.items() if value is not None})
    write_mesh(output, mesh)
    say(f"{output}: {mesh!r}")
