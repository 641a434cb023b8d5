"""Scores of ensembles of trajectories, added up over batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sciml.metrics import coverage, energy_score, spread_skill
from sciml.text2pde.trajectories import check_not_zero


class EnsembleScores:
    """Means over trajectories of errors and scores of ensembles.

    Fields count in units of their deviations in the training, so that no unit of a field decides what matters. The
    first frame is given and no forecast, so that it counts nowhere.

    ===================  =============================================================================================
    name                 meaning
    ===================  =============================================================================================
    energy_score         fair energy score over the norm of the truth; of a single prediction, its relative error
    relative_l2          relative error of a member, in L2 over all fields
    mean_l2              relative error of the mean of the members
    coverage             share of the values within the range of the members; (m - 1) / (m + 1) of m members is ideal
    spread_skill         spread over the error of the mean; 1 is ideal
    energy_score_FIELD   mean energy score of one field over its mean norm, where it is not zero everywhere
    ===================  =============================================================================================

    Parameters
    ----------
    deviations : of the fields in the training, by name, in the order of the channels

    Attributes
    ----------
    count : number of trajectories so far
    """

    def __init__(self, deviations: Mapping[str, float]) -> None:
        self._deviations = dict(deviations)
        self.count, self._sums = 0, dict.fromkeys(("energy_score", "relative_l2", "mean_l2", "coverage"), 0.0)
        self._spread = self._error = 0.0
        self._of_fields = np.zeros((2, len(self._deviations)))  # energy scores and norms

    def add(self, members: np.ndarray, truth: np.ndarray, numbers: Sequence[int]) -> None:
        r"""Take in the ensembles of some trajectories.

        Parameters
        ----------
        members : ``(m, trajectories, channels, time, \*space)``, at least two
        truth : ``(trajectories, channels, time, \*space)``
        numbers : of the trajectories in the data, for errors

        Raises
        ------
        DataFormatError
            If a trajectory is zero, so that no error is relative to it.
        """
        units = np.reshape(list(self._deviations.values()), (-1, *(1,) * (truth.ndim - 2)))
        members, truth = members[:, :, :, 1:] / units, truth[:, :, 1:] / units
        count, flat = len(truth), truth.reshape(len(truth), -1)
        norms = check_not_zero(np.linalg.norm(flat, axis=1), numbers)
        apart = [np.linalg.norm(each.reshape(count, -1) - flat, axis=1) / norms for each in members]
        mean = members.mean(0).reshape(count, -1) - flat
        error = float((mean**2).mean())
        self._sums["energy_score"] += float((energy_score(members, truth) / norms).sum())
        self._sums["relative_l2"] += float(np.mean(apart, axis=0).sum())
        self._sums["mean_l2"] += float((np.linalg.norm(mean, axis=1) / norms).sum())
        self._sums["coverage"] += count * coverage(members, truth).share
        self._error += count * error
        self._spread += count * error * spread_skill(members, truth) ** 2
        self.count += count
        for channel in range(len(self._deviations)):
            own = truth[:, channel]
            norm = np.linalg.norm(own.reshape(count, -1), axis=1).sum()
            self._of_fields[:, channel] += energy_score(members[:, :, channel], own).sum(), norm

    def means(self) -> dict[str, float]:
        """Return the scores of all ensembles by name, the energy score first."""
        found = {name: total / self.count for name, total in self._sums.items()}
        found["spread_skill"] = math.sqrt(self._spread / self._error)
        of_fields = zip(self._deviations, *self._of_fields.tolist(), strict=True)
        return found | {f"energy_score_{name}": score / norm for name, score, norm in of_fields if norm > 0}
