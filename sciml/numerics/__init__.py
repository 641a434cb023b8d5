"""Numerical methods below networks and solvers: least squares, derivatives of networks and of solutions, optimisers.

=======================  =============================================================================================
module                   contents
=======================  =============================================================================================
batched_least_squares    the Levenberg-Marquardt method for many problems, each with a damping and an end of its own
batched_steps            their damped steps by QR
cubic_splines            cubic splines through values on places, differentiable in both
damped_steps             Levenberg-Marquardt steps: normal equations, dual, random blocks, matrix-free
derivatives              first and second derivatives of networks by jets in forward mode
element_chain            least squares on chains of elements that share faces, by QR at linear cost
finite_differences       derivatives of grid functions of any even order, one-sided or periodic
flat                     the parameters of a module as one vector
implicit                 implicit differentiation of roots, fixed points and linear systems, with any solver
landscape                spectra of Gauss-Newton matrices and loss landscapes
least_squares            the Levenberg-Marquardt method
least_squares_optimizer  the same as a torch optimiser
linearisation            groups of residuals and their Jacobians
nearest_point            the nearest point of nonlinear constraints, with implicit gradients
null_space               linear equality constraints of many small problems
optimizers               optimisers by name
pointwise_hessian        Hessians of pointwise least squares, factorised for Newton steps and adjoint solves
pointwise_least_squares  minima of pointwise residuals as differentiable functions of everything
pointwise_residuals      residuals that are functions of a few linear terms at each point
pointwise_roots          derivatives of any order of small systems, one for each point
polynomials              Chebyshev polynomials, smooth elements, increments from a start, Gauss points
principal_modes          proper orthogonal decomposition: modes in which data are nearest to their mean
projection               the nearest point of linear constraints, for the output of any network
random                   random generators as functions of seeds and counters
step_control             dampings, acceptance and ends of Levenberg-Marquardt iterations
=======================  =============================================================================================
"""
