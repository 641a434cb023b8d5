"""Convergent graph solvers: learned linear systems on graphs, solved to convergence.

Method of Park, Choo and Park, *Convergent graph solvers*, ICLR 2022.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.cgs.baselines import (
        AttentionNetwork,
        ImplicitGraphNetwork,
        StackedNetwork,
        SteadyStateEmbedding,
        TagHistogram,
    )
    from sciml.cgs.bellman_model import BellmanGraphSolver, BellmanHead
    from sciml.cgs.classification import GraphClassification
    from sciml.cgs.conductances import ConduitConductances, Sinks, ThroatConductances
    from sciml.cgs.data import NetworkSet, PoreNetworks
    from sciml.cgs.decisions import DecisionGraphs, DecisionSet, ValueIteration
    from sciml.cgs.features import ConduitFeatures, NondimensionalFeatures, RawFeatures, ThroatFeatures
    from sciml.cgs.fixed_points import Anderson, Automatic, Dense, EdgeMap, Picard, fixed_point
    from sciml.cgs.heads import AnchoredHead, ContractiveHead
    from sciml.cgs.labelled_graph_data import LabelledGraphData
    from sciml.cgs.model import AnchoredGraphSolver, ConvergentGraphSolver
    from sciml.cgs.network_flow import NetworkFlow
    from sciml.cgs.rock_boxes import RockBoxes
    from sciml.cgs.task import GraphSolver

_HOMES = {
    "AnchoredGraphSolver": "model",
    "AnchoredHead": "heads",
    "Anderson": "fixed_points",
    "AttentionNetwork": "baselines",
    "Automatic": "fixed_points",
    "BellmanGraphSolver": "bellman_model",
    "BellmanHead": "bellman_model",
    "ConduitConductances": "conductances",
    "ConduitFeatures": "features",
    "ContractiveHead": "heads",
    "ConvergentGraphSolver": "model",
    "DecisionGraphs": "decisions",
    "DecisionSet": "decisions",
    "Dense": "fixed_points",
    "EdgeMap": "fixed_points",
    "GraphClassification": "classification",
    "GraphSolver": "task",
    "ImplicitGraphNetwork": "baselines",
    "LabelledGraphData": "labelled_graph_data",
    "NetworkFlow": "network_flow",
    "NetworkSet": "data",
    "NondimensionalFeatures": "features",
    "Picard": "fixed_points",
    "PoreNetworks": "data",
    "RawFeatures": "features",
    "RockBoxes": "rock_boxes",
    "Sinks": "conductances",
    "StackedNetwork": "baselines",
    "SteadyStateEmbedding": "baselines",
    "TagHistogram": "baselines",
    "ThroatConductances": "conductances",
    "ThroatFeatures": "features",
    "ValueIteration": "decisions",
    "fixed_point": "fixed_points",
}
__all__ = [
    "AnchoredGraphSolver",
    "AnchoredHead",
    "Anderson",
    "AttentionNetwork",
    "Automatic",
    "BellmanGraphSolver",
    "BellmanHead",
    "ConduitConductances",
    "ConduitFeatures",
    "ContractiveHead",
    "ConvergentGraphSolver",
    "DecisionGraphs",
    "DecisionSet",
    "Dense",
    "EdgeMap",
    "GraphClassification",
    "GraphSolver",
    "ImplicitGraphNetwork",
    "LabelledGraphData",
    "NetworkFlow",
    "NetworkSet",
    "NondimensionalFeatures",
    "Picard",
    "PoreNetworks",
    "RawFeatures",
    "RockBoxes",
    "Sinks",
    "StackedNetwork",
    "SteadyStateEmbedding",
    "TagHistogram",
    "ThroatConductances",
    "ThroatFeatures",
    "ValueIteration",
    "fixed_point",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
