"""Pressures in a pore network: by sparse factors and iterative refinement, large ones by `sciml.linalg`."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from sciml.errors import SingularSystemError

DIRECT = 30_000  # pores up to which sparse factors, independent of sciml.linalg, give the pressures
RTOL = 1e-10  # of the error of the pressures beyond
REFINEMENTS = 5  # solutions with the same factors at most, the first one counted


def pressures(
    throats: np.ndarray, conductance: np.ndarray, inlet: np.ndarray, outlet: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the pressures and an estimate of their error, by the method for the size; see `direct_pressures`."""
    if len(inlet) <= DIRECT:
        return direct_pressures(throats, conductance, inlet, outlet)
    import torch

    from sciml.linalg.graph_laplacian import GraphLaplacian

    _check_connected(throats, inlet | outlet)
    graph = GraphLaplacian(throats, len(inlet), inlet | outlet)
    given = torch.tensor(conductance), torch.tensor(inlet.astype(float))
    found, info = graph.solve(*given, rtol=RTOL)
    return found.numpy(), float(info.error_estimate.max())


def direct_pressures(
    throats: np.ndarray, conductance: np.ndarray, inlet: np.ndarray, outlet: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return pressures that are 1 in the inlet, 0 in the outlet and conserve mass elsewhere, and an estimate of error.

    The matrix is scaled by its diagonal, and the residual is taken from differences of pressures: it is accurate also
    where conductances differ by many orders of magnitude.

    Parameters
    ----------
    throats : (throats, 2) pairs of pores
    conductance : (throats,) positive
    inlet, outlet : (pores,) booleans

    Returns
    -------
    pressure : (pores,)
    error : size of the refinement that was not made because rounding did not let it become smaller; it is large where
        conductances differ by so much that the pressures, in double precision, do not determine the fluxes

    Raises
    ------
    SingularSystemError : pores that no path of throats connects to inlet or outlet
    """
    pinned = inlet | outlet
    _check_connected(throats, pinned)
    pressure, free = inlet.astype(float), np.flatnonzero(~pinned)
    if not len(free):
        return pressure, 0.0
    first, second = throats.T
    scale = 1.0 / np.sqrt(_sums(throats, conductance, conductance, len(pinned))[free])
    factors = _factors(throats, conductance, pinned, scale)
    last = np.inf
    for _ in range(REFINEMENTS):
        flux = conductance * (pressure[first] - pressure[second])
        correction = scale * factors.solve(scale * _sums(throats, -flux, flux, len(pinned))[free])
        size = float(np.abs(correction).max())
        if not size < last:  # rounding forbids more
            break
        pressure[free] += correction
        last = size
    return pressure, size


def components(throats: np.ndarray, pores: int) -> np.ndarray:
    """Return the number of the connected component of each pore, (pores,)."""
    graph = sparse.coo_array((np.ones(len(throats)), (throats[:, 0], throats[:, 1])), shape=(pores, pores))
    return connected_components(graph, directed=False)[1]


def _factors(throats: np.ndarray, conductance: np.ndarray, pinned: np.ndarray, scale: np.ndarray) -> object:
    """Return the factors of the matrix of all pores that are not pinned, scaled to a diagonal of 1."""
    number = np.cumsum(~pinned) - 1
    inside = ~pinned[throats].any(axis=1)
    row, column = number[throats[inside]].T
    upper = sparse.coo_array(
        (-conductance[inside] * scale[row] * scale[column], (row, column)), shape=(len(scale), len(scale))
    )
    return splu(
        (upper + upper.T + sparse.eye_array(len(scale))).tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,  # the matrix is positive definite
        options={"SymmetricMode": True},
    )


def _sums(throats: np.ndarray, first: np.ndarray, second: np.ndarray, pores: int) -> np.ndarray:
    """Return in each pore the sum of values at the first and at the second ends of its throats, (pores,)."""
    return np.bincount(throats.T.ravel(), weights=np.concatenate([first, second]), minlength=pores)


def _check_connected(throats: np.ndarray, pinned: np.ndarray) -> None:
    component = components(throats, len(pinned))
    loose = np.setdiff1d(component, component[pinned])
    if len(loose):
        members = np.flatnonzero(component == loose[0])
        raise SingularSystemError(
            f"no path of throats connects {len(members)} pores (pore {members[0]} among them) to inlet or outlet, and "
            f"there are {len(loose)} such components, so that their pressure is undetermined; leave them out with "
            "trimmed()."
        )
