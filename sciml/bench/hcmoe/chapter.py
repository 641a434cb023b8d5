"""A front by coupled experts, beside Fourier collocation, a single domain, and independent experts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from sciml.errors import DivergenceError

CONFIG = "hcmoe/burgers_cpu"
OUTPUT = "task.init_args.output={times: 41, animation: false}"
QUICK = tuple(f"task.init_args.{key}" for key in ("elements.degree=10", "slabs=10", "time_degree=6"))
SMALLER = tuple(f"task.init_args.{key}" for key in ("elements.degree=14", "elements.smallest=0.01", "time_degree=8"))
OURS, SMALL = "coupled experts", "coupled, fewer unknowns"
FOURIER, SINGLE = "Fourier collocation", "one domain"
MODES, QUICK_MODES = 2048, 512
DEGREES, QUICK_DEGREES = [8, 32], [5, 16]  # in time and space, of the polynomials of one domain
COLUMNS = ("method", "unknowns", "CPU time [s]", "relative L2 error")
# Experts of a layer, too few for the front.
VISCOSITY, LATTICE, BOXES, FEW = 0.05, (24, 96), (2, 4), (3, 4)
SHOWN = 15  # of the times, just after the front has formed
INDEPENDENT = "independent, as published"
COUPLINGS = {"coupled, exact faces": ("exact", "lift"), INDEPENDENT: ("independent", "rows")}


class ExpertsChapter(Chapter):
    """Burgers' equation by polynomials in boxes that share values and slopes, without training."""

    title = "Hard constraints by coupled experts"
    about = (
        "On each box in space and time an expert finds the combination of a basis that satisfies the equation (after "
        "Chalapathi, Du and Krishnapriyan, ICLR 2024). Here neighbours are coupled: start, boundary conditions and "
        "faces hold exactly, and only the equation is left to least squares. Burgers' equation with viscosity "
        "0.01 / pi, beside Fourier collocation, one expert for the whole domain, and experts that are independent."
    )
    minutes = 0.5
    position = 5

    @one_thread()
    def run(self, folder: Path, progress: Progress) -> Story:
        """Solve the config, then the same by the competitors, and a wider front by two kinds of experts."""
        from sciml.bench.hcmoe.solutions import coupled, fourier, single_domain

        quick = self.settings.quick
        changes = [OUTPUT, *(QUICK if quick else ())]
        progress.say("Solving slab after slab ...")
        result = solve_config(CONFIG, changes, folder / "run", progress)
        progress.say(f"  {result['training_seconds']:.1f} s; now the competitors ...")
        modes, degrees = (QUICK_MODES, QUICK_DEGREES) if quick else (MODES, DEGREES)
        found = {
            OURS: _numbers(coupled({"config": CONFIG, "changes": QUICK if quick else ()})),
            **({} if quick else {SMALL: _numbers(coupled({"config": CONFIG, "changes": SMALLER}))}),
            f"{FOURIER} with {modes} points": {**_numbers(fourier({"number": modes})), "unknowns": modes},
            f"{SINGLE}, polynomials": _numbers(single_domain({"basis": "chebyshev", "sizes": [degrees], "seed": 0})),
        }
        layers = {name: _layer(*coupling) for name, coupling in COUPLINGS.items()}
        progress.say("Drawing the pictures ...")
        return _story(folder, changes, found, layers, _draw(folder, found, layers))


CHAPTER = ExpertsChapter


