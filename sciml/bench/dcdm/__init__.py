"""Networks as linear solvers beside conjugate gradients and multigrid."""
