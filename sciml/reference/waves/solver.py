"""Records of velocity maps by any of the engines, differentiable in the maps and in the wavelet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from types import MappingProxyType
from typing import Literal

import torch
from torch import nn

from sciml.checks import choice, instance, real_tensor, shape, whole_number
from sciml.errors import InputError
from sciml.memory import check_memory
from sciml.reference.waves.acquisition import Acquisition
from sciml.reference.waves.velocities import check_velocities

Engine = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
DTYPES = {"single": torch.float32, "double": torch.float64}
SAMPLES_PER_PERIOD = 13.0  # of the peak frequency, at which the gradient's sum over time is taken


class WaveSolver(nn.Module):
    """The records of velocity maps under an acquisition, with OpenFWI's sign and samples.

        p_tt = v^2 (Laplacian p + s d)

    with p and p_t zero at the beginning, and d one on the cell of the source and zero elsewhere; sample n is p after
    the n-th value of the wavelet.

    Parameters
    ----------
    acquisition : what is shot and recorded
    engine : ``"numba"``, on the CPU; ``"host"``, OpenFWI's own scheme, which makes data and has no derivatives;
        ``"deepwave"``, on the device of the maps, with the extra ``seismic``
    precision : of the fields and the records, ``"single"`` or ``"double"``
    gradient_interval : every how many steps the gradient's sum over time is taken. By default about 13 times per period
        of the peak frequency, which for OpenFWI is every fifth step and changes the gradient by 1e-6 of its size, by
        5e-4 if the residuals are white noise; with 1 the gradient is that of the discrete records
    threads : shots computed at once, by default as many as torch uses; the records have the same bits for any number

    Attributes
    ----------
    count : float
        Solves so far: half a solve for the records of a map, half for its gradient, each with all shots.

    Examples
    --------
    >>> solver = WaveSolver(Acquisition.openfwi())
    >>> records = solver(torch.full((1, 70, 70), 2000.0))
    >>> records.shape, solver.count
    (torch.Size([1, 5, 1000, 70]), 0.5)
    """

    def __init__(
        self,
        acquisition: Acquisition,
        engine: Literal["numba", "host", "deepwave"] = "numba",
        *,
        precision: Literal["single", "double"] = "single",
        gradient_interval: int | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__()
        self.acquisition = instance("the acquisition", acquisition, Acquisition, "an Acquisition")
        choice("the engine of a wave solver", engine, ENGINES)
        choice("the precision of a wave solver", precision, DTYPES)
        if gradient_interval is None:
            gradient_interval = max(1, int(1.0 / (SAMPLES_PER_PERIOD * acquisition.frequency * acquisition.time_step)))
        whole_number("the gradient interval", gradient_interval, at_least=1)
        if threads is not None:
            whole_number("the number of threads", threads, at_least=1)
        self.count, self.gradient_interval = 0.0, gradient_interval
        self.dtype = DTYPES[precision]
        self.engine = ENGINES[engine](acquisition, self.dtype, gradient_interval, threads)

    def forward(self, velocities: torch.Tensor, wavelet: torch.Tensor | None = None) -> torch.Tensor:
        """Return the records (maps, shots, steps, receivers) of velocity maps (maps, nz, nx) in m/s.

        Parameters
        ----------
        velocities : floating point of any width
        wavelet : (steps,), that of the acquisition by default

        Raises
        ------
        InputError
            If the acquisition cannot carry a map; see :func:`sciml.reference.waves.velocities.check_velocities`. If
            the records, or the fields for their gradient, do not fit into the memory.
        """
        check_velocities(velocities, self.acquisition)
        if wavelet is None:
            wavelet = torch.tensor(self.acquisition.wavelet)
        else:
            shape("the wavelet", real_tensor("the wavelet", wavelet), (self.acquisition.steps,))
        if not len(velocities):
            return velocities.new_zeros((0, *self.acquisition.record_shape), dtype=self.dtype)
        if velocities.device.type == "cpu":
            size = len(velocities) * prod(self.acquisition.record_shape) * self.dtype.itemsize
            check_memory("the records take", size, "give fewer maps, shots or receivers at once")
        records = self.engine(velocities, wavelet)
        self.count += 0.5 * len(velocities)
        if records.requires_grad:
            records.register_hook(lambda gradient: self._count_gradient(len(velocities)))
        return records

    def _count_gradient(self, maps: int) -> None:
        self.count += 0.5 * maps


def _numba(acquisition: Acquisition, dtype: torch.dtype, interval: int, threads: int | None) -> Engine:
    from sciml.reference.waves.numba_engine import NumbaEngine

    return partial(_on_cpu, NumbaEngine(acquisition, dtype, interval, threads))


def _host(acquisition: Acquisition, dtype: torch.dtype, interval: int, threads: int | None) -> Engine:
    from sciml.reference.waves.host_engine import HostEngine

    return partial(_on_cpu, HostEngine(acquisition, dtype, threads))


def _by_deepwave(acquisition: Acquisition, dtype: torch.dtype, interval: int, threads: int | None) -> Engine:
    from sciml.reference.waves.deepwave_engine import DeepwaveEngine

    return DeepwaveEngine(acquisition, dtype, interval)


def _on_cpu(engine: Engine, velocities: torch.Tensor, wavelet: torch.Tensor) -> torch.Tensor:
    """Return the records of an engine that takes tensors of the CPU alone."""
    for name, values in (("velocity maps", velocities), ("wavelet", wavelet)):
        if values.device.type != "cpu":
            raise InputError(
                f"the {name} are on the device {values.device}, expected the CPU for this engine; take the engine "
                "'deepwave', or move them."
            )
    return engine(velocities, wavelet)


ENGINES: Mapping[str, Callable[[Acquisition, torch.dtype, int, int | None], Engine]] = MappingProxyType(
    {"numba": _numba, "host": _host, "deepwave": _by_deepwave}
)
