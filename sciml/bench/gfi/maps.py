"""The measurements of ``sciml bench gfi`` on generated velocity maps, against genuine ones and published statistics."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import chi2_contingency

from sciml.bench.outcome import outcome
from sciml.bench.reference_data import reference_file
from sciml.bench.worker import Job
from sciml.npy_files import read_npz
from sciml.reference.layered_maps import layered_maps

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the quantiles that are compared
FEWEST = 10  # maps with a number of layers, below which the chi-square test leaves it out
# mean and standard deviation in m/s of the genuine sets, from OpenFWI's dataset_config.json
PUBLISHED = {
    "curvevel-b": (3000.6, 865.4),
    "flatfault-a": (3088.7, 855.4),
    "flatfault-b": (3055.4, 875.9),
    "curvefault-a": (3082.7, 852.4),
    "curvefault-b": (3035.6, 890.5),
    "style-a": (2728.5, 665.8),
    "style-b": (2837.3, 637.7),
}


def genuine(job: Job) -> dict[str, Any]:
    """Measure ``job["maps"]`` maps of ``job["family"]`` against the genuine ones of the files ``job["files"]``.

    The files lie in ``openfwi/`` below the folder that ``SCIML_REFERENCE_DATA`` names, in the archive
    ``job["archive"]``; vmodel10 is not among them, as the networks are tested on it.

    Returns
    -------
    dict
        ``p``, of the chi-square test of the numbers of layers; ``mean`` and ``deviation``, relative differences of the
        velocities' mean and standard deviation; ``amplitude``, the largest relative difference of the quantiles of the
        interfaces' peak-to-peak depths, where interfaces are curved.
    """

    def measure() -> dict[str, float]:
        path = reference_file("openfwi", job["archive"], kind="genuine velocity maps")
        arrays = read_npz(path, [f"vmodel{number}" for number in job["files"]])
        true = np.concatenate([array[:, 0] for array in arrays.values()])
        return compared(layered_maps(job["family"], range(job["maps"]), job["seed"]), true)

    return outcome(measure)


def published(job: Job) -> dict[str, Any]:
    """Measure ``job["maps"]`` maps of ``job["family"]`` against the published mean and standard deviation.

    Returns
    -------
    dict
        ``mean`` and ``deviation``, relative differences.
    """

    def measure() -> dict[str, float]:
        maps, (mean, deviation) = layered_maps(job["family"], range(job["maps"]), job["seed"]), PUBLISHED[job["family"]]
        return {"mean": _apart(maps.mean(), mean), "deviation": _apart(maps.std(), deviation)}

    return outcome(measure)


def compared(maps: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return how far the statistics of layered maps are from those of others, see :func:`genuine`.

    Parameters
    ----------
    maps, true : (n, nz, nx), n for each, with velocities that increase with depth
    """
    (counts, amplitudes), (true_counts, true_amplitudes) = _layers(maps), _layers(true)
    kinds = np.unique(np.concatenate([counts, true_counts]))
    table = np.array([[(each == kind).sum() for kind in kinds] for each in (counts, true_counts)])
    found = {
        "p": float(chi2_contingency(table[:, table.sum(axis=0) >= FEWEST]).pvalue),
        "mean": _apart(maps.mean(), true.mean()),
        "deviation": _apart(maps.std(), true.std()),
    }
    if true_amplitudes.any():
        ratios = np.quantile(amplitudes, LEVELS) / np.quantile(true_amplitudes, LEVELS)
        found["amplitude"] = float(np.abs(ratios - 1.0).max())
    return found


def _layers(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the layers of each map, and the peak-to-peak depths in cells of the interfaces that stay inside."""
    counts, amplitudes = [], []
    for velocity in maps:
        values = np.unique(velocity)
        depths = np.array([(velocity < value).sum(axis=0) for value in values[1:]]).reshape(-1, velocity.shape[1])
        inside = (depths.min(axis=1) > 0) & (depths.max(axis=1) < velocity.shape[0])
        counts.append(len(values))
        amplitudes.extend(np.ptp(depths[inside], axis=1).tolist())
    return np.array(counts), np.array(amplitudes)


def _apart(found: float, expected: float) -> float:
    return abs(float(found) / float(expected) - 1.0)
