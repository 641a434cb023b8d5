"""Multigrid beside classical solvers of Poisson systems."""
