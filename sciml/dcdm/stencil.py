"""The operator of a voxel Poisson problem on torch images, for batches, any device, and autograd."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sciml.linalg import VoxelPoisson


class StencilOperator:
    """The operator A as a function of images: (A q)_c = D_c q_c - sum over neighbours n of w_cn q_n.

    Parameters
    ----------
    problem : supplies the mask of unknowns, the diagonal D and the couplings w
    dtype, device : of the images

    Attributes
    ----------
    fluid : mask of the unknowns, shape of the problem
    unknowns : number of them
    """

    def __init__(self, problem: VoxelPoisson, dtype: torch.dtype, device: torch.device | str = "cpu") -> None:
        def tensor(values: object) -> Tensor:
            return torch.as_tensor(values, dtype=dtype, device=device)

        dimension = len(problem.shape)
        self.shape, self.unknowns = problem.shape, problem.unknowns
        self.fluid = torch.as_tensor(problem.fluid, device=device)
        self._all_fluid = bool(problem.fluid.all())
        self._diagonal = tensor(problem.diagonal)
        # what couples the first of two neighbours along an axis to the second
        inner = [(slice(None),) * axis + (slice(1, -1),) for axis in range(dimension)]
        self._couplings = [tensor(problem.face_weights_along(axis)[inner[axis]]) for axis in range(dimension)]

    def to(self, device: torch.device | str, **options: object) -> StencilOperator:
        """Move the couplings to a device, in place."""
        self.fluid, self._diagonal = self.fluid.to(device), self._diagonal.to(device)
        self._couplings = [couplings.to(device) for couplings in self._couplings]
        return self

    def mask(self, images: Tensor) -> Tensor:
        """Return the images with 0 off the unknowns."""
        return images if self._all_fluid else torch.where(self.fluid, images, 0.0)

    def __call__(self, images: Tensor) -> Tensor:
        """Return A q for images q of shape (..., *cells) that are 0 off the unknowns; the result is 0 there too."""
        result = self._diagonal * images
        dimension = len(self.shape)
        for axis, couplings in enumerate(self._couplings):
            along, count = axis - dimension, self.shape[axis] - 1
            side = 2 * (dimension - 1 - axis)  # pad counts its pairs from the last axis
            low, high = [0] * (2 * dimension), [0] * (2 * dimension)
            low[side], high[side + 1] = 1, 1
            left, right = images.narrow(along, 0, count), images.narrow(along, 1, count)
            result = result - F.pad(couplings * left, low) - F.pad(couplings * right, high)
        return result
