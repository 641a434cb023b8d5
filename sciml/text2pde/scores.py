"""Scores of ensembles of trajectories, added up over batches."""

from __future__ import annotations

import math

import numpy as np

from sciml.metrics import coverage, energy_score, spread_skill


class EnsembleScores:
    """Means over trajectories of errors and scores of ensembles.

    ================  ================================================================================================
    name              meaning
    ================  ================================================================================================
    energy_score      fair energy score over the norm of the truth; of a single prediction, its relative error
    relative_l2       relative error of a member, in L2 over all fields
    mean_l2           relative error of the mean of the members
    spread_skill      spread over the error of the mean; 1 is ideal
    coverage          share of the values within the range of the members; (m - 1) / (m + 1) of m members is ideal
    ================  ================================================================================================
    """

    def __init__(self) -> None:
        self._count, self._sums = 0, dict.fromkeys(("energy_score", "relative_l2", "mean_l2", "coverage"), 0.0)
        self._spread = self._error = 0.0

    def add(self, members: np.ndarray, truth: np.ndarray) -> None:
        """Take in the ensembles of some trajectories.

        Parameters
        ----------
        members : ``(m, trajectories, ...)``, at least two
        truth : ``(trajectories, ...)``
        """
        count, flat = len(truth), truth.reshape(len(truth), -1)
        norms = np.linalg.norm(flat, axis=1)
        apart = [np.linalg.norm(each.reshape(count, -1) - flat, axis=1) / norms for each in members]
        mean = members.mean(0).reshape(count, -1) - flat
        error = float((mean**2).mean())
        self._sums["energy_score"] += float((energy_score(members, truth) / norms).sum())
        self._sums["relative_l2"] += float(np.mean(apart, axis=0).sum())
        self._sums["mean_l2"] += float((np.linalg.norm(mean, axis=1) / norms).sum())
        self._sums["coverage"] += count * coverage(members, truth).share
        self._error += count * error
        self._spread += count * error * spread_skill(members, truth) ** 2
        self._count += count

    def means(self) -> dict[str, float]:
        """Return the scores of all ensembles by name, the energy score first."""
        found = {name: total / self._count for name, total in self._sums.items()}
        return {**found, "spread_skill": math.sqrt(self._spread / self._error)}
