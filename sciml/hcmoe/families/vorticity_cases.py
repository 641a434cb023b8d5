"""Solutions of flows in a periodic square for validation and tests of operators; training has counters alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sciml.checks import positive, whole_number
from sciml.data.formats import open_dataset
from sciml.data.modules import Draws
from sciml.errors import DataFormatError, InputError
from sciml.hcmoe.families.cases import Batch, each_case, loader
from sciml.hcmoe.periodic_grid import resampled
from sciml.mesh import Grid
from sciml.numerics.random import generator
from sciml.reference.vorticity import LEAST_POINTS, random_vorticity, unresolved_share, velocity, vorticity_flow

VALIDATION, TEST = 1, 2  # streams of the draws
COURANT = 0.5  # of the reference solutions
UNRESOLVED = 0.02  # share of the enstrophy in the last quarter of the wave numbers above which they are none
MEAN = 1e-4  # of a vorticity relative to its largest value, which counts as rounding
SEEDS = 2**31


class VorticityCases(Draws):
    """Flows in a periodic square for an operator: no solution is in a batch of training.

    A batch of training is a counter, by which the task draws instances. Each solution of validation or test is a batch,
    since constraints on large grids fill the memory: ``u``, ``(1, times, places, places)``, at ``times``, of a
    ``start``, and its ``viscosity``, which data sets of earlier versions lack.

    Parameters
    ----------
    batches_per_epoch : of training
    cases : solutions by Fourier series for validation, and twice as many others for tests
    path : of a data set of ``sciml data generate vorticity``, whose solutions are those of the tests instead
    times, places : of the solutions
    duration, viscosity, length : as those of :class:`~sciml.hcmoe.families.vorticity.VorticityFamily`
    resolution : values per axis of the computation, a multiple of the places
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        batches_per_epoch: int = 50,
        cases: int = 4,
        path: str | None = None,
        times: int = 16,
        places: int = 32,
        duration: float = 5.0,
        viscosity: float = 1e-4,
        length: float = 0.8,
        resolution: int = 128,
    ) -> None:
        super().__init__(batches_per_epoch)
        self.cases, self.path = whole_number("the number of cases", cases, at_least=1), path
        self.times, self.places = (
            whole_number("times", times, at_least=2),
            whole_number("places", places, at_least=LEAST_POINTS),
        )
        self.duration, self.viscosity = positive("the duration", duration), positive("the viscosity", viscosity)
        self.length, self.resolution = length, resolution

    def prepare_data(self) -> None:
        """Open the data set of the tests, so that a missing or damaged one is reported before the training."""
        if self.path is not None:
            open_dataset(self.path).close()

    def val_dataloader(self) -> DataLoader:
        """Return the solutions of validation, each a batch."""
        return loader(list(each_case(self._solved(VALIDATION, self.cases))))

    def test_dataloader(self) -> DataLoader:
        """Return the solutions of the tests, each a batch."""
        solved = self._solved(TEST, 2 * self.cases) if self.path is None else read_cases(self.path)
        return loader(list(each_case(solved)))

    def _solved(self, stream: int, count: int) -> Batch:
        fine = starts(self.resolution, count, self.length, generator(0, stream))
        times = torch.linspace(0, self.duration, self.times, dtype=torch.float64)
        flow = solutions(fine, self.viscosity, times)
        share = float(unresolved_share(flow.numpy()).max())
        if share > UNRESOLVED:
            raise InputError(
                f"a solution has {share:.0e} of its enstrophy in the smallest scales, expected at most {UNRESOLVED:g}; "
                f"choose resolution={2 * self.resolution} of the data or a larger viscosity."
            )
        u = resampled(flow, self.places)
        return {"start": u[:, 0], "viscosity": u.new_full((count,), self.viscosity), "times": times, "u": u}


def starts(places: int, count: int, length: float, draws: torch.Generator) -> Tensor:
    """Return random vorticities, ``(count, places, places)``; one state of the generator gives the same on every grid.

    Parameters
    ----------
    places : along each axis
    count : instances
    length : of the kernel
    draws : of their seeds
    """
    seeds = torch.randint(SEEDS, (count,), generator=draws, device=draws.device).tolist()
    fields = [random_vorticity(places, np.random.default_rng(seed), length) for seed in seeds]
    return torch.from_numpy(np.stack(fields))


