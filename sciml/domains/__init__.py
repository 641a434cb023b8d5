"""Domains: boxes, meshes and regions on which equations hold; their random points, quadrature and output points.

>>> import torch
>>> from sciml.domains import Box
>>> square = Box([0, 0], [1, 1])
>>> square.interior(100, torch.Generator().manual_seed(0)).shape
torch.Size([100, 2])
"""

from sciml.domains.box import Box
from sciml.domains.mesh_domain import MeshDomain
from sciml.domains.output_points import Domain
from sciml.domains.quadrature import CellPoints, GaussPoints
from sciml.domains.regions import Difference, Disc, Polygon, Region
from sciml.domains.strata import BoundaryPoints

__all__ = [
    "BoundaryPoints",
    "Box",
    "CellPoints",
    "Difference",
    "Disc",
    "Domain",
    "GaussPoints",
    "MeshDomain",
    "Polygon",
    "Region",
]
