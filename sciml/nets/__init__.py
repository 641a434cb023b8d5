"""Networks of coordinates, and operators from fields to fields.

A network of coordinates has exact derivatives: ``net(points)`` is a tensor, ``net(points, order=2)`` a jet.
:class:`FourierNeuralOperator` maps fields on a grid to fields on the same grid.
"""

from sciml.nets.ansatz import VanishingOnBox
from sciml.nets.coordinate import CoordinateNetwork, FourierNetwork, Siren, TanhNetwork
from sciml.nets.dirichlet_ends import DirichletEnds
from sciml.nets.fno import FourierNeuralOperator, SpectralConvolution
from sciml.nets.gaussian import GaussianNetwork
from sciml.nets.odd_reflection import OddReflectionNetwork

__all__ = [
    "CoordinateNetwork",
    "FourierNetwork",
    "FourierNeuralOperator",
    "GaussianNetwork",
    "DirichletEnds",
    "OddReflectionNetwork",
    "Siren",
    "SpectralConvolution",
    "TanhNetwork",
    "VanishingOnBox",
]