def solutions(start: Tensor, viscosity: float, times: Tensor) -> Tensor:
    """Return flows at times from 0 on by Fourier series, ``(instances, times, places, places)``.

    Parameters
    ----------
    start : ``(instances, places, places)``
    viscosity : of all
    times : rising from 0
    """
    fields = start.numpy()
    longest = COURANT / (fields.shape[-1] * float(np.abs(velocity(fields)).max()))
    flow = vorticity_flow(fields, viscosity, times[1:].tolist(), longest)
    return torch.from_numpy(np.concatenate([fields[None], flow])).transpose(0, 1).contiguous()


def read_cases(path: str, least_times: int = 2) -> Batch:
    """Return the solutions of a data set of ``sciml data generate vorticity`` as one batch.

    Data sets of earlier versions do not tell their viscosity, which then is not in the batch.

    Parameters
    ----------
    path : of the data set
    least_times : of each solution; 1 where starts alone will do

    Raises
    ------
    DataFormatError
        If it is no such data set, or a value is not finite.
    """
    with open_dataset(path) as data:
        about = data.description
        place = about.places.get(about["vorticity"].place) if "vorticity" in {e.name for e in about.fields} else None
        if (
            not isinstance(place, Grid)
            or place.dim != 2
            or place.shape[0] != place.shape[1]
            or place.shape[0] < LEAST_POINTS
            or not np.all(place.periodic)
            or (tuple(place.lower), tuple(place.upper)) != ((0.0, 0.0), (1.0, 1.0))
            or about["vorticity"].components
            or not about["vorticity"].time_varying
            or not about.trajectories
        ):
            raise DataFormatError(
                f"{path} has no field vorticity in time on the periodic unit square, with as many places along x as "
                f"along y, at least {LEAST_POINTS}, which resolve the starts; generate vorticity."
            )
        times = [torch.from_numpy(np.array(data.times(k), np.float64)) for k in range(about.trajectories)]
        viscosity = about.parameters.get("viscosity")
        u = [torch.from_numpy(data.read("vorticity", k).astype(np.float64)) for k in range(about.trajectories)]
    if len(times[0]) < least_times or float(times[0][0]) != 0 or any(not torch.equal(each, times[0]) for each in times):
        raise DataFormatError(
            f"{path} has trajectories at different times, or not from 0 on; expected the same from 0."
        )
    if not all(bool(each.isfinite().all()) for each in u):
        raise DataFormatError(f"vorticity of {path} has values that are not finite, expected finite numbers.")
    if len(times[0]) > 1 and not all(bool(each.any()) for each in u):
        raise DataFormatError(
            f"a vorticity of {path} is 0 everywhere, expected solutions, which errors are relative to."
        )
    fields = torch.stack(u)
    means, largest = fields.mean((2, 3), keepdim=True), fields.abs().amax((2, 3), keepdim=True)
    if bool((means.abs() > MEAN * largest).any()):
        raise DataFormatError(
            f"a vorticity of {path} has a mean of {float(means.abs().max()):g}, expected 0, as that of a periodic flow "
            "is; subtract it."
        )
    fields = fields - means  # which is that of rounding in single precision
    told = {} if viscosity is None else {"viscosity": _viscosities(viscosity, len(fields), path)}
    return {"start": fields[:, 0], **told, "times": times[0], "u": fields}


def _viscosities(values: np.ndarray, count: int, path: str) -> Tensor:
    """Return the viscosities of a data set, one for each solution."""
    found = np.asarray(values, np.float64)
    if found.shape != (count,) or not bool((np.isfinite(found) & (found > 0)).all()):
        raise DataFormatError(
            f"the viscosity of {path} is {found.ravel()[:3].tolist()} with the shape {found.shape}, expected a "
            f"positive number for each of {count} trajectories."
        )
    return torch.from_numpy(found)
