"""Optimisers by name. All of them step through a closure that evaluates the loss and its gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from sciml.checks import choice
from sciml.errors import ConfigError, MissingExtraError
from sciml.numerics.least_squares_optimizer import LeastSquaresOptimizer

OPTIMIZERS = ("adam", "adamw", "adamax", "soap", "lbfgs", "least_squares")
OptimizerOption = bool | int | float | str | list[float] | None  # a value of an option, such as betas


def make_optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    weight_decay: float = 0.0,
    options: Mapping[str, OptimizerOption] | None = None,
) -> torch.optim.Optimizer:
    """Return a new optimiser by its name.

    Parameters
    ----------
    name : ``"adam"``, ``"adamw"``, ``"adamax"``, ``"soap"``, ``"lbfgs"`` or ``"least_squares"``
    parameters : what it optimises
    learning_rate : of the first update; least squares has none
    weight_decay : for Adam, AdamW, Adamax and SOAP
    options : further arguments of its constructor by name

    Raises
    ------
    InputError
        If there is no optimiser of that name.
    ConfigError
        If the optimiser does not take the options.
    MissingExtraError
        If the package that SOAP comes from is not installed.

    References
    ----------
    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 2 (Adamax).
    Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", ICLR 2025.
    """
    choice("the optimizer", name, OPTIMIZERS)
    given = dict(options or {})
    parameters = list(parameters)
    try:
        if name == "adam":
            return torch.optim.Adam(parameters, learning_rate, weight_decay=weight_decay, **given)
        if name == "adamw":
            return torch.optim.AdamW(parameters, learning_rate, weight_decay=weight_decay, **given)
        if name == "adamax":
            return torch.optim.Adamax(parameters, learning_rate, weight_decay=weight_decay, **given)
        if name == "soap":
            return _soap()(parameters, learning_rate, weight_decay=weight_decay, **given)
        if name == "lbfgs":
            # torch stops at changes of 1e-9, where the loss of a network for an equation is still falling.
            tolerances = {"tolerance_grad": 1e-12, "tolerance_change": 1e-12}
            given = {"history_size": 50, "line_search_fn": "strong_wolfe", **tolerances, **given}
            return torch.optim.LBFGS(parameters, learning_rate, **given)
        return LeastSquaresOptimizer(parameters, **given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the optimizer {name} does not take the options {dict(options or {})}: {error}.") from error


def _soap() -> type[torch.optim.Optimizer]:
    try:
        from pytorch_optimizer import SOAP
    except ImportError as error:
        raise MissingExtraError(
            "the optimizer soap needs the package pytorch-optimizer; install it, or choose another optimizer."
        ) from error
    return SOAP
