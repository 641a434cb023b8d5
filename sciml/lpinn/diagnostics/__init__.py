"""Diagnostics that explain why a frame makes a problem easy or hard for a network."""

from sciml.lpinn.diagnostics.loss import gauss_newton_spectrum, loss_landscape
from sciml.lpinn.diagnostics.mode_counts import Modes, modes, transported_modes

__all__ = ["Modes", "gauss_newton_spectrum", "loss_landscape", "modes", "transported_modes"]
