"""Waves on the CPU: second order in time, fourth in space, absorbing layers of 8 cells, and the exact transpose."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import log, pi
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from sciml.memory import check_memory
from sciml.reference.waves.acquisition import Acquisition
from sciml.reference.waves.placement import Placed, place
from sciml.reference.waves.stencil_kernels import HALO, REACH, STENCIL, WIDTH, shoot, shoot_back
from sciml.reference.waves.workers import compiled, run_flushed

# Of six generated maps (seed 11), against a domain too wide for waves to come back, these two give the least error.
REFLECTION = 3e-3  # of a wave that meets a layer head-on
SHIFT = 0.7  # of the layers' poles, in units of pi times the peak frequency
LAYER_SPEED = 4500.0  # m/s, for which the layers are made: fixed, so that records are smooth functions of the map
MOST_KEPT = 2**30  # bytes of fields that the way forward keeps for the way back, which otherwise computes them again


class NumbaEngine:
    """The solver on the CPU.

    Parameters
    ----------
    acquisition : what is shot and recorded
    dtype : of the fields, torch.float32 or torch.float64
    interval : every how many steps the fields are kept for the gradient; with 1 it is that of the discrete records
    threads : how many shots are computed at once; the result does not depend on it
    """

    def __init__(self, acquisition: Acquisition, dtype: torch.dtype, interval: int, threads: int | None) -> None:
        self.acquisition, self.dtype, self.threads = acquisition, dtype, threads
        a, self.interval = acquisition, interval
        sources, receivers = place(a.sources, a), place(a.receivers_by_shot, a)
        self.margin = max(each.overhang(a.shape, a.free_surface) for each in (sources, receivers))
        side = self.margin + WIDTH
        self.sides = (side, side, 0 if a.free_surface else side, side)  # cells added left, right, above, below
        self.width = a.shape[1] + 2 * side + HALO  # the halo of a row is that on the left of the next, too
        self.source, self.source_weights = self._flat(sources)
        self.receivers, self.receiver_weights = self._flat(receivers)

    def __call__(self, velocities: torch.Tensor, wavelet: torch.Tensor) -> torch.Tensor:
        """Return records (maps, shots, steps, receivers) of velocity maps (maps, nz, nx)."""
        ratio = self.acquisition.time_step / self.acquisition.spacing
        m = functional.pad((velocities.double() * ratio) ** 2, self.sides, mode="replicate")
        if self.acquisition.free_surface:
            m = torch.cat([torch.zeros_like(m[:, :1]), m[:, 1:]], 1)  # the pressure stays zero there
        m = functional.pad(m, (HALO, 0, HALO, HALO)).flatten(1).to(self.dtype)
        return _Shots.apply(m, wavelet.to(self.dtype), self, torch.is_grad_enabled())

    def records(self, m: np.ndarray, wavelet: np.ndarray, keep: bool) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the records of maps of M (maps, cells), and the kept fields of each shot, map by map."""
        shots = self.acquisition.shots
        result = np.zeros((len(m), *self.acquisition.record_shape), m.dtype)
        kept = [self._workspace(m) if keep else np.zeros((0, 0), m.dtype) for _ in range(len(m) * shots)]
        jobs = [
            self._forward(m[k // shots], wavelet, k % shots, kept[k], result[k // shots, k % shots])
            for k in range(len(kept))
        ]
        compiled(shoot, jobs[0])
        self._run(shoot, jobs)
        return result, kept

    def gradient(
        self, m: np.ndarray, wavelet: np.ndarray, kept: list[np.ndarray] | None, residuals: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives by M (maps, cells) and by the wavelet (steps,) from those by the records.

        Without kept fields they are computed again, for as many shots at once as there are threads.
        """
        a = self.acquisition
        by_cell = np.zeros((len(m), a.shots, m.shape[1]), m.dtype)
        by_time = np.zeros((len(m), a.shots, a.steps), m.dtype)

        def go_back(i: int, shot: int) -> None:
            if kept is None:
                fields = self._workspace(m)
                shoot(*self._forward(m[i], wavelet, shot, fields, np.zeros_like(residuals[i, shot])))
            else:
                fields = kept[i * a.shots + shot]
            shoot_back(*self._backward(m[i], shot, fields, residuals[i, shot], (by_cell[i, shot], by_time[i, shot])))

        results = by_cell[0, 0], by_time[0, 0]
        compiled(shoot_back, self._backward(m[0], 0, self._workspace(m), residuals[0, 0], results))
        self._run(go_back, [(i, shot) for i in range(len(m)) for shot in range(a.shots)])
        squares = np.where(m > 0.0, m.astype(np.float64) ** 2, np.inf)
        return self.interval * by_cell.sum(1, dtype=np.float64) / squares, by_time.sum((0, 1), dtype=np.float64)

    def bytes_of_gradient(self, maps: int) -> int:
        """Return about how much memory a gradient takes: fields, those of as many shots as run at once, and sums."""
        shots, kept = maps * self.acquisition.shots, self.bytes_kept(maps)
        at_once = min(shots, self.threads or torch.get_num_threads())
        rows = -(-self.acquisition.steps // self.interval)
        return (kept if kept <= MOST_KEPT else kept // shots * at_once) + kept // rows

    def bytes_kept(self, maps: int) -> int:
        """Return how much memory the fields kept for the gradient take."""
        rows = -(-self.acquisition.steps // self.interval)
        cells = self.width * (self.acquisition.shape[0] + self.sides[2] + self.sides[3] + 2 * HALO)
        return maps * self.acquisition.shots * rows * cells * self.dtype.itemsize

    def _forward(
        self, m: np.ndarray, wavelet: np.ndarray, shot: int, kept: np.ndarray, record: np.ndarray
    ) -> tuple[Any, ...]:
        """Return the arguments of :func:`shoot`."""
        source = self.source[shot]
        amplitudes = m[source] * self._spread(shot)
        where = (self.receivers[shot], self.receiver_weights[shot])
        return (*self._scheme(m), source, amplitudes, wavelet, *where, self.interval, kept, record)

    def _backward(
        self, m: np.ndarray, shot: int, kept: np.ndarray, residual: np.ndarray, results: tuple[np.ndarray, np.ndarray]
    ) -> tuple[Any, ...]:
        """Return the arguments of :func:`shoot_back`."""
        cells = self.receivers[shot]
        where = (self.source[shot], self._spread(shot), cells, m[cells] * self.receiver_weights[shot])
        return (*self._scheme(m), *where, self.interval, kept, residual, *results)

    def _scheme(self, m: np.ndarray) -> tuple[Any, ...]:
        sides, ends = self._layers
        return m, self.width, self.acquisition.free_surface, sides, ends, np.array(STENCIL, m.dtype)

    def _spread(self, shot: int) -> np.ndarray:
        return self.source_weights[shot] * self.source_weights.dtype.type(self.acquisition.spacing**2)

    @cached_property
    def _layers(self) -> tuple[np.ndarray, np.ndarray]:
        """The coefficients a and b of a strip, and those of the layers at the ends, cell by cell."""
        a = self.acquisition
        depth = np.arange(1, WIDTH + 1) / WIDTH
        damping = -3.0 * LAYER_SPEED * log(REFLECTION) / (2.0 * WIDTH * a.spacing) * depth**2
        shift = SHIFT * pi * a.frequency * (1.0 - depth)
        b = np.exp(-(damping + shift) * a.time_step)
        pair = np.stack([damping / (damping + shift) * (b - 1.0), b])
        inner, halo = np.zeros((2, REACH)), np.zeros((2, HALO))
        sides = np.concatenate([inner, inner, pair, halo, pair[:, ::-1], inner], 1)
        ends = np.stack([np.concatenate([pair[:, ::-1], inner], 1), np.concatenate([inner, pair], 1)])
        return sides.reshape(-1).astype(self._numpy), ends.repeat(self.width, 2).astype(self._numpy)

    @property
    def _numpy(self) -> type[np.floating]:
        return np.float32 if self.dtype == torch.float32 else np.float64

    def _flat(self, placed: Placed) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of cells in the flat plane, and their weights."""
        left, _, above, _ = self.sides
        cells = (placed.rows + above + HALO) * self.width + placed.columns + left + HALO
        return cells.astype(np.uint64), np.ascontiguousarray(placed.weights.astype(self._numpy))

    def _workspace(self, m: np.ndarray) -> np.ndarray:
        return np.empty((-(-self.acquisition.steps // self.interval), m.shape[1]), m.dtype)

    def _run(self, function: Callable[..., None], jobs: list[tuple[Any, ...]]) -> None:
        for _ in run_flushed(function, jobs, self.threads or torch.get_num_threads()):
            pass


class _Shots(torch.autograd.Function):
    """Records as a function of M (maps, cells) and the wavelet (steps,)."""

    @staticmethod
    def forward(ctx: Any, m: torch.Tensor, wavelet: torch.Tensor, engine: NumbaEngine, track: bool) -> torch.Tensor:
        needs_fields = track and ctx.needs_input_grad[0]
        if needs_fields:
            remedy = "give fewer maps or shots at once, larger cells or a larger gradient_interval"
            check_memory("the fields for the gradient of the records take", engine.bytes_of_gradient(len(m)), remedy)
        again = needs_fields and engine.bytes_kept(len(m)) > MOST_KEPT
        arrays = np.ascontiguousarray(m.detach().numpy()), np.ascontiguousarray(wavelet.detach().numpy())
        records, kept = engine.records(*arrays, needs_fields and not again)
        ctx.engine, ctx.arrays, ctx.kept = engine, arrays, None if again else kept
        return torch.from_numpy(records)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, residuals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        m, wavelet = ctx.arrays
        by_cell, by_time = ctx.engine.gradient(m, wavelet, ctx.kept, residuals.contiguous().numpy())
        return torch.from_numpy(by_cell.astype(m.dtype)), torch.from_numpy(by_time.astype(m.dtype)), None, None
