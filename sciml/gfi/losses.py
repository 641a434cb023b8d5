r"""The losses of Gupta et al., on normalised values, by their terms.

With :math:`\ell(a, b) = \operatorname{mean} |a - b| + \operatorname{mean} (a - b)^2`, a forward network F and an
inverse one G, maps v and records p, autoencoders :math:`A_v, A_p`:

================  ============================================================  =================
term              formula                                                       published weights
================  ============================================================  =================
``map``           :math:`\ell(G(p), v)`, on pairs whose mask is 1               1
``records``       :math:`\ell(F(v), p)`, on pairs whose mask is 1               10
``cycle_map``     :math:`c \, \ell(G(F(v)), v)`, on all                         0 or 1
``cycle_records`` :math:`c \, \ell(F(G(p)), p)`, on all                         0 or 1
``reconstruct``   mean squares of :math:`A_v v - v` and :math:`A_p p - p`       0
================  ============================================================  =================

c rises linearly from 0 to 1 over the epochs of the warm-up. The authors' code divides by the sum of the masks plus 1,
which multiplies their loss by B / (B + 1) for a batch of B; ours divides by the sum. Their perceptual terms, distances
between features of VGG-16, weights 0.1 and 0.3, are left out: they need weights trained on ImageNet, which do not come
with sciml and may not be downloaded behind a user's back.

References
----------
Gupta et al., "A unified framework for forward and inverse problems in subsurface imaging using latent space
translations", ICLR 2025.
"""

from __future__ import annotations

from torch import Tensor


def deviation(
    found: Tensor, wanted: Tensor, scale: Tensor | float, mask: Tensor | None = None, square_weight: float = 1.0
) -> Tensor:
    r"""Return :math:`\ell`, the mean absolute and the mean square difference, of values divided by a scale.

    Parameters
    ----------
    found, wanted : ``(batch, ...)``
    scale : by which both are normalised
    mask : ``(batch,)``, 1 for what counts; without any, the loss is 0
    square_weight : of the mean square difference
    """
    difference = ((found - wanted) / scale).flatten(1)
    each = difference.abs().mean(1) + square_weight * difference.square().mean(1)
    if mask is None:
        return each.mean()
    return (mask * each).sum() / mask.sum().clamp(min=1)


def warm_up(epoch: int, epochs: int) -> float:
    """Return the factor c of the cycle terms in an epoch, counted from 0, after so many epochs of warm-up 1."""
    return min(1.0, epoch / epochs) if epochs else 1.0
