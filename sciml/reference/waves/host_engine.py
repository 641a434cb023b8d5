"""The scheme with which OpenFWI's records were made: a sponge of 120 cells on each side; to make data.

References: the code ``a2d_mod_abc24`` of KAUST's group, which made the records of Deng et al., OpenFWI, NeurIPS 2022.
"""

from __future__ import annotations

from math import log

import numpy as np
import torch
from torch.nn import functional

from sciml.errors import InputError
from sciml.reference.waves.acquisition import Acquisition
from sciml.reference.waves.host_kernels import host_shot
from sciml.reference.waves.placement import place
from sciml.reference.waves.workers import compiled, run_flushed

SPONGE = 120  # cells on each side
REFLECTION = 1e7  # by which the sponge damps a wave


class HostEngine:
    """OpenFWI's own scheme; its records have no derivatives.

    The damping grows with the least velocity of a map, so that the records depend on it everywhere.

    Parameters
    ----------
    acquisition : what is shot and recorded
    dtype : of the fields, torch.float32 or torch.float64
    threads : how many shots are computed at once; the result does not depend on it
    """

    def __init__(self, acquisition: Acquisition, dtype: torch.dtype, threads: int | None) -> None:
        if acquisition.free_surface:
            raise InputError("the host engine has no free surface; take the engine 'numba'.")
        self.acquisition, self.dtype, self.threads = acquisition, dtype, threads
        self.numpy = np.float32 if dtype == torch.float32 else np.float64
        self.width = acquisition.shape[1] + 2 * SPONGE
        placed = [place(each, acquisition) for each in (acquisition.sources, acquisition.receivers_by_shot)]
        (self.source, self.source_weights), (self.receivers, self.receiver_weights) = (
            (
                ((each.rows + SPONGE) * self.width + each.columns + SPONGE).astype(np.uint64),
                np.ascontiguousarray(each.weights.astype(self.numpy)),
            )
            for each in placed
        )

    def __call__(self, velocities: torch.Tensor, wavelet: torch.Tensor) -> torch.Tensor:
        """Return records (maps, shots, steps, receivers) of velocity maps (maps, nz, nx)."""
        if torch.is_grad_enabled() and (velocities.requires_grad or wavelet.requires_grad):
            raise InputError(
                "the host engine makes data and has no derivatives; take the engine 'numba', or detach the velocities."
            )
        a = self.acquisition
        padded = functional.pad(velocities.double(), (SPONGE,) * 4, mode="replicate")
        m = ((padded * (a.time_step / a.spacing)) ** 2).flatten(1).numpy().astype(self.numpy)
        records = np.zeros((len(m), *a.record_shape), self.numpy)
        values = wavelet.numpy().astype(self.numpy)
        slowest = velocities.double().amin((1, 2)).tolist()
        jobs = []
        for i, least in enumerate(slowest):
            damping = self._damping(least)
            for shot in range(a.shots):
                source = self.source[shot]
                amplitudes = m[i][source] * self.source_weights[shot] * self.numpy(a.spacing**2)
                where = (self.receivers[shot], self.receiver_weights[shot])
                jobs.append((m[i], *damping, source, amplitudes, values, *where, records[i, shot]))
        compiled(host_shot, jobs[0])
        for _ in run_flushed(host_shot, jobs, self.threads or torch.get_num_threads()):
            pass
        return torch.from_numpy(records)

    def _damping(self, slowest: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the damping by columns with their mask, (2, columns), and by rows, of a map's least velocity."""
        a = self.acquisition
        depth = (SPONGE - 1) * a.spacing
        strength = 3.0 * slowest * log(REFLECTION) / (2.0 * depth)
        profile = strength * (np.arange(SPONGE) * a.spacing / depth) ** 2 * a.time_step
        down, across = (np.concatenate([profile[::-1], np.zeros(cells), profile]) for cells in a.shape)
        inside = np.zeros_like(across)
        inside[SPONGE:-SPONGE] = 1.0
        return np.stack([across, inside]).astype(self.numpy), down.astype(self.numpy)
