"""Baselines: other networks on graphs, each a :class:`~sciml.cgs.model.GraphModel` that a config may name."""

from sciml.cgs.baselines.attention import AttentionNetwork
from sciml.cgs.baselines.contract import GraphNetwork
from sciml.cgs.baselines.histogram import TagHistogram
from sciml.cgs.baselines.ignn import ImplicitGraphNetwork
from sciml.cgs.baselines.stacked import StackedNetwork
from sciml.cgs.baselines.steady_state import SteadyStateEmbedding

__all__ = [
    "AttentionNetwork",
    "GraphNetwork",
    "ImplicitGraphNetwork",
    "StackedNetwork",
    "SteadyStateEmbedding",
    "TagHistogram",
]
