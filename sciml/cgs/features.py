"""Features of pores and throats: what networks see of a graph, raw or nondimensional.

A graph of a pore network has ``pos`` ``(N, 3)`` in m, ``pinned`` and ``pinned_values`` (inlet 1, outlet 0), ``length``
and ``area`` of the sample, and a tensor ``pore_NAME`` ``(N,)`` or ``throat_NAME`` ``(m,)`` for each column.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sciml.data.normalise import Normaliser
from sciml.errors import ConfigError, InputError

if TYPE_CHECKING:
    from torch_geometric.data import Batch, Data

PORE_LENGTHS = ("throat_pore1_length", "throat_pore2_length")


class Features(nn.Module, ABC):
    """Base of the features: a graph with columns in SI units becomes one with ``x``, ``edge_attr`` and the like."""

    @abstractmethod
    def forward(self, graph: Batch) -> Batch:
        """Return a shallow copy of a graph with its features."""

    def fit(self, graphs: Iterable[Batch]) -> None:
        """Take the statistics of the features from graphs of the training; nothing without any.

        Parameters
        ----------
        graphs : batches
        """


class RawFeatures(Features):
    """The features of the published code in SI units: position, boundary, its pressure; diameter, length, conductance.

    Of a pore: position in m, 1 in inlet and outlet, and the pressure there relative to the largest. Of a throat:
    diameter and length in m, conductance in m^3/(Pa s).
    """

    def forward(self, graph: Batch) -> Batch:
        """Return a copy with ``x`` ``(N, 5)`` and ``edge_attr`` ``(2m, 3)``."""
        throats = torch.stack(columns(graph, "throat_diameter", "throat_length", "throat_conductance"), 1)
        return _with(graph, x=torch.cat([graph.pos, _boundary(graph)], 1), edge_attr=_both_ways(graph, throats))


class NondimensionalFeatures(Features):
    """The same features without dimensions: positions by the length of the sample, normalised logarithms of throats."""

    def __init__(self) -> None:
        super().__init__()
        self.normaliser = Normaliser(3)

    def forward(self, graph: Batch) -> Batch:
        """Return a copy with ``x`` ``(N, 5)`` and ``edge_attr`` ``(2m, 3)``."""
        position = graph.pos / graph.length[graph.batch, None]
        throats = _both_ways(graph, self.normaliser.encode(self._throats(graph)))
        return _with(graph, x=torch.cat([position, _boundary(graph)], 1), edge_attr=throats)

    def fit(self, graphs: Iterable[Batch]) -> None:
        """Take mean and deviation of the logarithms."""
        self.normaliser.fit(self._throats(graph) for graph in graphs)

    def _throats(self, graph: Batch) -> Tensor:
        return torch.stack(logarithms(graph, "throat_diameter", "throat_length", "throat_conductance"), 1)


class ThroatFeatures(Features):
    """Normalised logarithms of throats, ``throat_attr``: of their columns, and of the smaller and larger of two pores.

    Parameters
    ----------
    throats : columns of throats
    pores : columns of pores; each gives two features
    """

    def __init__(self, throats: Sequence[str] = ("diameter", "length"), pores: Sequence[str] = ()) -> None:
        super().__init__()
        self.throats, self.pores = list(throats), list(pores)
        self.normaliser = Normaliser(len(throats) + 2 * len(pores))

    def forward(self, graph: Batch) -> Batch:
        """Return a copy with ``throat_attr`` ``(m, throats + 2 pores)``."""
        return _with(graph, throat_attr=self.normaliser.encode(self._logarithms(graph)))

    def fit(self, graphs: Iterable[Batch]) -> None:
        """Take mean and deviation of the logarithms."""
        self.normaliser.fit(self._logarithms(graph) for graph in graphs)

    def _logarithms(self, graph: Batch) -> Tensor:
        throats = logarithms(graph, *(f"throat_{name}" for name in self.throats))
        ends = [pore[graph.throat_index] for pore in logarithms(graph, *(f"pore_{name}" for name in self.pores))]
        return torch.stack([*throats, *(each for pair in ends for each in (pair.amin(0), pair.amax(0)))], 1)


class ConduitFeatures(Features):
    """Normalised logarithms of throats, ``throat_attr``, and of the ways through both pores, ``throat_ends``.

    The last feature of an end is the length of the way from the centre of its pore to the throat, the columns
    ``pore1_length`` and ``pore2_length``.

    Parameters
    ----------
    throats : columns of throats
    pores : columns of pores
    """

    def __init__(self, throats: Sequence[str] = ("diameter", "length"), pores: Sequence[str] = ("diameter",)) -> None:
        super().__init__()
        self.throats, self.pores = list(throats), list(pores)
        self.throat_normaliser, self.end_normaliser = Normaliser(len(throats)), Normaliser(len(pores) + 1)

    def forward(self, graph: Batch) -> Batch:
        """Return a copy with ``throat_attr`` ``(m, throats)`` and ``throat_ends`` ``(m, 2, pores + 1)``."""
        throats = self.throat_normaliser.encode(self._throats(graph))
        return _with(graph, throat_attr=throats, throat_ends=self.end_normaliser.encode(self._ends(graph)))

    def fit(self, graphs: Iterable[Batch]) -> None:
        """Take mean and deviation of the logarithms."""
        graphs = list(graphs)
        self.throat_normaliser.fit(self._throats(graph) for graph in graphs)
        self.end_normaliser.fit(self._ends(graph) for graph in graphs)

    def _throats(self, graph: Batch) -> Tensor:
        return torch.stack(logarithms(graph, *(f"throat_{name}" for name in self.throats)), 1)

    def _ends(self, graph: Batch) -> Tensor:
        pores = logarithms(graph, *(f"pore_{name}" for name in self.pores))
        lengths = torch.stack(logarithms(graph, *PORE_LENGTHS), 1)
        return torch.stack([*(pore[graph.throat_index.T] for pore in pores), lengths], 2)


def columns(graph: Batch, *names: str) -> list[Tensor]:
    """Return columns of a graph by name, such as ``throat_length``; one that is missing is an error."""
    for name in names:
        if name not in graph:
            there = [str(key) for key in sorted(graph.keys()) if key != "throat_index"]
            known = ", ".join(key for key in there if key.startswith(("pore_", "throat_")))
            raise InputError(
                f"the network has no column {name} ({name.replace('_', '.', 1)} in files), which the features need; "
                f"it has {known or 'none'}."
            )
    return [graph[name] for name in names]


def model_input(graph: Data, name: str, key: str, size: int | None) -> Tensor:
    """Return what a model takes of a graph, such as ``edge_attr``, if the graph has it in the size of the model.

    Parameters
    ----------
    name : of the features
    key : of the model that sets how many of them it takes, such as ``edge_dim``
    size : its value; None takes any
    """
    found = getattr(graph, name, None)
    if found is None:
        raise InputError(f"the graphs have no {name}, expected such features for {key} of the model; choose others.")
    if size is not None and found.shape[-1] != size:
        raise InputError(
            f"{key} of the model is {size}, expected {found.shape[-1]}, the number of features {name} of the graphs."
        )
    return found


def check_answer(values: Tensor, wanted: Tensor) -> None:
    """Refuse a model whose values do not have the shape of those wanted, one for each node."""
    if values.shape != wanted.shape:
        raise ConfigError(
            f"the model returns values of shape {tuple(values.shape)} on a graph, expected {tuple(wanted.shape)}, one "
            "for each node; set its outputs to 1 and its readout to nodes."
        )


def logarithms(graph: Batch, *names: str) -> list[Tensor]:
    """Return the logarithms of columns of a graph; values that are not positive are an error."""
    found = columns(graph, *names)
    for name, values in zip(names, found, strict=True):
        wrong = torch.nonzero(~(values > 0)).flatten()
        if len(wrong):
            at = int(wrong[0])
            raise InputError(f"entry {at} of {name} is {float(values[at]):g}, expected a positive number.")
    return [values.log() for values in found]


def _boundary(graph: Batch) -> Tensor:
    pinned = graph.pinned.to(graph.pos.dtype)
    return torch.stack([pinned, pinned * graph.pinned_values], 1)


def _both_ways(graph: Batch, throats: Tensor) -> Tensor:
    """Return features of throats for the directed edges, which a batch has graph by graph, in two halves each."""
    counts = torch.bincount(graph.batch[graph.throat_index[0]], minlength=graph.num_graphs).tolist()
    return torch.cat([part for each in throats.split(counts) for part in (each, each)])


def _with(graph: Batch, **features: Tensor) -> Batch:
    found = copy.copy(graph)
    for name, tensor in features.items():
        found[name] = tensor
    return found
