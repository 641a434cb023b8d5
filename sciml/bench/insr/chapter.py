"""A pulse advected by INSR: a network fitted anew at each time step, beside grids with fewer degrees of freedom."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sciml.bench.chapters import (
    Chapter,
    Picture,
    Progress,
    Story,
    Table,
    demo_command,
    one_thread,
    solve_command,
    solve_config,
)

if TYPE_CHECKING:
    import numpy as np

    from sciml.mesh import Field

CONFIG = "insr/advection_1d_cpu"
STEPS, QUICK = 120, 8
OURS, FOURIER, SPLINES = "INSR", "Fourier modes", "semi-Lagrangian splines"
CENTRAL, UPWIND = "central differences", "upwind differences"
# By method: order in space, and the scheme in time.
SCHEMES = {
    OURS: ("network", "Padé(2,2), order 4"),
    FOURIER: ("spectral", "Padé(2,2), order 4"),
    SPLINES: ("order 4", "exact characteristics"),
    CENTRAL: ("order 4", "Padé(2,2), order 4"),
    UPWIND: ("order 1", "implicit midpoint, order 2"),
}
ERROR = "relative L2 error"
COLUMNS = ("method", "in space", "in time", "degrees of freedom", "wall time [s]", ERROR, "largest error")
WINDOW = 0.7  # on both sides of the pulse


class AdvectionChapter(Chapter):
    """The advection of a Gaussian pulse, in time steps that are least-squares fits of a network."""

    title = "A time-dependent PDE by INSR"
    about = (
        "The pulse of the INSR paper (Chen et al., ICML 2023) is advected with speed 1/4. At each time the solution is "
        "a network without a mesh, and a time step is a least-squares problem for its parameters. Classical schemes "
        "take the same time steps on a grid with fewer degrees of freedom."
    )
    minutes = 0.7
    position = 2

    @one_thread()
    def run(self, folder: Path, progress: Progress) -> Story:
        """Solve the config, advance the grids, and compare all of them with the exact solution."""
        from sciml.mesh import read_series

        steps = QUICK if self.settings.quick else STEPS
        changes = [f"task.init_args.steps={steps}", "task.init_args.output.animation=false"]
        progress.say(f"Fitting a network at each of {steps} time steps ...")
        result = solve_config(CONFIG, changes, folder / "run", progress)
        progress.say(f"  {result['training_seconds']:.1f} s; now the grids ...")
        series = read_series(folder / "run" / "fields.xdmf")
        u, exact = series["u"], series["u_exact"]
        settings = result["config"]["task"]["init_args"]
        states, seconds = classical(u, exact, settings["time_step"])
        found = {OURS: u.values, **states}
        seconds = {OURS: result["training_seconds"], **seconds}
        parameters = int(result["metrics"]["memory_bytes"]) // 8
        counts = {OURS: parameters, **dict.fromkeys(states, u.on.shape[0])}
        sizes = {name: errors(values, exact.values) for name, values in found.items()}
        rows = [
            (name, *SCHEMES[name], counts[name], seconds[name], f"{sizes[name][-1]:.1e}",
             f"{abs(values[-1] - exact.values[-1]).max():.1e}")
            for name, values in found.items()
        ]  # fmt: skip
        progress.say("Drawing the pictures ...")
        pictures = draw(folder, u, exact, found, sizes, seconds)
        caption = f"After {steps} steps of {settings['time_step']:g} in time, all on one thread."
        return self._story(folder, changes, Table(COLUMNS, rows, caption), pictures, sizes, seconds)

    def _story(
        self,
        folder: Path,
        changes: list[str],
        table: Table,
        pictures: list[Picture],
        sizes: Mapping[str, np.ndarray],
        seconds: Mapping[str, float],
    ) -> Story:
        last = {name: float(size[-1]) for name, size in sizes.items()}
        best = min((name for name in last if name != OURS), key=last.__getitem__)
        return Story(
            summary=(
                f"INSR reaches a relative error of {last[OURS]:.1e} in {seconds[OURS]:.2g} s. The best classical "
                f"scheme here, {best}, reaches {last[best]:.1e} in {seconds[best]:.1g} s."
            ),
            text=(
                ("The classical method wins: for smooth solutions in one dimension, spectral methods are as accurate "
                "and faster by orders of magnitude. INSR shares its time integrator with the Fourier modes, and most "
                "of the remaining error is that of the time steps: its network resolves the pulse nearly as well as "
                "a spectral method."),
                ("What the network offers is not speed in one dimension. It needs no mesh, so that the "
                "same few lines solve on other domains and in five dimensions, where a grid no longer fits."),
            ),
            tables=[table],
            pictures=pictures,
            commands={
                solve_command(CONFIG, changes, folder / "run"): "repeats our part",
                demo_command(folder): "repeats this chapter",
                "sciml bench insr --quick": "measures INSR on all its cases",
            },
            files={folder / "run" / "fields.xdmf": "u and the exact solution at all times, for ParaView"},
            metrics={
                "relative_l2": last[OURS], "seconds": seconds[OURS], "fourier_relative_l2": last[FOURIER],
                "fourier_seconds": seconds[FOURIER], "upwind_relative_l2": last[UPWIND],
                "central_relative_l2": last[CENTRAL], "splines_relative_l2": last[SPLINES],
            },
        )  # fmt: skip


CHAPTER = AdvectionChapter


def classical(u: Field, exact: Field, time_step: float) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Advance classical schemes on the grid of the output; return their states (times, nodes) and wall times [s]."""
    from sciml.reference.advection_grids import advect_by_fourier_modes, advect_by_splines, advect_on_grid

    (x,), steps = u.on.axes(), len(u.times) - 1
    start, speed = exact.values[0], _speed(exact)
    length = u.on.upper[0] - u.on.lower[0]
    schemes: dict[str, Callable[[], np.ndarray]] = {
        FOURIER: lambda: advect_by_fourier_modes(start, length, speed, time_step, steps, "pade22"),
        SPLINES: lambda: advect_by_splines(start, x, speed, time_step, steps),
        CENTRAL: lambda: advect_on_grid(start, x, speed, time_step, steps, "central4", "pade22"),
        UPWIND: lambda: advect_on_grid(start, x, speed, time_step, steps, "upwind", "midpoint"),
    }
    states, seconds = {}, {}
    for name, scheme in schemes.items():
        begin = clock.perf_counter()
        states[name] = scheme()
        seconds[name] = clock.perf_counter() - begin
    return states, seconds


