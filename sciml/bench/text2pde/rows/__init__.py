"""The measurements of ``sciml bench text2pde`` as data, one module for each part.

To add a measurement: write its function in a module of the package above, and add a :class:`~sciml.bench.frame.Row` to
a group here, with the columns that show its quantities and its limits.
"""

from sciml.bench.frame import Group
from sciml.bench.text2pde.rows import autoencoders, equations, first_frames, generator

GROUPS: tuple[Group, ...] = (
    *generator.GROUPS,
    *autoencoders.GROUPS,
    *first_frames.GROUPS,
    *equations.GROUPS,
)
