"""One training backbone for every method.

A method is a :class:`~sciml.training.task.Task`: it owns networks and says what its loss on one batch is. How it is
trained is a :class:`~sciml.training.settings.Training`: phases, each with an optimiser and a schedule. A task that
updates its weights itself, such as by time steps, needs no optimiser and no data; one that writes a solution is run by
``sciml solve``.

The trainer is Lightning's, and the same command runs on one process, on several GPUs and on several machines. What
differs is the launcher and the ``trainer`` part of the config, which Lightning's ``Trainer`` receives::

    sciml train CONFIG -o DIR                                                           one process
    sciml train CONFIG -o DIR trainer.devices=4 trainer.strategy=ddp                    it starts the other three itself
    torchrun --nproc-per-node=4 -m sciml train CONFIG -o DIR trainer.devices=4 trainer.strategy=ddp
    srun --nodes=2 --ntasks-per-node=4 python -m sciml train CONFIG -o DIR \\
        trainer.num_nodes=2 trainer.devices=4 trainer.strategy=ddp                      in a batch script of SLURM

Under torchrun and SLURM each process finds its rank in its environment. ``torchrun`` on several machines takes
``--nnodes`` and ``--rdzv-endpoint``, with ``trainer.num_nodes`` to match. ``trainer.strategy=fsdp`` shards the weights
of a network that does not fit on one GPU, ``trainer.precision=bf16-mixed`` halves its activations where the task stands
it. On the CPU, ``trainer.accelerator=cpu trainer.devices=2`` makes two ranks that talk through gloo.

Batches are per rank: N ranks with batches of b samples do what one process does with batches of N b. Each rank draws
its own points, because :meth:`~sciml.training.task.Task.generator` depends on the rank.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.training.solved_field import SolvedField, load_field
    from sciml.training.stored import load_task

_HOMES = {
    "SolvedField": "sciml.training.solved_field",
    "load_field": "sciml.training.solved_field",
    "load_task": "sciml.training.stored",
}
__all__ = ["SolvedField", "load_field", "load_task"]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
