"""The reason why a map of labels has no inverse: crossed characteristics, or a fit that is too poor to tell."""

from __future__ import annotations

from torch import Tensor

from sciml.errors import CharacteristicCrossingError, PoorFitError, SciMLError
from sciml.lpinn.characteristics import Characteristics

GOOD = 1e-2  # residual, relative to the speed, up to which folds of the fitted map are those of the flow
REMEDY = "train longer, enlarge the network, or use more time slabs; or use the frame Ale or Eulerian"


def no_inverse(
    characteristics: Characteristics, weights: Tensor, stretch: Tensor, labels: Tensor, time: float, slab: int
) -> SciMLError:
    """Return the error of points whose labels cannot be found.

    Characteristics have crossed where J changes its sign, which it does in a map that solves the equations only if the
    flow makes it so. In a map with a large residual it says nothing.

    Parameters
    ----------
    characteristics : problem, frame and network
    weights : of the slabs, ``(slabs, p)``
    stretch : J at many labels, ``(n,)``
    labels : these labels, ``(n, dim)``
    time, slab : at which and in which labels were sought; the time may be the end of the slab
    """
    slabs = range(slab if characteristics.restarts else 0, slab + 1)
    residual, slab = max((characteristics.residual_norm(weights, number), number) for number in slabs)
    least = int(stretch.argmin())
    span = f"J runs from {float(stretch[least]):.2g} to {float(stretch.max()):.2g}"
    if not residual <= GOOD:
        return PoorFitError(
            f"the fit is too poor to find the labels of some points at t = {time:.4g}: the residual of the time slab "
            f"{slab} is {residual:.2g}, expected at most {GOOD:g} ({span}); {REMEDY}."
        )
    if not bool(stretch[least] <= 0):
        return PoorFitError(
            f"Newton's method does not find the labels of some points at t = {time:.4g}, although no characteristics "
            f"have met ({span}) and the residual of the time slab {slab} is {residual:.2g}; {REMEDY}."
        )
    near = ", ".join(f"{coordinate:.4g}" for coordinate in labels[least].tolist())
    return CharacteristicCrossingError(
        f"characteristics have crossed before t = {time:.4g} near the label {near}: {span}, and the residual of the "
        f"fit is {residual:.2g}; use the frame Ale or Eulerian, or the least-action read-out of conservation laws."
    )
