"""Convergent graph solvers: learned linear systems on graphs, solved to convergence.

Method of Park, Choo and Park, *Convergent graph solvers*, ICLR 2022.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sciml.cgs.conductances import ConduitConductances, Sinks, ThroatConductances
    from sciml.cgs.data import NetworkSet, PoreNetworks
    from sciml.cgs.features import ConduitFeatures, NondimensionalFeatures, RawFeatures, ThroatFeatures
    from sciml.cgs.fixed_points import Anderson, Automatic, Dense, EdgeMap, Picard, fixed_point
    from sciml.cgs.heads import AnchoredHead, ContractiveHead
    from sciml.cgs.model import AnchoredGraphSolver, ConvergentGraphSolver
    from sciml.cgs.task import GraphSolver

_HOMES = {
    "AnchoredGraphSolver": "model",
    "AnchoredHead": "heads",
    "Anderson": "fixed_points",
    "Automatic": "fixed_points",
    "ConduitConductances": "conductances",
    "ConduitFeatures": "features",
    "ContractiveHead": "heads",
    "ConvergentGraphSolver": "model",
    "Dense": "fixed_points",
    "EdgeMap": "fixed_points",
    "GraphSolver": "task",
    "NetworkSet": "data",
    "NondimensionalFeatures": "features",
    "Picard": "fixed_points",
    "PoreNetworks": "data",
    "RawFeatures": "features",
    "Sinks": "conductances",
    "ThroatConductances": "conductances",
    "ThroatFeatures": "features",
    "fixed_point": "fixed_points",
}
__all__ = [
    "AnchoredGraphSolver",
    "AnchoredHead",
    "Anderson",
    "Automatic",
    "ConduitConductances",
    "ConduitFeatures",
    "ContractiveHead",
    "ConvergentGraphSolver",
    "Dense",
    "EdgeMap",
    "GraphSolver",
    "NetworkSet",
    "NondimensionalFeatures",
    "Picard",
    "PoreNetworks",
    "RawFeatures",
    "Sinks",
    "ThroatConductances",
    "ThroatFeatures",
    "fixed_point",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
