"""sciml: neural methods for partial differential equations beside the best classical solvers.

``import sciml`` is cheap: it loads neither torch nor numba. Everything lives in the sub-packages; start with
:mod:`sciml.linalg` (large Poisson systems) and :mod:`sciml.mesh` (meshes, grids, files).
"""

__version__ = "0.1.0"
