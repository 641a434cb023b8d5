"""Equations, their reference solutions, and the cases on which solvers are measured."""