def errors(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return the relative L2 errors at all times."""
    import numpy as np

    return np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)


def draw(
    folder: Path,
    u: Field,
    exact: Field,
    found: Mapping[str, np.ndarray],
    sizes: Mapping[str, np.ndarray],
    seconds: Mapping[str, float],
) -> list[Picture]:
    """Draw the solution in space and time, the last state, and errors over time and against cost."""
    from sciml import plots

    end = replace(exact, values=exact.values[-1], times=None)
    centre = float(u.on.axes()[0][end.values.argmax()])
    window = (centre - WINDOW, centre + WINDOW)
    last = {name: replace(u, name="u", values=values[-1], times=None) for name, values in found.items()}
    rows = {
        name: [{"time": time, ERROR: size} for time, size in zip(u.times[1:], values[1:], strict=True)]
        for name, values in sizes.items()
    }
    plots.space_time(u, folder / "space_time.png", title="INSR: the pulse in space and time")
    plots.profiles(
        last, folder / "profiles.png", exact=end, window=window, title=f"The pulse at t = {u.times[-1]:g}",
    )  # fmt: skip
    plots.time_curves(rows, folder / "errors.png", errors=(ERROR,))
    plots.work_precision(
        {name: (seconds[name], float(values[-1])) for name, values in sizes.items()}, folder / "cost.png"
    )
    return [
        Picture(folder / "space_time.png", "The pulse as a straight band in space and time.",
                "u(x, t) from the networks of all times: the pulse travels undisturbed."),
        Picture(folder / "profiles.png", "Three pulses over x: INSR on the exact one, upwind lower and wider.",
                "The last state. First-order upwind differences smear the pulse."),
        Picture(folder / "errors.png", "Errors of the methods over time on a logarithmic axis.",
                "Errors over time; INSR begins with the error of the fit to the initial condition."),
        Picture(folder / "cost.png", "Errors against wall times of the methods, both logarithmic.",
                "Error against wall time: left and low is better."),
    ]  # fmt: skip


def _speed(exact: Field) -> float:
    """Return the speed of the pulse from the exact solution: the way of its centre over the time."""
    (x,) = exact.on.axes()
    first, last = ((x * state).sum() / state.sum() for state in (exact.values[0], exact.values[-1]))
    return float(last - first) / float(exact.times[-1])
