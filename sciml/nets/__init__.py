"""Networks of coordinates, and operators from fields to fields.

A network of coordinates has exact derivatives: ``net(points)`` is a tensor, ``net(points, order=2)`` a jet.
:class:`FourierNeuralOperator` maps fields on a grid to fields on the same grid, and :class:`PolynomialsInTime` a start
to its evolution.
"""

from sciml.nets.ansatz import VanishingOnBox
from sciml.nets.coordinate import CoordinateNetwork, FourierNetwork, Siren, TanhNetwork
from sciml.nets.dirichlet_ends import DirichletEnds
from sciml.nets.fno import FourierNeuralOperator, SpectralConvolution
from sciml.nets.gaussian import GaussianNetwork
from sciml.nets.odd_reflection import OddReflectionNetwork
from sciml.nets.time_polynomials import PolynomialsInTime

__all__ = [
    "CoordinateNetwork",
    "FourierNetwork",
    "FourierNeuralOperator",
    "GaussianNetwork",
    "DirichletEnds",
    "OddReflectionNetwork",
    "PolynomialsInTime",
    "Siren",
    "SpectralConvolution",
    "TanhNetwork",
    "VanishingOnBox",
]