def _numbers(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers and the CPU seconds of a measurement of the benchmark.

    Raises
    ------
    DivergenceError
        If it failed.
    """
    if measured["failed"]:
        raise DivergenceError(f"a measurement failed: {measured['failed']}")
    return {**measured["last"], "seconds": measured["seconds"]}


def _layer(coupling: str, start: str) -> dict[str, Any]:
    """Solve a wider front by few polynomials in boxes of a layer; return u, the exact one, and what is missed."""
    import torch

    from sciml.hcmoe import Burgers, ChebyshevBasis, ConstraintSettings, ExpertConstraint

    problem = Burgers(VISCOSITY)
    times, x = (torch.linspace(*ends, dtype=torch.float64) for ends in ((0, 1, LATTICE[0]), (-1, 1, LATTICE[1])))
    basis = ChebyshevBasis(problem.domain, problem.duration, *FEW)
    layer = ExpertConstraint(problem, times, x, BOXES, ConstraintSettings(coupling=coupling, start=start))
    output = layer(basis)
    exact = torch.stack([problem.exact(x[:, None], float(time))[:, 0] for time in times])
    return {
        "u": output.u[0].numpy(),
        "exact": exact.numpy(),
        "error": float((output.u[0] - exact).norm() / exact.norm()),
        "jump": float(layer.jumps(basis, output.weights)[0]),
    }


def _draw(
    folder: Path, found: Mapping[str, Mapping[str, Any]], layers: Mapping[str, Mapping[str, Any]]
) -> list[Picture]:
    from sciml import plots
    from sciml.mesh import Field, Grid

    for name in ("experts.png", "residual.png"):
        shutil.copyfile(folder / "run" / "figures" / name, folder / name)
    grid = Grid((LATTICE[1],), (-1.0,), (1.0,))
    shown = {name: Field("u", each["u"][SHOWN], grid) for name, each in layers.items()}
    exact = Field("u", layers[INDEPENDENT]["exact"][SHOWN], grid)
    title = f"{BOXES[0]} × {BOXES[1]} experts with few polynomials, t = {SHOWN / (LATTICE[0] - 1):.2f}"
    plots.profiles(shown, folder / "faces.png", exact=exact, title=title)
    costs = {name: (numbers["seconds"], numbers["error"]) for name, numbers in found.items()}
    plots.work_precision(costs, folder / "cost.png", cost="CPU time [s]")
    return [
        Picture(folder / "experts.png", "u in space and time with a grid of boxes that is dense at the front.",
                "u(x, t) with the boxes of the experts, as they are and drawn equally large."),
        Picture(folder / "residual.png", "A map of residuals, largest where the front forms, over small jumps.",
                "The residual of each expert, and the jumps at the faces: u and its slope are continuous to rounding."),
        Picture(folder / "faces.png", "Two solutions over x; that of independent experts has steps at the faces.",
                f"A wider front, viscosity {VISCOSITY:g}: the same basis by independent and by coupled experts."),
        Picture(folder / "cost.png", "Errors against CPU times of the methods, both logarithmic.",
                "Error against time: left and low is better."),
    ]  # fmt: skip


def _story(
    folder: Path,
    changes: Sequence[str],
    found: Mapping[str, Mapping[str, Any]],
    layers: Mapping[str, Mapping[str, Any]],
    pictures: list[Picture],
) -> Story:
    ours, (classical, best) = found[OURS], next((name, each) for name, each in found.items() if FOURIER in name)
    single = next(each for name, each in found.items() if SINGLE in name)
    together, alone = layers.values()
    return Story(
        summary=(
            f"Coupled experts reach a relative error of {ours['error']:.1e} in {ours['seconds']:.2g} s, without "
            f"training. {classical} reaches {best['error']:.1e} in {best['seconds']:.2g} s, one expert for the whole "
            f"domain {single['error']:.1e}."
        ),
        text=(
            ("For one smooth solution the classical method is faster: it takes its steps in time with an adaptive "
             "integrator, and needs the periodic continuation that this problem has by chance. Coupled experts need "
             "neither, put their unknowns where the front is, and their solution is one differentiable function of "
             "space, time and all coefficients of the equation."),
            (f"Why coupled? In a layer of {BOXES[0]} by {BOXES[1]} experts with few polynomials each, independent "
             f"experts as published leave jumps of {alone['jump']:.2f} and an error of {alone['error']:.0%}: each "
             "obeys the start and both ends of the whole interval, and knows nothing of its neighbours. With the same "
             f"basis, coupled ones have an error of {together['error']:.0%}, and jumps of {together['jump']:.0e}."),
        ),
        tables=[
            Table(COLUMNS, [(name, each.get("unknowns"), each["seconds"], f"{each['error']:.1e}")
                            for name, each in found.items()],
                  "At 257 places and 80 times, against the solution of Cole and Hopf, all on one thread."),
            Table(("experts of a layer", "relative L2 error", "largest jump"),
                  [(name, f"{each['error']:.1e}", f"{each['jump']:.0e}") for name, each in layers.items()],
                  f"Viscosity {VISCOSITY:g}, polynomials of degree {FEW[0]} in time and {FEW[1]} in space."),
        ],
        pictures=pictures,
        commands={
            solve_command(CONFIG, changes, folder / "run"): "repeats our part",
            demo_command(folder): "repeats this chapter",
            "sciml solve hcmoe/sorption_cpu": "solves the first problem of the paper",
            "sciml bench hcmoe --quick": "measures the method on all its cases",
        },
        files={folder / "run" / "fields.xdmf": "u and the exact solution at all times, for ParaView"},
        metrics={
            "relative_l2": ours["error"], "seconds": ours["seconds"], "fourier_relative_l2": best["error"],
            "fourier_seconds": best["seconds"], "single_relative_l2": single["error"],
            "coupled_jump": together["jump"], "independent_jump": alone["jump"],
            "coupled_relative_l2": together["error"], "independent_relative_l2": alone["error"],
        },
    )  # fmt: skip
