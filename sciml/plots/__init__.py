"""Pictures: residual histories, slices of fields, solvers side by side, solutions in time, landscapes of losses.

The only package that imports matplotlib. It draws on `Figure` objects alone: no pyplot, no display, no global settings.
So it works headless and in threads, and leaves the caller's own figures as they are.
"""

from __future__ import annotations

from sciml.plots.animation import field_animation
from sciml.plots.curves import time_curves
from sciml.plots.decisions import DecisionPicture, decisions_picture
from sciml.plots.deformation import Ball, Plane, deformation_animation, deformed_mesh
from sciml.plots.ensembles import calibration_picture, ensemble_picture, score_against_calls
from sciml.plots.experts import (
    ExpertBoxes,
    experts_picture,
    plane_experts_picture,
    residual_picture,
    slab_history,
)
from sciml.plots.histories import Run, residual_history, solver_seconds, training_history
from sciml.plots.identification import estimates_picture, readings_picture
from sciml.plots.labelled_graphs import ClassifiedGraph, classified_graphs
from sciml.plots.landscapes import loss_landscape, spectrum
from sciml.plots.linear_systems import comparison_picture, solution_picture
from sciml.plots.networks import error_by_size, law_picture, network_picture, predicted_beside_true
from sciml.plots.seismic import (
    gathers_picture,
    inversion_picture,
    misfit_picture,
    sensing_picture,
    velocity_maps_picture,
)
from sciml.plots.side_by_side import profiles, work_precision
from sciml.plots.slices import DIRICHLET, FLUID, SOLID, field_slice
from sciml.plots.snapshots import field_snapshots, predicted_field
from sciml.plots.space_time import space_time
from sciml.plots.upscaling import error_distributions, fine_beside_coarse
from sciml.plots.wind import wind_around

__all__ = [
    "DIRICHLET",
    "FLUID",
    "SOLID",
    "Ball",
    "ClassifiedGraph",
    "DecisionPicture",
    "ExpertBoxes",
    "Plane",
    "Run",
    "calibration_picture",
    "classified_graphs",
    "comparison_picture",
    "decisions_picture",
    "deformation_animation",
    "deformed_mesh",
    "ensemble_picture",
    "error_distributions",
    "error_by_size",
    "experts_picture",
    "estimates_picture",
    "field_animation",
    "field_slice",
    "field_snapshots",
    "fine_beside_coarse",
    "gathers_picture",
    "inversion_picture",
    "law_picture",
    "loss_landscape",
    "misfit_picture",
    "network_picture",
    "plane_experts_picture",
    "predicted_beside_true",
    "predicted_field",
    "profiles",
    "readings_picture",
    "residual_history",
    "residual_picture",
    "score_against_calls",
    "sensing_picture",
    "slab_history",
    "solution_picture",
    "solver_seconds",
    "space_time",
    "spectrum",
    "time_curves",
    "training_history",
    "velocity_maps_picture",
    "wind_around",
    "work_precision",
]
