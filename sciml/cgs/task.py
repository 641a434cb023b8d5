"""Training of a graph solver on pore networks: from pressures in all pores, or from one permeability a network."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import lightning
import numpy as np
import torch
from torch import Tensor

from sciml.cgs.data import PoreNetworks, collate, network_graph
from sciml.cgs.evaluation import errors_by_set
from sciml.cgs.features import Features, check_answer
from sciml.cgs.model import GraphAnswer, GraphModel, SolveReport
from sciml.checks import choice, instance, number
from sciml.errors import ConfigError, DivergenceError, InputError
from sciml.mesh import Field, Mesh
from sciml.numerics.random import generator
from sciml.reference.pore_network_files import read_network, write_network
from sciml.reference.pore_networks import DARCY, PoreNetwork
from sciml.training.task import Task

if TYPE_CHECKING:
    from torch_geometric.data import Batch

Target = Literal["pressure", "permeability"]
FAILED = 1e6  # beyond any error of pressures or permeabilities; a line search cannot interpolate infinity
FIRST_BATCH = 2**62  # counter of the draw that the statistics of the features are taken from


@dataclass(frozen=True, eq=False)
class PredictedFlow:
    """The flow through a pore network as a model predicts it.

    Attributes
    ----------
    pressure : ``(N,)``, 1 in the inlet and 0 in the outlet
    report : of the solver
    conductance : ``(m,)`` of the throats in m^3/(Pa s), None if the model has none
    flux : ``(m,)`` from the first to the second pore of each throat, in m^3/s at a pressure drop of 1 Pa
    permeability : in m^2, None where the model has no conductances, or sinks
    """

    pressure: np.ndarray
    report: SolveReport
    conductance: np.ndarray | None = None
    flux: np.ndarray | None = None
    permeability: float | None = None


class GraphSolver(Task):
    """Learn the pressures in pore networks, relative to that of the inlet, or their permeabilities.

    The loss is the mean over the networks of the mean square error of the pressures, or of the error of the logarithm
    of the permeability. Conductances that are learned from pressures have no unit: it is adjusted to the
    permeabilities of each batch, which pressures do not depend on.

    Parameters
    ----------
    features : of pores and throats
    model : gives the pressures
    target : ``"pressure"``, or ``"permeability"`` for models that have conductances
    ridge : factor of the mean square of the corrections in the loss, which keeps the laws that are learned close to
        power laws where the data allow them, and so beyond the data
    """

    log_unit: Tensor

    units: ClassVar[Mapping[str, str]] = {"mse": "pressure²", "mse_of_mean": "pressure²"}
    sample_name: ClassVar[str] = "graph"

    def __init__(self, features: Features, model: GraphModel, target: Target = "pressure", ridge: float = 0.0) -> None:
        super().__init__()
        self._unconverged = 0
        self._shown: Batch | None = None
        self.ridge = number("ridge", ridge, at_least=0, error=ConfigError)
        self.features, self.model = features, model
        self.target = choice("target", target, ("pressure", "permeability"), error=ConfigError)
        # Of the conductances times the viscosity, in m^3: the logarithm of the unit.
        self.register_buffer("log_unit", torch.zeros((), dtype=torch.float64))
        self.register_buffer("is_adjusted", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data without pore networks, and features and a model that do not suit each other or the labels."""
        graph = instance("data", data, PoreNetworks, "PoreNetworks", error=ConfigError).example()
        answer = copy.deepcopy(self.model).eval()(self.features(graph))
        check_answer(answer.values, graph.pinned)
        self._errors(graph, answer)

    def setup(self, stage: str) -> None:
        """Take the statistics of the features, and the unit, from networks of the training before the first epoch."""
        if stage != "fit" or self.is_adjusted:
            return
        batch = self._data().draw(generator(self._seed, FIRST_BATCH))
        self.features.fit([batch])
        self.adjust_unit(batch)
        self.is_adjusted.fill_(True)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Draw the networks of a counter, once for all of its updates."""
        if isinstance(batch, int):
            random = generator(self._seed, self.trainer.global_step, self.global_rank)
            batch = self._data().draw(random).to(self.device)
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Adjust the unit of conductances that are learned from pressures, and count solves without convergence."""
        self._log({"unconverged": torch.tensor(float(self._unconverged))}, "solver", 1)
        self._unconverged = 0
        if self.target == "pressure":
            self.adjust_unit(batch)

    def answer(self, graph: Batch) -> GraphAnswer:
        """Return what the model says about a graph without features, and count solves that have not converged."""
        answer = self.model.answer(self.features(graph))
        self._unconverged += not answer.report.converged
        return answer

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean square error of the pressures, or of the logarithm of the permeability, and the ridge.

        Where the solver fails in training, the loss is :data:`FAILED`, and it is counted: a line search goes back.
        """
        try:
            answer = self.answer(batch)
        except DivergenceError:
            if not self.training:
                raise
            self._unconverged += 1
            nothing = 0.0 * torch.stack([weight.sum() for weight in self.parameters()]).sum()
            return {self.target: nothing + FAILED} | ({"correction": nothing} if self.ridge else {})
        terms = {self.target: self._errors(batch, answer).square().sum()}
        if self.ridge:
            terms["correction"] = self.ridge * answer.correction.square().mean()
        return terms

    def _errors(self, batch: Batch, answer: GraphAnswer) -> Tensor:
        """Return the errors whose squares add up to the term of the target.

        Raises
        ------
        InputError
            If the networks have no such labels, or the model gives no such values.
        """
        label = "y" if self.target == "pressure" else "permeability"
        if label not in batch:
            raise InputError(
                f"the networks have no labels of the {self.target}, which is the target; choose the other."
            )
        if self.target == "permeability":
            return (self.log_permeability(batch, answer) - batch.permeability.log()) / batch.num_graphs**0.5
        sizes = torch.bincount(batch.batch, minlength=batch.num_graphs)
        return (answer.values - batch.y) / (sizes * batch.num_graphs)[batch.batch].sqrt()

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return the errors of a batch by name, means over its networks.

        ``mse`` and ``mse_of_mean`` are square errors of the pressures and of their mean, ``permeability_error`` is
        relative (0.05 is 5 %) and there if the model has conductances and no sinks.
        """
        answer, found = self.answer(batch), {}
        if "y" in batch:
            mean = per_graph(batch.y, batch)[batch.batch]
            found["mse"] = per_graph((answer.values - batch.y).square(), batch).mean()
            found["mse_of_mean"] = per_graph((mean - batch.y).square(), batch).mean()
        if answer.has_permeability and "permeability" in batch:
            error = self.log_permeability(batch, answer) - batch.permeability.log()
            found["permeability_error"] = error.exp().sub(1).abs().mean()
        return dict(reversed(found.items())) if self.target == "permeability" else found

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return the metrics of :meth:`validate` for each test set, with the name of the set behind each.

        Those of methods without learning follow, where the data have any.

        Raises
        ------
        DivergenceError
            If the solver does not converge on a network.
        """
        instance("data", data, PoreNetworks, "PoreNetworks", error=ConfigError)
        return errors_by_set(self, data.test_sets()) | data.baselines()

    def predict_file(
        self,
        source: Path,
        output: Path,
        *,
        length: float | None = None,
        area: float | None = None,
        viscosity: float | None = None,
    ) -> dict[str, float]:
        """Predict the pressures in a pore network, relative to that of the inlet; return numbers about them.

        The network comes from files in Statoil format, an ``.npz`` file or a mesh of lines, as
        :func:`~sciml.reference.pore_network_files.read_network` takes them, and goes to an ``.npz`` file or a mesh with
        the column ``pressure`` of pores. If the model has conductances, throats get ``learned_conductance`` in
        m^3/(Pa s) and ``flux`` in m^3/s at 1 Pa. Pores that no path of throats connects to inlet and outlet are left
        out and counted.

        Parameters
        ----------
        source, output : files
        length, area : of the sample in m and m^2; by default those of the file, or of the box around the pores
        viscosity : in Pa s; by default that of the file, or of water
        """
        network, removed = read_network(source, length=length, area=area, viscosity=viscosity).trimmed()
        found = self.flow(network)
        throats = {} if found.conductance is None else {"learned_conductance": found.conductance, "flux": found.flux}
        write_network(output, network, {"pressure": found.pressure}, throats)
        numbers = {"pores": float(network.n_pores), "trimmed_pores": float(removed)}
        if found.permeability is not None:
            numbers |= {"permeability": found.permeability, "permeability_darcy": found.permeability / DARCY}
        if "conductance" in network.columns:
            numbers["mse"] = float(np.mean((found.pressure - network.pressures()) ** 2))
        report = found.report
        return numbers | {"iterations": float(report.iterations), "solver_error": report.error_bound}

    @torch.no_grad()
    def flow(self, network: PoreNetwork) -> PredictedFlow:
        """Return the pressures in a network, and the flow if the model has conductances.

        Parameters
        ----------
        network : whose pores are all connected to inlet or outlet, with the columns that the features need

        Raises
        ------
        DivergenceError
            If the solver does not converge.
        """
        graph = collate([network_graph(network)]).to(self.device)
        answer = self.answer(graph)
        pressure = answer.values.double().cpu().numpy()
        if answer.conductance is None:
            return PredictedFlow(pressure, answer.report)
        conductance = (answer.conductance * self.log_unit.exp()).cpu().numpy() / network.viscosity
        first, second = network.throats.T
        flux = conductance * (pressure[first] - pressure[second])
        permeability = float(self.log_permeability(graph, answer).exp()) if answer.has_permeability else None
        return PredictedFlow(pressure, answer.report, conductance, flux, permeability)

    def validation_step(self, batch: Any, index: int) -> None:
        """Log the means of :meth:`validate`, and remember a network for the figures."""
        super().validation_step(batch, index)
        self._shown = batch

    def figures(self, folder: Path) -> None:
        """Draw a network of the validation, if there was one since the run went on, and the law of its throats.

        ``network.png`` has the predicted pressures, and the true ones beside them where they are known; ``law.png``
        the learned conductances over the diameters of the throats, and the true ones where they are known.
        """
        if self._shown is None:
            return
        from sciml.plots import law_picture, network_picture, predicted_beside_true

        graph = self._shown.to_data_list()[0].to(self.device)
        with torch.no_grad():
            answer = self.answer(collate([graph]))
        if answer.conductance is None:
            return
        first, second = graph.throat_index
        flux = answer.conductance * (answer.values[first] - answer.values[second])
        mesh = Mesh(graph.pos.numpy(), {"line": graph.throat_index.T.numpy()})
        fields = (("pressure", answer.values, "points"), ("flux", flux, "cells"))
        pressure, flow = (Field(name, values.double().numpy(), mesh, place) for name, values, place in fields)
        if "y" in graph:
            true = Field("pressure", graph.y.double().numpy(), mesh, "points")
            title = "A network of the validation: pressure relative to the inlet, throats as wide as the predicted flux"
            predicted_beside_true(pressure, true, flow, folder / "network.png", title=title)
        else:
            title = "Pressure and flux in a network of the validation"
            network_picture(pressure, flow, folder / "network.png", title=title)
        if "throat_diameter" in graph:
            law_picture(
                graph.throat_diameter.numpy(),
                answer.conductance.double().numpy(),
                folder / "law.png",
                true=graph.throat_conductance.numpy() if "throat_conductance" in graph else None,
                label="throat diameter [m]",
            )

    def log_permeability(self, graph: Batch, answer: GraphAnswer) -> Tensor:
        r"""Return the logarithms of the permeabilities in m^2, ``(graphs,)``.

        By the power that is dissipated at a pressure drop of 1, K = L / A sum w_ij (p_i - p_j)^2 with w in m^3. The
        pressures minimise it, so that it has the derivative (p_i - p_j)^2 in w_ij: no adjoint is needed.
        """
        if answer.conductance is None:
            raise ConfigError(f"{type(self.model).__name__} has no conductances; choose another model, or pressure.")
        if answer.sink is not None:
            raise ConfigError(
                "the model has sinks, which take from the flow, so that no permeability is defined; leave them out, or "
                "choose the target pressure."
            )
        first, second = answer.values.detach()[graph.throat_index]
        power = answer.conductance * (first - second).square()
        total = power.new_zeros(graph.num_graphs).index_add(0, graph.batch[graph.throat_index[0]], power)
        return (total * graph.length / graph.area).log() + self.log_unit

    @torch.no_grad()
    def adjust_unit(self, batch: Batch) -> None:
        """Adjust the unit of the conductances to the permeabilities of a batch; nothing without either."""
        answer = self.answer(batch)
        if answer.has_permeability and "permeability" in batch:
            self.log_unit += (batch.permeability.log() - self.log_permeability(batch, answer)).mean()

    def _data(self) -> PoreNetworks:
        return instance("data", self.trainer.datamodule, PoreNetworks, "PoreNetworks", error=ConfigError)


def per_graph(values: Tensor, graph: Batch) -> Tensor:
    """Return the means over the nodes of each graph, ``(graphs,)``.

    Parameters
    ----------
    values : ``(N,)``
    """
    sizes = torch.bincount(graph.batch, minlength=graph.num_graphs)
    return values.new_zeros(graph.num_graphs).index_add(0, graph.batch, values) / sizes
