"""Coordinate networks with exact derivatives: ``net(points)`` is a tensor, ``net(points, order=2)`` a jet."""

from sciml.nets.ansatz import VanishingOnBox
from sciml.nets.coordinate import CoordinateNetwork, FourierNetwork, Siren, TanhNetwork
from sciml.nets.dirichlet_ends import DirichletEnds
from sciml.nets.gaussian import GaussianNetwork
from sciml.nets.odd_reflection import OddReflectionNetwork

__all__ = [
    "CoordinateNetwork",
    "FourierNetwork",
    "GaussianNetwork",
    "DirichletEnds",
    "OddReflectionNetwork",
    "Siren",
    "TanhNetwork",
    "VanishingOnBox",
]
