"""Lagrangian PINNs beside classical methods and PINNs in the Eulerian frame."""
