"""Jets beside nested automatic differentiation, for ``sciml bench insr``: value, gradient, diagonal of the Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacfwd, jacrev, vmap

from sciml.bench.measure import interleave, load_average, timed
from sciml.bench.worker import Job
from sciml.nets import FourierNetwork, Siren, TanhNetwork
from sciml.numerics.random import generator, seeded

DIMENSION, WIDTH = 2, 32
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "sine": lambda: Siren(DIMENSION, width=WIDTH, hidden_layers=2, frequency=5.0),
    "tanh": lambda: TanhNetwork(DIMENSION, width=WIDTH, layers=3),
    "Fourier": lambda: FourierNetwork(DIMENSION, width=WIDTH, layers=2),
}
Derivatives = Callable[[nn.Module, Tensor], tuple[Tensor, Tensor, Tensor]]


def jets(job: Job) -> dict[str, Any]:
    """Compare on ``job["points"]`` points, each method ``job["repetitions"]`` times ``job["calls"]`` calls, in turn.

    Returns
    -------
    dict
        ``networks``: by name ``parameters``; ``difference``, the largest one between jets and another method relative
        to the largest value; ``seconds`` of a call, without and (``training``) with the gradient over the parameters,
        by method, a list over the repetitions.
    """
    found = {}
    for name, make in NETWORKS.items():
        with seeded(job["seed"]):
            network = make().double()
        points = 2 * torch.rand(job["points"], DIMENSION, generator=generator(job["seed"]), dtype=torch.float64) - 1
        found[name] = {
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "difference": _difference(network, points),
            "seconds": _seconds(job, network, points, derivatives),
            "training": _seconds(job, network, points, weight_gradient),
        }
    return {"networks": found, "load": load_average()}


def by_jets(network: nn.Module, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return value ``(n,)``, gradient ``(n, dim)`` and second derivatives along the axes ``(n, dim)``, in one pass."""
    jet = network(points, 2)
    return jet.value[:, 0], jet.first[:, :, 0].T, jet.second[:, :, 0].T


def by_backward_passes(network: nn.Module, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same by ``torch.autograd.grad`` of ``torch.autograd.grad``, as PINNs do it."""
    points = points.detach().requires_grad_()
    value = network(points)[:, 0]
    (gradient,) = torch.autograd.grad(value.sum(), points, create_graph=True)
    second = [
        torch.autograd.grad(gradient[:, axis].sum(), points, create_graph=True)[0][:, axis]
        for axis in range(points.shape[1])
    ]
    return value, gradient, torch.stack(second, 1)


def by_functions(outer: Callable[..., Any], inner: Callable[..., Any]) -> Derivatives:
    """Return the same by nested transformations of ``torch.func``, point by point."""

    def evaluate(network: nn.Module, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights = dict(network.named_parameters()) | dict(network.named_buffers())

        def value(point: Tensor) -> Tensor:
            return functional_call(network, weights, (point[None],))[0, 0]

        def slopes(point: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            u = value(point)
            gradient = inner(value)(point)
            return gradient, (u, gradient)

        second, (values, gradients) = vmap(outer(slopes, has_aux=True))(points)
        return values, gradients, second.diagonal(dim1=1, dim2=2)

    return evaluate


METHODS: dict[str, Derivatives] = {
    "jets": by_jets,
    "backward": by_backward_passes,
    "forward": by_functions(jacfwd, jacfwd),
    "mixed": by_functions(jacfwd, jacrev),
}


def derivatives(method: Derivatives, network: nn.Module, points: Tensor) -> object:
    """Compute the derivatives and nothing else."""
    return method(network, points)


def weight_gradient(method: Derivatives, network: nn.Module, points: Tensor) -> object:
    """Compute the derivatives, and the gradient of their mean square over the parameters."""
    loss = sum(part.square().mean() for part in method(network, points))
    return torch.autograd.grad(loss, list(network.parameters()))


def _difference(network: nn.Module, points: Tensor) -> float:
    with torch.no_grad():
        found = by_jets(network, points)
    differences = []
    for name, method in METHODS.items():
        if name != "jets":
            others = method(network, points)
            differences += [
                float((a - b).detach().abs().max() / b.detach().abs().max()) for a, b in zip(found, others, strict=True)
            ]
    return max(differences)


def _seconds(job: Job, network: nn.Module, points: Tensor, task: Callable[..., object]) -> dict[str, list[float]]:
    for method in METHODS.values():
        task(method, network, points)
    found: dict[str, list[float]] = {name: [] for name in METHODS}
    for name in interleave(dict.fromkeys(METHODS, job["repetitions"])):
        method = METHODS[name]
        _, _, seconds = timed(lambda method=method: [task(method, network, points) for _ in range(job["calls"])])
        found[name].append(seconds / job["calls"])
    return found
