"""Convergent graph solvers: learned linear systems on graphs, solved to convergence.

Method of Park, Choo and Park, *Convergent graph solvers*, ICLR 2022.
"""
