"""Kernels of the multigrid cycle behind one interface, with two back ends.

Both back ends offer the same names, on their own arrays: ``Level`` (one grid of the hierarchy: smoothing, residual,
transfers), ``finest`` and ``coarsen`` (set-up) and ``Vectors`` (the vector operations of the conjugate gradient loop).

* :mod:`sciml.linalg.kernels.numba_backend`: fused loops on the CPU, threaded. The default there.
* :mod:`sciml.linalg.kernels.torch_backend`: plain tensor expressions; any device, and the oracle of the tests.
"""
