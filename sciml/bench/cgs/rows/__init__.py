"""The measurements of ``sciml bench cgs`` as data, one module for each part.

To add a measurement: write its function as :mod:`sciml.bench.cgs.jobs` says, and add a
:class:`~sciml.bench.frame.Row` to a group here, with the columns that show its quantities and its limits.
"""

from sciml.bench.cgs.rows import diffusion, gradients, networks, peers, solvers, upscaling, values
from sciml.bench.frame import Group

GROUPS: tuple[Group, ...] = (
    *networks.GROUPS,
    *gradients.GROUPS,
    *solvers.GROUPS,
    *values.GROUPS,
    *upscaling.GROUPS,
    *diffusion.GROUPS,
    *peers.GROUPS,
)
