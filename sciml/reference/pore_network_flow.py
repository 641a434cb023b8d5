"""Pressures in a pore network, with a proven bound on their errors, by `sciml.linalg.GraphLaplacian`."""

from __future__ import annotations

import numpy as np

from sciml.errors import DivergenceError, SingularSystemError
from sciml.mesh.edges import components

DIRECT = 30_000  # pores up to which sparse factors give the pressures; beyond, the method for the size
RTOL = 1e-10  # of the error of the pressures
OF_POWER = 1e-6  # the largest relative error of a permeability


def pressures(
    throats: np.ndarray, conductance: np.ndarray, inlet: np.ndarray, outlet: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return pressures that are 1 in the inlet, 0 in the outlet and conserve mass elsewhere, and a bound on the error.

    Parameters
    ----------
    throats : (throats, 2) pairs of pores
    conductance : (throats,) positive
    inlet, outlet : (pores,) booleans

    Raises
    ------
    SingularSystemError : pores that no path of throats connects to inlet or outlet
    DivergenceError : conductances that differ by so much that double precision cannot tell the pressures to 1e-10
    """
    import torch

    from sciml.linalg.graph_laplacian import GraphLaplacian

    _check_connected(throats, inlet | outlet)
    graph = GraphLaplacian(throats, len(inlet), inlet | outlet)
    given = torch.tensor(conductance), torch.tensor(inlet.astype(float))
    found, info = graph.solve(*given, rtol=RTOL, method="direct" if len(inlet) <= DIRECT else "auto")
    return found.numpy(), float(info.error_bound.max())


def dissipation(throats: np.ndarray, conductance: np.ndarray, pressure: np.ndarray, error: float) -> float:
    r"""Return \sum k_ij (p_i - p_j)^2 for pressures that are known to an error.

    The power P of the true pressures is the smallest of all: the sum is P + \sum k_ij (e_i - e_j)^2 with the errors e,
    which is at most P + 4 max|e|^2 \sum k_ij.

    Raises
    ------
    DivergenceError : the relative error may exceed 1e-6
    """
    power = float(np.sum(conductance * np.diff(pressure[throats], axis=1)[:, 0] ** 2))
    doubt = 4.0 * error**2 * float(np.sum(conductance))
    if not doubt <= OF_POWER * power:
        raise DivergenceError(
            f"the pressures are known to {error:.2g}, from which the permeability follows to a relative error of "
            f"{doubt / power if power else np.inf:.2g} only, expected at most {OF_POWER:g}: the conductances differ by "
            "more than double precision resolves; narrow their range."
        )
    return power


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
