"""Convergent graph solvers: learned linear systems on graphs, solved to convergence.

Method of Park, Choo and Park, *Convergent graph solvers*, ICLR 2022. A network of message passing gives the edges of a
graph their weights and its nodes their biases; the values are the unique fixed point of the contractive maps that
these make, found by any solver and differentiated through the implicit function theorem.

A contraction forgets what is some edges away, and a pressure does not. Ours are conductances: an :class:`AnchoredHead`
has pinned nodes, and learned positive conductances between all of them. For trained and untrained networks alike, the
values are unique, keep to the maximum principle, and conserve the flow; a law that is learned on networks of a hundred
pores holds for those of a hundred thousand. Where the conductances are known, solve for the pressures directly:
``sciml solve cgs/berea_cpu``.

>>> import numpy as np
>>> from sciml.reference.pore_networks import random_network
>>> from sciml.training import load_task
>>> from sciml.weights import find
>>> network = random_network("delaunay", 150, np.random.default_rng(0))      # larger than those of the training
>>> solver = load_task(find("pore_anchored_cpu"))       # published weights, which read diameters and lengths alone
>>> found = solver.flow(network)
>>> bool(np.abs(found.pressure - network.pressures()).max() < 1e-3)
True
>>> bool(abs(found.permeability / network.permeability() - 1) < 0.01)
True

To train your own: ``sciml train cgs/pore_anchored_cpu -o runs/mine``, with ``data.init_args.path=mine.h5`` on networks
of your own; then ``sciml predict runs/mine rock_node1.dat -o rock.vtu``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

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
    from sciml.cgs.mesh_diffusion import MeshDiffusion
    from sciml.cgs.model import AnchoredGraphSolver, ConvergentGraphSolver
    from sciml.cgs.network_flow import NetworkFlow
    from sciml.cgs.rock_boxes import RockBoxes
    from sciml.cgs.task import GraphSolver

_HOMES = {
    "AnchoredGraphSolver": "sciml.cgs.model",
    "AnchoredHead": "sciml.cgs.heads",
    "Anderson": "sciml.cgs.fixed_points",
    "AttentionNetwork": "sciml.cgs.baselines",
    "Automatic": "sciml.cgs.fixed_points",
    "BellmanGraphSolver": "sciml.cgs.bellman_model",
    "BellmanHead": "sciml.cgs.bellman_model",
    "ConduitConductances": "sciml.cgs.conductances",
    "ConduitFeatures": "sciml.cgs.features",
    "ContractiveHead": "sciml.cgs.heads",
    "ConvergentGraphSolver": "sciml.cgs.model",
    "DecisionGraphs": "sciml.cgs.decisions",
    "DecisionSet": "sciml.cgs.decisions",
    "Dense": "sciml.cgs.fixed_points",
    "EdgeMap": "sciml.cgs.fixed_points",
    "GraphClassification": "sciml.cgs.classification",
    "GraphSolver": "sciml.cgs.task",
    "ImplicitGraphNetwork": "sciml.cgs.baselines",
    "LabelledGraphData": "sciml.cgs.labelled_graph_data",
    "MeshDiffusion": "sciml.cgs.mesh_diffusion",
    "NetworkFlow": "sciml.cgs.network_flow",
    "NetworkSet": "sciml.cgs.data",
    "NondimensionalFeatures": "sciml.cgs.features",
    "Picard": "sciml.cgs.fixed_points",
    "PoreNetworks": "sciml.cgs.data",
    "RawFeatures": "sciml.cgs.features",
    "RockBoxes": "sciml.cgs.rock_boxes",
    "Sinks": "sciml.cgs.conductances",
    "StackedNetwork": "sciml.cgs.baselines",
    "SteadyStateEmbedding": "sciml.cgs.baselines",
    "TagHistogram": "sciml.cgs.baselines",
    "ThroatConductances": "sciml.cgs.conductances",
    "ThroatFeatures": "sciml.cgs.features",
    "ValueIteration": "sciml.cgs.decisions",
    "fixed_point": "sciml.cgs.fixed_points",
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
    "MeshDiffusion",
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

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
