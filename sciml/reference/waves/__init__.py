"""Acoustic waves in a plane, of constant density: shot records of velocity maps, and their derivatives.

    p_tt = v^2 (p_xx + p_zz + s(t) delta(x - x_s))

:class:`Acquisition` says where and how long is shot and recorded, in metres and seconds; :class:`WaveSolver` maps
velocities to records and is differentiable in the velocities and in the wavelet.

>>> from sciml.reference.waves import Acquisition, WaveSolver  # doctest: +SKIP
>>> solver = WaveSolver(Acquisition.openfwi())  # doctest: +SKIP
>>> records = solver(velocity)  # (maps, 70, 70) in m/s to (maps, 5, 1000, 70)  # doctest: +SKIP

==========  ==========================================================================================================
engine      use
==========  ==========================================================================================================
numba       on the CPU: the fastest, and the one whose gradient is exact
host        the scheme with which OpenFWI's records were made, on a grid five times as wide: to make data, which
            another scheme then inverts
deepwave    on GPUs, and to compare with: the package deepwave, of the extra ``seismic``
==========  ==========================================================================================================

References: Alford, Kelly and Boore, Geophysics 39 (1974) 834 (second order in time, fourth in space); Komatitsch and
Martin, Geophysics 72 (2007) SM155, and Pasalic and McGarry, SEG 2010 (the absorbing layers of the second-order
equation); Plessix, Geophysical Journal International 167 (2006) 495 (the adjoint); Deng et al., OpenFWI, NeurIPS 2022.
"""

from __future__ import annotations

from sciml.lazy_exports import lazy_exports

_HOMES = {
    "Acquisition": "sciml.reference.waves.acquisition",
    "WaveSolver": "sciml.reference.waves.solver",
    "ricker": "sciml.reference.waves.wavelets",
    "unrecorded": "sciml.reference.waves.velocities",
}
__all__ = ["Acquisition", "WaveSolver", "ricker", "unrecorded"]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
