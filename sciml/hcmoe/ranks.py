"""Items of a batched solve shared out among the processes of ``torch.distributed``."""

from __future__ import annotations

import torch
from torch import Tensor, distributed

from sciml.errors import InputError


def share_of(items: int) -> slice:
    """Return the consecutive items of this process, whose numbers differ by at most one between processes.

    Raises
    ------
    InputError
        If there is no process group, or there are fewer items than processes.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        raise InputError(
            "experts are to be shared out among processes, expected a process group; call "
            "torch.distributed.init_process_group first, or leave over_ranks=False."
        )
    rank, ranks = distributed.get_rank(), distributed.get_world_size()
    if items < ranks:
        raise InputError(
            f"there are {items} independent solves for {ranks} processes, expected at least one for each; a coupled "
            "instance is one solve; use fewer processes, or more instances."
        )
    return slice(items * rank // ranks, items * (rank + 1) // ranks)


def mean_over_ranks(values: Tensor) -> Tensor:
    """Return the mean of values over all processes, the same on each of them; without a process group the values.

    Parameters
    ----------
    values : of this process, without derivatives
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return values
    total = values.clone()
    distributed.all_reduce(total)
    return total / distributed.get_world_size()


def gathered(own: Tensor, share: slice, items: int) -> Tensor:
    """Return the rows of all processes, ``(items, columns)``, the same on each of them.

    The gradient sums those of all processes. If each computes the same loss, the average of their gradients, as
    ``DistributedDataParallel`` takes it, is the gradient of a single process.

    Parameters
    ----------
    own : ``(items of this process, columns)``
    share : which they are
    items : of all
    """
    before, after = own.new_zeros(share.start, own.shape[1]), own.new_zeros(items - share.stop, own.shape[1])
    return _Sum.apply(torch.cat([before, own, after]))


class _Sum(torch.autograd.Function):
    """The sum over all processes, whose adjoint is the sum over all processes."""

    @staticmethod
    def forward(values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def setup_context(ctx: object, inputs: tuple[Tensor], output: Tensor) -> None:
        """Keep nothing."""

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total
