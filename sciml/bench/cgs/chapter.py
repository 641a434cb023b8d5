"""A pore network whose conductances are hidden, and an upscaled coefficient, both by anchored heads."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from sciml.bench.chapters import Chapter, Picture, Progress, Story, Table, demo_command, one_thread

if TYPE_CHECKING:
    import numpy as np
    import torch

    from sciml.cgs.conductances import Conductances
    from sciml.linalg.graph_laplacian import GraphLaplacian
    from sciml.reference.pore_networks import PoreNetwork

TRAINED, BASE = 4, 40  # networks that are trained on, and their base points
SIZES, QUICK_SIZES = (40, 150, 600), (40, 80)  # base points of other networks
ITERATIONS = 60
FACTOR, CELLS = 8, 64
CLASSICAL = {"averages": "averages", "local": "local flow-based", "extended": "extended local"}
LEARNED, TEXTBOOK = "learned laws", "Hagen-Poiseuille in the throats alone"


@dataclass(frozen=True, eq=False)
class Case:
    """A network with what a model sees of it, and its pressures.

    Attributes
    ----------
    network : with conductances, which no model sees
    graph : ``throat_attr``, logarithms of diameter and length of each throat, ``(m, 2)``, and ``throat_ends``, those of
        diameters and lengths of the ways through both pores, ``(m, 2, 2)``
    system : its graph
    pressure : of its pores, ``(n,)``
    """

    network: PoreNetwork
    graph: SimpleNamespace
    system: GraphLaplacian
    pressure: np.ndarray


class NetworkChapter(Chapter):
    """Laws of pores and throats learned from pressures, and coarse transmissibilities by shipped weights."""

    title = "Networks and coarse grids by convergent graph solvers"
    about = (
        "A network gives conductances, a linear solver the pressures, with the maximum principle and conservation by "
        "construction (after Park, Choo and Park, ICLR 2022). From the pressures in four small pore networks it finds "
        "the laws of pores and throats in series and takes them to larger networks, beside the textbook law. Beside it "
        "stands Darcy flow upscaled from 64 x 64 to 8 x 8 cells, against averages and local flow-based upscaling."
    )
    minutes = 0.3
    position = 4

    @one_thread()
    def run(self, folder: Path, progress: Progress) -> Story:
        """Learn the laws, apply them to larger networks, and upscale a coefficient."""
        progress.say("Learning the laws of pores and throats from pressures ...")
        begin = clock.perf_counter()
        training = [_case(BASE, seed) for seed in range(TRAINED)]
        law = _untrained()
        _fit(law, training, 30 if self.settings.quick else ITERATIONS)
        seconds = clock.perf_counter() - begin
        progress.say(f"  {seconds:.1f} s; now larger networks and a coarse grid ...")
        sizes = QUICK_SIZES if self.settings.quick else SIZES
        cases = [_case(base, 100 + base) for base in sizes]
        pressures = {
            LEARNED: [_solved(law, case).detach().numpy() for case in cases],
            TEXTBOOK: [_textbook(case.network) for case in cases],
        }
        errors = {
            name: [(case.network.n_pores, float(((p - case.pressure) ** 2).mean()))
                   for case, p in zip(cases, found, strict=True)]
            for name, found in pressures.items()
        }  # fmt: skip
        rates, picture = _upscaled(folder)
        progress.say("Drawing the pictures ...")
        pictures = [*_draw(folder, cases[-1], pressures[LEARNED][-1], errors), picture]
        return _story(folder, pictures, errors, rates, seconds)


CHAPTER = NetworkChapter


def _case(base: int, seed: int) -> Case:
    import numpy as np
    import torch

    from sciml.linalg.graph_laplacian import GraphLaplacian
    from sciml.reference.pore_network_laws import LAWS
    from sciml.reference.pore_networks import length_at_density, random_network

    network = random_network(
        "delaunay", base, np.random.default_rng(seed), LAWS["conduits"], length=length_at_density(base, BASE)
    )
    throats = np.stack([network.columns["diameter"], network.columns["length"]], axis=1)
    lengths = np.stack([network.columns["pore1_length"], network.columns["pore2_length"]], axis=1)
    ends = np.stack([network.pores["diameter"][network.throats], lengths], axis=2)
    attr, both = (torch.from_numpy(np.log(each / [1e-5, 1e-4])) for each in (throats, ends))
    graph = SimpleNamespace(throat_attr=attr, throat_ends=both)
    system = GraphLaplacian(network.throats, network.n_pores, network.inlet | network.outlet)
    return Case(network, graph, system, network.pressures())


def _untrained() -> Conductances:
    """Return three resistances in series, each a power law that is not known yet."""
    from sciml.cgs import ConduitConductances
    from sciml.numerics.random import seeded

    with seeded(0):
        return ConduitConductances(2, 2, hidden=()).double()


def _textbook(network: PoreNetwork) -> np.ndarray:
    """Return the pressures if the pores had no resistance and the throats that of cylinders."""
    return network.pressures(network.columns["diameter"] ** 4 / network.columns["length"])


def _fit(law: Conductances, cases: list[Case], iterations: int) -> None:
    import torch

    optimizer = torch.optim.LBFGS(law.parameters(), max_iter=iterations, tolerance_grad=0.0, tolerance_change=0.0,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        total = sum((_solved(law, case) - torch.from_numpy(case.pressure)).square().mean() for case in cases)
        total.backward()
        return total

    optimizer.step(loss)


def _solved(law: Conductances, case: Case) -> torch.Tensor:
    import torch

    inlet = torch.from_numpy(case.network.inlet.astype(float))
    return case.system.solve(law(case.graph)[0], inlet)[0]


def _upscaled(folder: Path) -> tuple[dict[str, tuple[float, float]], Picture]:
    """Return errors of rates and pressures by method, and the picture of pressures on the fine and coarse grids."""
    import numpy as np

    from sciml import plots
    from sciml.cgs.upscaling import learned_transmissibilities
    from sciml.cgs.upscaling.model import BASES
    from sciml.mesh import Field, Grid
    from sciml.reference.upscaling import fine_transmissibilities
    from sciml.reference.upscaling_fields import lognormal_field
    from sciml.reference.upscaling_flows import fine_flows

    k = lognormal_field((CELLS, CELLS), np.random.default_rng(3))
    flows = fine_flows(k, FACTOR, np.empty((0, 2, 2), int))
    coarse = {
        **{title: BASES[name](k, FACTOR) for name, title in CLASSICAL.items()},
        "learned": learned_transmissibilities(k),
    }
    found = {name: flows.errors(each) for name, each in coarse.items()}
    held = {"x-": 1.0, "x+": 0.0}
    fields = {
        title: Field("pressure", values, Grid(values.shape, centring="cell"))
        for title, values in (
            (f"fine, {CELLS} x {CELLS}", fine_transmissibilities(k).solve(held)),
            ("learned, 8 x 8", coarse["learned"].solve(held)),
        )
    }  # fmt: skip
    plots.fine_beside_coarse(fields, folder / "upscaling.png")
    picture = Picture(folder / "upscaling.png", "Pressure on a fine grid beside that on a coarse one.",
                      "Pressure on the fine grid, and on the coarse one with learned transmissibilities.")  # fmt: skip
    return {name: (each["rate"], each["pressure"]) for name, each in found.items()}, picture


def _draw(folder: Path, case: Case, pressure: np.ndarray, errors: dict[str, list[tuple[int, float]]]) -> list[Picture]:
    """Draw the learned pressures of the largest network, and the errors by size."""
    import numpy as np

    from sciml import plots
    from sciml.mesh import Field

    network = case.network
    mesh = network.to_mesh()
    first, second = network.throats.T
    flux = np.asarray(network.conductances()) * (pressure[first] - pressure[second])
    fields = Field("pressure", pressure, mesh, "points"), Field("flux", flux, mesh, "cells")
    plots.network_picture(*fields, folder / "network.png", title="Pressures by the learned law")
    plots.network_picture(*fields, folder / "network_3d.png", view="space", title="The same in space")
    plots.error_by_size(errors, folder / "errors.png", title="Errors on networks that were not trained on")
    return [
        Picture(folder / "network.png", "Pores coloured by pressure, throats as wide as their flux.",
                f"{network.n_pores} pores by the law that was learned on networks of about 100."),
        Picture(folder / "network_3d.png", "The same network seen in three dimensions.", "The same network in space."),
        Picture(folder / "errors.png", "Errors against the size of the network; those of the learned law are smaller.",
                "Mean square errors of the pressures, relative to that of the inlet, by the number of pores."),
    ]  # fmt: skip


def _story(
    folder: Path,
    pictures: list[Picture],
    errors: dict[str, list[tuple[int, float]]],
    rates: dict[str, tuple[float, float]],
    seconds: float,
) -> Story:
    pores, ours = errors[LEARNED][-1]
    textbook = errors[TEXTBOOK][-1][1]
    sizes = [size for size, _ in errors[LEARNED]]
    rows = [(name, *(f"{error:.1e}" for _, error in found)) for name, found in errors.items()]
    learned, extended = rates["learned"][0], rates["extended local"][0]
    return Story(
        summary=(
            f"On {pores} pores the learned laws have a mean square error of {ours:.1e}, the textbook law "
            f"{textbook:.1e}; upscaled flow rates are off by {learned:.1%}, those of extended local upscaling by "
            f"{extended:.1%}."
        ),
        text=(
            ("The laws were fitted to the pressures of four networks in "
             f"{seconds:.1f} s, and nothing else: conductances are never shown. Untrained they would already obey the "
             "maximum principle and conserve mass, since a linear solver gives the pressures."),
            ("The classical method to beat is a solver that knows the conductances: it is exact, in milliseconds. "
             "Learning pays where they are not known, as here, or where one coarse problem stands for many fine ones."),
        ),
        tables=[
            Table(("mean square error on", *(f"{size} pores" for size in sizes)), rows,
                  "Pressures relative to that of the inlet, networks that were not trained on."),
            Table(("upscaling by", "error of the rate", "error of the pressure"),
                  [(name, *(f"{value:.2%}" for value in found)) for name, found in rates.items()],
                  "64 x 64 cells to 8 x 8, mean over both directions of flow."),
        ],
        pictures=pictures,
        commands={
            demo_command(folder): "repeats this chapter",
            "sciml train cgs/pore_conduits_cpu": "trains on networks that are drawn anew, in a minute",
            "sciml bench cgs --quick": "measures the method on all its cases",
        },
        metrics={
            "mean_square_error": ours, "textbook_mean_square_error": textbook, "seconds": seconds,
            "learned_rate_error": learned, "extended_rate_error": extended, "averages_rate_error": rates["averages"][0],
        },
    )  # fmt: skip
