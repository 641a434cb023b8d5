"""Evaluation of a solution at points: the inverse of the map from labels to positions, and what follows from it."""

from sciml.lpinn.readout.error_norms import LabelErrors, errors, relative_error, relative_errors
from sciml.lpinn.readout.field import Followed, Readout, SpaceTimeField
from sciml.lpinn.readout.least_action import EntropyField, field_of
from sciml.lpinn.readout.mass import density
from sciml.lpinn.readout.particles import paths

__all__ = [
    "EntropyField",
    "Followed",
    "LabelErrors",
    "Readout",
    "SpaceTimeField",
    "density",
    "errors",
    "field_of",
    "paths",
    "relative_error",
    "relative_errors",
]
