"""Make docs/images/overview.png, the picture of README.md: three solutions, computed by the methods themselves.

python tools/make_overview.py [FOLDER]    about two minutes of CPU time; FOLDER keeps the runs (default: runs/overview)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy.interpolate import RegularGridInterpolator

from sciml.linalg import VoxelPoisson, solve
from sciml.mesh import Grid, read_mesh, read_series
from sciml.mesh.shipped import shipped_surfaces
from sciml.mesh.voxelise import fit_into_box, voxelise
from sciml.reference.wind_tunnel import WindTunnel
from sciml.training.config import load_config
from sciml.training.run import train

REPOSITORY = Path(__file__).resolve().parent.parent
PICTURE = REPOSITORY / "docs" / "images" / "overview.png"
INK, SOLID = "#22262b", "#3a3f45"
CELLS, CHARACTERISTICS, STEPS = 128, 41, 400


def title(axes: Axes, what: str, how: str) -> None:
    """Write what is shown and by which method above a panel."""
    axes.set_title(what, loc="left", fontsize=13, fontweight="bold", color=INK, pad=24)
    axes.text(0.0, 1.025, how, transform=axes.transAxes, fontsize=10, color="#5b626a")
    axes.tick_params(length=0, labelsize=0, labelleft=False, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_wind(axes: Axes) -> None:
    """Draw the speed of the potential flow around a knot in the middle plane, with streamlines."""
    grid = Grid((CELLS,) * 3, centring="cell")
    surface = fit_into_box(read_mesh(shipped_surfaces()["trefoil"], keep_3d=True)[0], grid.lower, grid.upper, fill=0.62)
    tunnel = WindTunnel(voxelise(surface, grid, keep_thin=True), grid.spacing[0])
    problem = VoxelPoisson.from_cells(tunnel.cells, spacing=tunnel.spacing, outside=tunnel.outside)
    pressure = solve(problem, -tunnel.divergence(tunnel.start()), rtol=1e-8).x
    velocity = tunnel.at_centres(tunnel.project(tunnel.start(), pressure))[:, :, CELLS // 2]
    solid, x = tunnel.solid[:, :, CELLS // 2], grid.axes()[0]
    speed = np.where(solid, np.nan, np.linalg.norm(velocity, axis=-1))
    axes.pcolormesh(x, x, speed.T, cmap="viridis", vmin=0.3, vmax=1.6, shading="nearest", rasterized=True)
    axes.contourf(x, x, solid.T.astype(float), levels=[0.5, 1.5], colors=[SOLID])
    flow = np.where(solid[..., None], np.nan, velocity)
    axes.streamplot(
        x,
        x,
        flow[..., 0].T,
        flow[..., 1].T,
        color="white",
        linewidth=0.6,
        density=1.3,
        arrowsize=0,
        broken_streamlines=False,
    )
    axes.set(aspect="equal", xlim=(0, 1), ylim=(0, 1))
    title(axes, "Wind around a knot", f"multigrid, {CELLS}³ cells, one second")


def draw_flow(axes: Axes, folder: Path) -> None:
    """Draw the vorticity of an unsteady Euler flow at the last time."""
    config = load_config("insr/euler_cpu", ["task.init_args.output.animation=false"])
    train(config, folder / "flow", resume=True)
    fields = read_series(folder / "flow" / "fields.xdmf")
    vorticity = fields["vorticity"]
    x, y = vorticity.on.axes()
    largest = np.abs(vorticity.values[-1]).max()
    axes.pcolormesh(
        x, y, vorticity.values[-1].T, cmap="RdBu_r", vmin=-largest, vmax=largest, shading="gouraud", rasterized=True
    )
    axes.contour(x, y, fields["stream"].values[-1].T, levels=12, colors=INK, linewidths=0.5)
    axes.set(aspect="equal")
    title(axes, "An Euler flow, without a mesh", "INSR, one network of 771 parameters per time")


def draw_front(axes: Axes, folder: Path) -> None:
    """Draw a viscous front over space and time, with its characteristics."""
    config = load_config("lpinn/burgers_standard_cpu", ["task.init_args.output.animation=false"])
    train(config, folder / "front", resume=True)
    u = read_series(folder / "front" / "fields.xdmf")["u"]
    x, times = u.on.axes()[0], u.times
    axes.pcolormesh(x, times, u.values, cmap="RdBu_r", vmin=-1, vmax=1, shading="gouraud", rasterized=True)
    value = RegularGridInterpolator((times, x), u.values, bounds_error=False, fill_value=None)
    moments = np.linspace(times[0], times[-1], STEPS)
    paths = [np.linspace(-0.98, 0.98, CHARACTERISTICS)]
    for time, step in zip(moments[:-1], np.diff(moments), strict=True):  # the midpoint scheme
        half = paths[-1] + step / 2 * value((time, paths[-1]))
        paths.append(paths[-1] + step * value((time + step / 2, half)))
    lines = [np.column_stack([path, moments]) for path in np.transpose(paths)]
    axes.add_collection(LineCollection(lines, colors=INK, linewidths=0.6), autolim=False)
    axes.set(xlim=(-1, 1), ylim=(0, 1))
    axes.set_box_aspect(1)
    title(axes, "A front of Burgers' equation", "LPINN, error 3e-7; x to the right, t upwards")


def main() -> None:
    """Compute the three solutions, draw them, and write the picture."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/overview")
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(13.2, 4.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    draw_wind(left)
    draw_flow(middle, folder)
    draw_front(right, folder)
    figure.get_layout_engine().set(w_pad=0.12, wspace=0.02)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    part = PICTURE.with_name(PICTURE.name + ".part")
    figure.savefig(part, format="png", dpi=110, facecolor="white", pil_kwargs={"optimize": True})
    part.replace(PICTURE)


if __name__ == "__main__":
    main()
