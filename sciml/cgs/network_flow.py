"""Flow through a given pore network: `sciml solve cgs/berea_cpu task.init_args.network=PATH`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from sciml.checks import choice
from sciml.commands import command_line
from sciml.errors import ConfigError, InputError
from sciml.linalg.graph_laplacian import GraphLaplacian
from sciml.linalg.graph_methods import GRAPH_METHODS
from sciml.mesh import Field
from sciml.reference.pore_network_files import read_network, write_network
from sciml.reference.pore_network_laws import LAWS
from sciml.reference.pore_networks import DARCY, PoreNetwork
from sciml.training.settings import Training
from sciml.training.task import Task

Given = Literal["given", "hagen_poiseuille", "conduits", "shape_factors"]
SHOWN_IN_SPACE = 10_000  # pores at most of a network that is drawn in three dimensions too


class Flow(NamedTuple):
    """The flow through a network at a pressure drop of 1.

    Attributes
    ----------
    network : the part that connects inlet and outlet
    trimmed : number of pores that were left out
    pressure : (pores,)
    flux : (throats,) in m^3/s for 1 Pa, from the first pore of a throat to its second
    error : bound on the error of the pressures
    """

    network: PoreNetwork
    trimmed: int
    pressure: Tensor
    flux: Tensor
    error: float

    def metrics(self) -> dict[str, float]:
        """Return permeability, balance and sizes by name."""
        network, flux = self.network, self.flux.numpy()
        enters, leaves = network.inflow(flux), network.outflow(flux)
        permeability = network.permeability(pressure=self.pressure.numpy())
        return {
            "permeability_darcy": permeability / DARCY,
            "permeability": permeability,
            "pressure_error": self.error,
            "flux_imbalance": abs(enters - leaves) / enters,
            "pores": network.n_pores,
            "throats": network.n_throats,
            "trimmed_pores": self.trimmed,
        }


class NetworkFlow(Task):
    """Stokes flow through a pore network with known conductances, by a direct or multigrid solver of `sciml.linalg`.

    Nothing is learned: where the conductances are known, this is the way to the pressures. Pores that do not connect
    inlet and outlet are left out and counted.

    Parameters
    ----------
    network : a file that `sciml.reference.pore_network_files.read_network` takes
    law : of the conductances; ``given`` takes the column ``conductance`` of the file, which files in Statoil format
        have by their shape factors
    method : one of `sciml.linalg.graph_methods.GRAPH_METHODS`, ``auto`` by size
    length, area, viscosity : of the sample in m and m^2, and of the fluid in Pa s, where the file does not say or says
        otherwise
    """

    epochs_of: ClassVar[tuple[str, ...]] = ()  # one: there is nothing to repeat
    states_problem: ClassVar[tuple[str, ...]] = ("network", "law", "length", "area", "viscosity")

    def __init__(
        self,
        network: str,
        law: Given = "given",
        method: str = "auto",
        length: float | None = None,
        area: float | None = None,
        viscosity: float | None = None,
    ) -> None:
        super().__init__()
        self.path = Path(network)
        self.law = choice("law", law, ("given", *LAWS), error=ConfigError)
        self.method = choice("method", method, GRAPH_METHODS, error=ConfigError)
        self.sample = {"length": length, "area": area, "viscosity": viscosity}

    def prepare(self, settings: Training, seed: int) -> None:
        """Read the network, before the run has a folder."""
        super().prepare(settings, seed)
        _ = self.network

    @cached_property
    def network(self) -> PoreNetwork:
        """The network of the file, with conductances, untrimmed."""
        if not self.path.exists():
            raise InputError(
                f"the network {self.path} does not exist; give a file in Statoil format (PREFIX_node1.dat), an .npz or "
                "a mesh of lines as task.init_args.network=PATH."
            )
        network = read_network(self.path, **self.sample)
        if self.law != "given":
            return network.with_columns(throats={"conductance": LAWS[self.law].conductance(network)})
        network.conductances()  # which refuses a file without them, or with some that are not positive
        return network

    @cached_property
    def flow(self) -> Flow:
        """The flow, solved when it is first asked for."""
        network, trimmed = self.network.trimmed()
        conductance = torch.tensor(network.conductances())
        graph = GraphLaplacian(network.throats, network.n_pores, network.inlet | network.outlet)
        pressure, info = graph.solve(conductance, torch.tensor(network.inlet, dtype=torch.float64), method=self.method)
        first, second = torch.tensor(network.throats).T
        flux = conductance * (pressure[first] - pressure[second])
        return Flow(network, trimmed, pressure, flux, float(info.error_bound.max()))

    def advance(self, batch: Any) -> dict[str, float]:
        """Solve; return the bound on the error of the pressures."""
        return {"pressure_error": self.flow.error}

    def predict_file(self, source: Path, output: Path) -> dict[str, float]:  # type: ignore[override]
        """Refuse a file: nothing is learned that could be applied to it."""
        raise InputError(
            f"{type(self).__name__} has learned nothing to predict with; solve the network by "
            f"'{command_line('solve', 'cgs/berea_cpu', f'task.init_args.network={source}')}'."
        )

    def solution(self, folder: Path) -> dict[str, float]:
        """Write ``fields.xdmf`` with the pressures and fluxes on the lines of the network; return the permeability."""
        from sciml.plots.networks import network_picture

        network, pressure, flux = self.flow.network, self.flow.pressure.numpy(), self.flow.flux.numpy()
        write_network(folder / "fields.xdmf", network, {"pressure": pressure}, {"flux": flux})
        self.tell("drawing figures")
        mesh = network.to_mesh()
        fields = Field("pressure", pressure, mesh, "points"), Field("flux", flux, mesh, "cells")
        network_picture(*fields, folder / "figures" / "network.png")
        if network.n_pores <= SHOWN_IN_SPACE:
            network_picture(*fields, folder / "figures" / "network_3d.png", view="space")
        return self.flow.metrics()

    def describe(self) -> str:
        """Return the file and the law."""
        return f"{self.path.name}, law {self.law}, {self.method} solver"
