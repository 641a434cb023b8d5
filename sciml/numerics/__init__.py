"""Numerical methods below networks and solvers: least squares, derivatives by jets, optimisers, random generators.

=======================  ===============================================================================
module                   contents
=======================  ===============================================================================
damped_steps             Levenberg-Marquardt steps: normal equations, dual, random blocks, matrix-free
derivatives              first and second derivatives of networks by jets in forward mode
flat                     the parameters of a module as one vector
landscape                spectra of Gauss-Newton matrices and loss landscapes
least_squares            the Levenberg-Marquardt method
least_squares_optimizer  the same as a torch optimiser
linearisation            groups of residuals and their Jacobians
optimizers               optimisers by name
random                   random generators as functions of seeds and counters
=======================  ===============================================================================
"""
