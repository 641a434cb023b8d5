"""Convergent graph solvers beside direct, multigrid and flow-based methods, and beside other networks on graphs."""
