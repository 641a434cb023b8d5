"""The network that corrects coarse transmissibilities, invariant under the symmetries of a coarse face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from sciml import weights as published
from sciml.checks import choice, positive, whole_number
from sciml.errors import InputError
from sciml.reference.upscaling import Blocks, Transmissibilities, average_transmissibilities
from sciml.reference.upscaling_local import extended_local_transmissibilities, local_transmissibilities

SHIPPED = "upscaling_2d_cpu"
TASK = "sciml.cgs.upscaling.UpscalingTask"  # which trains the network
BaseName = Literal["averages", "local", "extended"]
BASES: dict[str, Callable[..., Transmissibilities]] = {
    "averages": average_transmissibilities,
    "local": local_transmissibilities,
    "extended": extended_local_transmissibilities,
}
FACES = 4096  # that the network sees at once: their windows fit into a cache


class TransmissibilityNet(nn.Module):
    """The logarithm of a coarse transmissibility relative to a classical one, from log k around the face.

    The window of a face holds its two blocks and a ring around them, mirrored at the sides of the box; the mean of
    log k over the blocks is subtracted. The result is the same for all mirror images of a window, and in 3-D for the
    exchange of the two axes across, because the first two layers are evaluated for each of them and averaged. The first
    layer costs no more than a single evaluation: it acts on the parts of the window that are even and odd along each
    axis, whose images differ in sign alone.

    Parameters
    ----------
    dimension : 2 or 3
    factor : cells of a block along each axis
    ring : cells around the two blocks; half a block by default
    hidden : units of each of the three hidden layers
    base : what is corrected: ``"averages"``, ``"local"`` or ``"extended"`` local flow-based transmissibilities
    bound : c > 0, the largest correction of log T, as c tanh(g / c)
    """

    def __init__(
        self,
        dimension: int = 2,
        factor: int = 8,
        ring: int | None = None,
        hidden: int = 64,
        base: BaseName = "local",
        bound: float = 3.0,
    ) -> None:
        super().__init__()
        choice("the dimension", dimension, (2, 3))
        choice("the base", base, tuple(BASES))
        self.dimension, self.base = dimension, base
        self.factor = whole_number("the factor", factor, at_least=1)
        self.ring = whole_number("the ring", factor // 2 if ring is None else ring, at_least=0)
        self.bound = positive("the bound", bound)
        whole_number("hidden", hidden, at_least=1)
        self.window = (2 * (factor + self.ring), *(factor + 2 * self.ring,) * (dimension - 1))
        sizes = [part.numel() for part in _parities(torch.zeros(self.window), dimension)]
        self.first = nn.ModuleList(nn.Linear(size, hidden, bias=not k) for k, size in enumerate(sizes) if size)
        self.second, self.third = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        signs = torch.ones(1, 1)
        for _ in range(dimension):
            signs = torch.kron(signs, torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
        self.register_buffer("signs", signs[:, [k for k, size in enumerate(sizes) if size]], persistent=False)

    def forward(self, windows: Tensor) -> Tensor:
        """Return the correction of log T.

        Parameters
        ----------
        windows : log k, of shape (..., along, across[, across])
        """
        d = self.dimension
        inside = (..., *(slice(self.ring, n - self.ring) for n in self.window))
        axes = tuple(range(-d, 0))
        values = windows - windows[inside].mean(dim=axes, keepdim=True)
        images = [values] if d == 2 else [values, values.transpose(-1, -2)]
        hidden = torch.cat([self._images(image) for image in images], dim=-2)
        pooled = silu(self.second(silu(hidden))).mean(dim=-2)
        return self.bound * torch.tanh(self.last(silu(self.third(pooled)))[..., 0] / self.bound)

    def _images(self, values: Tensor) -> Tensor:
        """Return the first layer, before its activation, for each mirror image, of shape (..., images, hidden)."""
        parts = [part for part in _parities(values, self.dimension) if part.shape[-1]]
        return self.signs @ torch.stack([layer(part) for layer, part in zip(self.first, parts, strict=True)], dim=-2)

    def corrections(self, log_k: Tensor) -> list[Tensor]:
        """Return the correction of log T for the faces along each axis.

        Parameters
        ----------
        log_k : of shape ``(batch, *cells)``

        Returns
        -------
        list of Tensor
            Per axis ``(batch, *faces)``, with one entry more than blocks along that axis.
        """
        return [self(self.windows(log_k, axis)) for axis in range(self.dimension)]

    def windows(self, log_k: Tensor, axis: int) -> Tensor:
        """Return the cells around each face along an axis, ``(batch, *faces, along, across[, across])``."""
        d, f, result = self.dimension, self.factor, log_k
        for a in range(d):
            width = self.ring + f * (a == axis)
            indices = np.pad(np.arange(log_k.shape[a + 1]), width, mode="symmetric")
            result = result.index_select(a + 1, torch.from_numpy(indices).to(log_k.device))
        for a in range(d):
            result = result.unfold(a + 1, self.window[0 if a == axis else 1], f)
        return result.movedim(d + 1 + axis, d + 1)

    @torch.no_grad()
    def transmissibilities(self, coefficient: np.ndarray, spacing: float | Sequence[float] = 1.0) -> Transmissibilities:
        """Return the transmissibilities of the blocks of a coefficient.

        Parameters
        ----------
        coefficient : k > 0, of shape (nx, ny) or (nx, ny, nz), of which the factor divides each extent
        spacing : cell size h, the same along each axis

        Raises
        ------
        InputError
            If the network is of another dimension, the cells are not cubes, or the factor does not divide the shape.
        """
        blocks = Blocks(coefficient, self.factor, spacing)
        if blocks.dimension != self.dimension:
            raise InputError(
                f"the coefficient has shape {blocks.coefficient.shape}, expected {self.dimension} axes, as those of "
                "the fields of training; train in the other dimension."
            )
        if len(set(blocks.spacing)) > 1:
            raise InputError(f"the spacing is {blocks.spacing}, expected the same along each axis, as in training.")
        base = BASES[self.base](blocks.coefficient, self.factor, blocks.spacing)
        log_k = torch.from_numpy(np.log(blocks.coefficient))[None].to(self.last.weight)
        faces = []
        for axis, classical in enumerate(base.faces):
            # several rows of faces at a time
            windows, rows = self.windows(log_k, axis)[0], max(1, FACES * len(classical) // classical.size)
            found = torch.cat([self(windows[start : start + rows]) for start in range(0, len(windows), rows)])
            faces.append(classical * np.exp(found.double().cpu().numpy()))
        return Transmissibilities(tuple(faces))


def all_transmissibilities(network: TransmissibilityNet, coefficient: np.ndarray) -> dict[str, Transmissibilities]:
    """Return those of a network, ``"learned"``, and of every classical method, by its name, with the spacing 1."""
    classical = {name: upscale(coefficient, network.factor) for name, upscale in BASES.items()}
    return {"learned": network.transmissibilities(coefficient), **classical}


def _parities(values: Tensor, dimension: int) -> list[Tensor]:
    """Return the parts of windows that are even or odd along each axis, flat, in the order of binary numbers."""
    parts = [values]
    for axis in range(-dimension, 0):
        split = []
        for part in parts:
            half, mirrored = part.shape[axis] // 2, part.flip(axis)
            even, odd = part + mirrored, part - mirrored
            split += [even.narrow(axis, 0, part.shape[axis] - half), odd.narrow(axis, 0, half)]
        parts = split
    return [0.5**dimension * part.flatten(-dimension) for part in parts]


def learned_transmissibilities(
    coefficient: np.ndarray,
    spacing: float | Sequence[float] = 1.0,
    *,
    weights: str | Path | None = None,
) -> Transmissibilities:
    """Return coarse transmissibilities by a trained network.

    Parameters
    ----------
    coefficient, spacing : as of :meth:`TransmissibilityNet.transmissibilities`
    weights : name of published weights, or a ``.safetensors`` file beside its ``.yaml``; None for those published for
        blocks of 8 x 8 cells
    """
    path = published.find(SHIPPED if weights is None else weights, "cgs")
    return published.load(path, TASK, "network.", published.from_arguments(TransmissibilityNet)).transmissibilities(
        coefficient, spacing
    )
