"""Learned upscaling of Darcy flow on grids: a network corrects the transmissibilities of coarse cells.

log T = log T_base + c tanh(g / c), where T_base comes from local flow-based upscaling of the two cells of a face, and
the network g sees log k in these and in a ring around them. g has the symmetries of the problem (mirror images,
exchange of the axes, k -> c k) by construction, and as T > 0 is symmetric, the coarse problem conserves mass and obeys
the maximum principle whatever the weights are. Boundary conditions and sources are free: the coarse matrix is made
once per coefficient. The head is that of the convergent graph solvers of Park, Choo and Park (ICLR 2022), anchored by
the pressures on the sides.

>>> import numpy as np
>>> from sciml.cgs.upscaling import learned_transmissibilities
>>> from sciml.reference.upscaling_fields import lognormal_field
>>> k = lognormal_field((64, 64), np.random.default_rng(0))
>>> coarse = learned_transmissibilities(k)                                   # 8 x 8 cells, with published weights
>>> held = {"x-": 1.0, "x+": 0.0}
>>> coarse.solve(held).shape
(8, 8)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.cgs.upscaling.data import LognormalFlows
    from sciml.cgs.upscaling.model import TransmissibilityNet, learned_transmissibilities
    from sciml.cgs.upscaling.task import UpscalingTask

_HOMES = {
    "LognormalFlows": "sciml.cgs.upscaling.data",
    "TransmissibilityNet": "sciml.cgs.upscaling.model",
    "UpscalingTask": "sciml.cgs.upscaling.task",
    "learned_transmissibilities": "sciml.cgs.upscaling.model",
}
__all__ = ["LognormalFlows", "TransmissibilityNet", "UpscalingTask", "learned_transmissibilities"]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
