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
        str, typer.Argument(help="interval, square, square_quad, disk, l_shape, cube, cube_hex, ball or sphere.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .vtu .xdmf .msh .med.")],
    refinements: Annotated[
        int | None, typer.Option("-r", "--refinements", help="Uniform refinements; 3 by default.")
    ] = None,
    lower: Annotated[float | None, typer.Option("--from", help="Lower end of an interval; 0 by default.")] = None,
    upper: Annotated[float | None, typer.Option("--to", help="Upper end of an interval; 1 by default.")] = None,
    cells: Annotated[int | None, typer.Option("--cells", help="Cells of an interval, in place of refinements.")] = None,
) -> None:
    """Make the mesh of a standard shape; its boundary is a group. An interval has its own ends and number of cells."""
    from sciml.checks import whole_number
    from sciml.errors import InputError
    from sciml.mesh import make_interval, make_mesh, write_mesh

    given = {"--from": lower, "--to": upper, "--cells": cells}
    own = [option for option, value in given.items() if value is not None]
    if name == "interval" and own:
        if cells is not None and refinements is not None:
            raise InputError(f"--cells {cells} and --refinements {refinements} both set the cells; leave one out.")
        halvings = 3 if refinements is None else whole_number("--refinements", refinements, at_least=0, at_most=22)
        count = 2**halvings if cells is None else cells
        mesh = make_interval(0.0 if lower is None else lower, 1.0 if upper is None else upper, count)
    elif own:
        options = " and ".join(own)
        raise InputError(f"{options}: {name} has a fixed size, only an interval has its own; use --refinements.")
    else:
        mesh = make_mesh(name, 3 if refinements is None else refinements)
    write_mesh(output, mesh)
    say(f"{output}: {mesh!r}")
