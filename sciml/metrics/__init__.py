"""Errors of fields, scores of ensembles, spectra, and summaries of repeated measurements.

=========  ================================================================================
module     contents
=========  ================================================================================
ensembles  proper scores of ensembles, their calibration
fields     errors of fields, orders of convergence, medians and ranges
spectra    the energy of fields by bands of wave numbers
=========  ================================================================================
"""

from __future__ import annotations

from sciml.metrics.ensembles import Coverage, coverage, crps, energy_score, rank_histogram, spread_skill
from sciml.metrics.fields import (
    SSIM_WINDOW,
    Summary,
    convergence_order,
    max_error,
    mean_absolute_error,
    median_and_range,
    relative_l2,
    structural_similarity,
)
from sciml.metrics.spectra import Spectrum, spectrum_bands

__all__ = [
    "SSIM_WINDOW",
    "Coverage",
    "Spectrum",
    "Summary",
    "convergence_order",
    "coverage",
    "crps",
    "energy_score",
    "max_error",
    "mean_absolute_error",
    "median_and_range",
    "rank_histogram",
    "relative_l2",
    "spectrum_bands",
    "spread_skill",
    "structural_similarity",
]
