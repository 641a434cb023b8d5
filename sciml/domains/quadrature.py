"""Quadrature in boxes and meshes, for integrals of smooth functions without the noise of random points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sciml.checks import number, whole_number
from sciml.domains.box import Box
from sciml.domains.mesh_domain import MeshDomain
from sciml.errors import InputError


class Quadrature(ABC):
    """Base of the quadratures: points and weights for integrals over a domain."""

    @abstractmethod
    def on(self, domain: Box | MeshDomain) -> tuple[Tensor, Tensor]:
        """Return points (n, dim) and weights (n,) that add up to the measure, both float64 and deterministic.

        Raises
        ------
        InputError
            If the quadrature is for another kind of domain.
        """


@dataclass(frozen=True)
class GaussPoints(Quadrature):
    r"""Gauss-Legendre points in equal cells along each axis, gathered towards the faces of the box if asked for.

    With s in [-1, 1] along an axis, the points are x = sign(s) (1 - (1 - |s|)^g), their weights are those of the rule
    times dx/ds = g (1 - |s|)^(g - 1): for functions that are singular in corners, as stresses are.

    Parameters
    ----------
    cells : along each axis; an even number puts no point near the kink of the map at s = 0
    order : points in each cell, along each axis; polynomials of degree 2 order - 1 are exact if g = 1
    grading : g of at least 1; no gathering by default

    Raises
    ------
    InputError
        If a number is too small.

    Examples
    --------
    >>> points, weights = GaussPoints(cells=2, order=2).on(Box([0, 0], [1, 2]))
    >>> float(weights.sum()), points.shape
    (2.0, torch.Size([16, 2]))
    """

    cells: int = 8
    order: int = 3
    grading: float = 1.0

    def __post_init__(self) -> None:
        for name in ("cells", "order"):
            whole_number(f"{name} of Gauss points", getattr(self, name), at_least=1)
        number("the grading of Gauss points", self.grading, at_least=1)

    def on(self, domain: Box | MeshDomain) -> tuple[Tensor, Tensor]:
        """Return the points and weights in a box."""
        if not isinstance(domain, Box):
            raise InputError("Gauss points are for a box, the domain is a mesh; use CellPoints.")
        box = domain
        nodes, weights = np.polynomial.legendre.leggauss(self.order)
        edges = np.linspace(-1, 1, self.cells + 1)
        s = ((edges[:-1] + edges[1:])[:, None] / 2 + nodes / self.cells).ravel()
        rest = 1 - np.abs(s)
        places = np.sign(s) * (1 - rest**self.grading)
        shares = np.tile(weights / self.cells, self.cells) * self.grading * rest ** (self.grading - 1)
        axes, factors = [], []
        for low, high in zip(box.lower, box.upper, strict=True):
            axes.append(torch.from_numpy((low + high) / 2 + (high - low) / 2 * places))
            factors.append(torch.from_numpy((high - low) / 2 * shares))
        points = torch.cartesian_prod(*axes).reshape(-1, box.dim)
        products = torch.cartesian_prod(*factors).reshape(-1, box.dim).prod(1)
        return points, products * (box.measure / products.sum())


@dataclass(frozen=True)
class CellPoints(Quadrature):
    """Points in every triangle or tetrahedron of a mesh, exact for polynomials up to a degree.

    Parameters
    ----------
    degree : 1 for one point in each cell; 2 for 3 in a triangle, 4 in a tetrahedron

    Raises
    ------
    InputError
        If the degree is not 1 to 8.

    Examples
    --------
    >>> points, weights = CellPoints(2).on(MeshDomain("ball", 1))
    """

    degree: int = 2

    def __post_init__(self) -> None:
        whole_number("the degree of cell points", self.degree, at_least=1, at_most=8)

    def on(self, domain: Box | MeshDomain) -> tuple[Tensor, Tensor]:
        """Return the points and weights in the cells of a mesh that fills its space."""
        import skfem
        from skfem.quadrature import get_quadrature

        references = {"triangle": skfem.refdom.RefTri, "tetra": skfem.refdom.RefTet}
        cells = domain.mesh.cells if isinstance(domain, MeshDomain) else {}
        found = [name for name in cells if name in references and domain.mesh.dim == domain.mesh.topological_dim]
        if len(found) != 1:
            where = "box" if isinstance(domain, Box) else f"mesh of {', '.join(cells)} in {domain.dim}-D"
            raise InputError(f"cell points are for triangles in the plane or tetrahedra, got a {where}.")
        places, weights = get_quadrature(references[found[0]], self.degree)
        corners = domain.mesh.points[cells[found[0]]]
        edges = corners[:, 1:] - corners[:, :1]
        points = corners[:, :1] + np.einsum("kq,ckd->cqd", places, edges)
        measures = np.abs(np.linalg.det(edges))[:, None] * weights
        return torch.from_numpy(points.reshape(-1, domain.dim)), torch.from_numpy(measures.ravel())
