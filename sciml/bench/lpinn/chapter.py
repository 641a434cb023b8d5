"""A front by LPINN: inviscid Burgers' equation past the formation of a shock, beside WENO and the exact formula."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
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
    from sciml.reference.trigonometric_series import TrigonometricSeries

CONFIG = "lpinn/inviscid_burgers_cpu"
OURS, FORMULA = "LPINN, least action", "Hopf-Lax formula"
REFINEMENTS = (1, 4)  # cells of WENO per value of the output
PATHS = 25  # characteristics in the picture
MET = 1e-3  # a path has entered a shock where u differs by so much from what it carries
WINDOW = 0.6  # on both sides of the shock
COLUMNS = ("method", "degrees of freedom", "wall time [s]", "relative L2 error", "error at the end", "largest error")


class FrontChapter(Chapter):
    """A smooth profile that steepens into a shock, with characteristics that are a network."""

    title = "A moving front by LPINN"
    about = (
        "Burgers' equation without viscosity: a smooth profile steepens until its characteristics meet in a shock. A "
        "Lagrangian PINN (after Mojgani, Balajewicz and Hassanzadeh, CMAME 2023) fits the characteristics, which stay "
        "smooth, and reads the solution out by the principle of least action. Beside it stand finite volumes of fifth "
        "order (WENO) and the Hopf-Lax formula, which is exact here."
    )
    minutes = 0.4
    position = 3

    @one_thread()
    def run(self, folder: Path, progress: Progress) -> Story:
        """Solve the config, run WENO on the same problem, and compare both with the exact solution."""
        from sciml.mesh import read_series

        changes = ["task.init_args.output.animation=false"]
        progress.say("Fitting the characteristics ...")
        result = solve_config(CONFIG, changes, folder / "run", progress)
        progress.say(f"  {result['training_seconds']:.1f} s; now finite volumes ...")
        series = read_series(folder / "run" / "fields.xdmf")
        u, exact = series["u"], series["u_exact"]
        start = _initial(result["config"]["task"]["init_args"]["problem"]["init_args"])
        found, seconds = {OURS: u.values}, {OURS: result["training_seconds"]}
        counts = {OURS: int(result["metrics"]["memory_bytes"]) // 8}
        for finer in REFINEMENTS:
            cells = finer * u.on.shape[0]
            name = f"WENO5 ({cells} cells)"
            begin = clock.perf_counter()
            found[name] = weno(start, cells, u.times)[:, ::finer]
            seconds[name], counts[name] = clock.perf_counter() - begin, cells
        formula = _formula_seconds(start, u)
        sizes = {name: errors(values, exact.values) for name, values in found.items()}
        rows = [
            (name, counts[name], seconds[name], *(f"{size:.1e}" for size in sizes[name]))
            for name in found
        ]  # fmt: skip
        rows.append((FORMULA, None, formula, "exact", "exact", "exact"))
        caption = f"At {u.on.shape[0]} points and {len(u.times)} times up to t = {u.times[-1]:g}."
        progress.say("Drawing the pictures ...")
        pictures = draw(folder, u, exact, found, sizes, seconds)
        return self._story(folder, changes, Table(COLUMNS, rows, caption), pictures, sizes,
                           {**seconds, FORMULA: formula})  # fmt: skip

    def _story(
        self,
        folder: Path,
        changes: list[str],
        table: Table,
        pictures: list[Picture],
        sizes: Mapping[str, tuple[float, ...]],
        seconds: Mapping[str, float],
    ) -> Story:
        coarse, fine = (name for name in sizes if name != OURS)
        return Story(
            summary=(
                f"LPINN reaches a relative error of {sizes[OURS][0]:.1e} in {seconds[OURS]:.2g} s; {fine} reaches "
                f"{sizes[fine][0]:.1e} in {seconds[fine]:.2g} s; the Hopf-Lax formula is exact and takes "
                f"{seconds[FORMULA]:.2g} s."
            ),
            text=(
                ("WENO is of fifth order where u is smooth, but a shock lies inside a cell: its error falls no faster "
                "than the cells. The characteristics have no front at all, so a small network holds them to many "
                "digits, and the shock is found where two of them have the same action."),
                ("The classical method to beat is therefore not WENO but the method of characteristics, and it wins: "
                "the formula needs no fit, only the search for the least action that LPINN needs after its fit too "
                "(its wall time is that of the fit). LPINN goes on where no formula exists, with viscosity and with "
                "speeds that vary; there Fourier collocation is hard to beat."),
            ),
            tables=[table],
            pictures=pictures,
            commands={
                solve_command(CONFIG, changes, folder / "run"): "repeats our part",
                demo_command(folder): "repeats this chapter",
                "sciml bench lpinn --quick": "measures LPINN on all its cases",
            },
            files={folder / "run" / "fields.xdmf": "u and the exact solution at all times, for ParaView"},
            metrics={
                "relative_l2": sizes[OURS][0], "relative_l2_at_end": sizes[OURS][1], "seconds": seconds[OURS],
                "weno_coarse_relative_l2": sizes[coarse][0], "weno_fine_relative_l2": sizes[fine][0],
                "weno_fine_seconds": seconds[fine], "formula_seconds": seconds[FORMULA],
            },
        )  # fmt: skip


CHAPTER = FrontChapter


def weno(start: TrigonometricSeries, cells: int, times: np.ndarray) -> np.ndarray:
    """Return the values at the centres of cells, which are the nodes 0, h, 2 h, ..., at some times."""
    from sciml.reference.conservation_laws_entropy import BURGERS
    from sciml.reference.conservation_laws_finite_volumes import cell_averages, centre_values, conservation

    half = 0.5 * start.period / cells
    averages = cell_averages(lambda x: start(x - half), start.period, cells)
    return centre_values(conservation(averages, start.period, BURGERS, times))


def errors(found: np.ndarray, exact: np.ndarray) -> tuple[float, float, float]:
    """Return the relative L2 errors of the fluctuation, over the run and at its end, and the largest error."""
    import numpy as np

    from sciml.metrics import relative_l2

    mean = exact[0].mean()
    return (
        relative_l2(found - mean, exact - mean),
        relative_l2(found[-1] - mean, exact[-1] - mean),
        float(np.abs(found - exact).max()),
    )


def draw(
    folder: Path,
    u: Field,
    exact: Field,
    found: Mapping[str, np.ndarray],
    sizes: Mapping[str, tuple[float, ...]],
    seconds: Mapping[str, float],
) -> list[Picture]:
    """Draw the characteristics, the state at the shock, its errors, and errors against cost."""
    import numpy as np

    from sciml import plots

    (x,) = u.on.axes()
    last, end = exact.values[-1], f"t = {u.times[-1]:g}"
    front = float(x[np.argmin(np.diff(last, append=last[:1]))])
    window = (front - WINDOW, front + WINDOW)
    states = {name: replace(u, values=values[-1], times=None) for name, values in found.items()}
    wrong = {
        name: replace(u, name="|u - exact|", values=np.abs(values[-1] - last) + 1e-17, times=None)
        for name, values in found.items()
    }
    plots.space_time(
        u, folder / "characteristics.png", paths=characteristics(folder / "run", u),
        title="LPINN: characteristics run into a shock",
    )  # fmt: skip
    plots.profiles(
        states, folder / "profiles.png", exact=replace(exact, values=last, times=None), window=window,
        title=f"The shock at {end}",
    )  # fmt: skip
    plots.profiles(wrong, folder / "errors.png", title=f"Errors at {end}", logarithmic=True)
    plots.work_precision({name: (seconds[name], size[0]) for name, size in sizes.items()}, folder / "cost.png")
    return [
        Picture(folder / "characteristics.png", "u over space and time with characteristics that end at the shock.",
                "u(x, t) and the fitted characteristics, drawn until they meet the shock."),
        Picture(folder / "profiles.png", "The jump of u near the shock; WENO rounds it, LPINN does not.",
                "Near the shock: WENO spreads it over some cells."),
        Picture(folder / "errors.png", "Errors over x on a logarithmic axis, largest at the shock.",
                "Errors over x: WENO is more accurate where u is smooth, and wrong at the shock."),
        Picture(folder / "cost.png", "Errors against wall times of the methods, both logarithmic.",
                "Error against wall time: left and low is better. The formula, exact, is not on the axes."),
    ]  # fmt: skip


def characteristics(run: Path, u: Field) -> np.ndarray:
    """Return positions of evenly spread labels at the times of u, (labels, times), nan after they enter a shock."""
    import numpy as np
    import torch

    from sciml.lpinn import field_of
    from sciml.training.stored import load_task

    task = load_task(run)
    (lower,), (upper,) = u.on.lower, u.on.upper
    labels = torch.from_numpy(np.linspace(lower, upper, PATHS, endpoint=False))[:, None]
    with torch.no_grad():
        field = field_of(task.solver.characteristics, task.weights)
        followed = [field.follow(labels, float(time)) for time in u.times]
        carried = [
            (field(field.problem.domain.wrap(position), float(time)) - state).abs() < MET
            for (position, state), time in zip(followed, u.times, strict=True)
        ]
    paths = np.stack([position[:, 0].numpy() for position, _ in followed], axis=1)
    free = np.stack([flags[:, 0].numpy() for flags in carried], axis=1)
    return np.where(np.logical_and.accumulate(free, axis=1), paths, np.nan)


def _initial(problem: Mapping[str, object]) -> TrigonometricSeries:
    from sciml.reference.trigonometric_series import TrigonometricSeries

    return TrigonometricSeries(**{name: problem[name] for name in ("mean", "cosines", "sines") if name in problem})


def _formula_seconds(start: TrigonometricSeries, u: Field) -> float:
    """Return the wall time [s] of the exact solution at all points and times of u."""
    from sciml.reference.conservation_laws_entropy import ConservationLaw

    (x,), begin = u.on.axes(), clock.perf_counter()
    law = ConservationLaw(start)
    for time in u.times:
        law.solution(x, float(time))
    return clock.perf_counter() - begin
