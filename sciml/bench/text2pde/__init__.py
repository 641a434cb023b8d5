"""Whole simulations from their first frames beside networks that step from frame to frame."""
