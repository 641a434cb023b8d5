"""Networks. Those of coordinates give derivatives too: ``net(points)`` is a tensor, ``net(points, order=2)`` a jet."""

from sciml.nets.ansatz import VanishingOnBox
from sciml.nets.coordinate import CoordinateNetwork, FourierNetwork, Siren, TanhNetwork
from sciml.nets.gaussian import GaussianNetwork
from sciml.nets.held import HeldAtEnds
from sciml.nets.mirrored import MirroredNetwork

__all__ = [
    "CoordinateNetwork",
    "FourierNetwork",
    "GaussianNetwork",
    "HeldAtEnds",
    "MirroredNetwork",
    "Siren",
    "TanhNetwork",
    "VanishingOnBox",
]
