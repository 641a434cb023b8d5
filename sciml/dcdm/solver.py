"""A trained network as a set of search directions, and the published weights that it can be read from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sciml import weights as published
from sciml.dcdm.iteration import Directions
from sciml.dcdm.model import DirectionNet
from sciml.dcdm.stencil import StencilOperator
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson

COARSEST = 8
TASK = "sciml.dcdm.DirectionTask"  # which trains the network


def directions(network: DirectionNet, problem: VoxelPoisson, scales: int | None = None) -> list[Directions]:
    """Return f on each scale, the coarsest first: float64 unit residual to direction, of the shape of the problem.

    Parameters
    ----------
    network : trained, of the dimension of the problem
    problem : the system
    scales : 1 for the full resolution alone; None for as many as leave 8 cells along the shortest axis
    """
    operator = StencilOperator(problem, torch.float32, next(network.parameters()).device)
    if scales is None:
        scales = 1 + max(0, int(math.log2(min(problem.shape) / COARSEST)))
    return [_on_scale(network, operator, 2**level) for level in range(scales - 1, -1, -1)]


def _on_scale(network: DirectionNet, operator: StencilOperator, factor: int) -> Directions:
    def apply(unit: Tensor) -> Tensor:
        with torch.inference_mode():
            image = unit.to(torch.float32)[None, None]
            if factor == 1:
                q = network.directions(image, operator)
            else:
                q = network.coarse_directions(image, operator, factor)
            return q[0, 0].to(unit.dtype)

    return apply


def network_for(problem: VoxelPoisson, weights: str | Path | None = None) -> DirectionNet:
    """Return the network with these weights, or with the published ones that are nearest to a problem."""
    dimension = len(problem.shape)
    return read_network(weights, dimension, round(problem.unknowns ** (1 / dimension)))


def read_network(weights: str | Path | None, dimension: int, size: int) -> DirectionNet:
    """Return a network, fixed, with weights given by name or file, or the published ones nearest to a size."""
    path = published.find(_nearest(dimension, size) if weights is None else weights, "dcdm")
    return published.load(path, TASK, "network.", published.from_arguments(DirectionNet))


def shipped() -> dict[str, dict[str, Any]]:
    """Return the published networks by name: dimension, size of the training problems, and the config of their run."""
    found = {}
    for path in published.shipped("dcdm").values():
        card = published.read_card(path)
        if card.class_path == TASK:
            data = card.config["data"]["init_args"]
            sizes = {"dimension": data["dimension"], "size": max(data["sizes"])}
            found[path.stem] = sizes | {"method": "dcdm"} | card.values
    return found


def _nearest(dimension: int, size: int) -> str:
    """Return the name of the published weights of a dimension with the nearest training size, in the logarithm."""
    names = {name: about["size"] for name, about in shipped().items() if about["dimension"] == dimension}
    if not names:
        raise InputError(f"no weights for {dimension}-D problems are published; train some and pass the file.")
    return min(names, key=lambda name: abs(math.log(max(size, 1) / names[name])))
