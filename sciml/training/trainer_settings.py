"""The keys of a config's ``trainer`` section: those of Lightning that select devices and precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Parameters of lightning.Trainer that are not for a config, and what to do instead.
OWNED = {
    "max_epochs": "the length of a run is the sum of training.phases.N.epochs",
    "min_epochs": "the length of a run is the sum of training.phases.N.epochs",
    "max_steps": "the length of a run is the sum of training.phases.N.epochs",
    "min_steps": "the length of a run is the sum of training.phases.N.epochs",
    "max_time": "a run ends after its epochs, so that it can be repeated; send SIGTERM and resume it later",
    "gradient_clip_val": "set training.gradient_clip",
    "gradient_clip_algorithm": "training.gradient_clip clips the norm",
    "accumulate_grad_batches": "set the batch size in data.init_args",
    "default_root_dir": "the run folder is -o",
    "log_every_n_steps": "metrics.csv has one row per epoch",
    "callbacks": "a run has its callbacks already",
    "plugins": "they belong to the strategy",
    "profiler": "profile the command from outside",
    "barebones": "a run without checkpoints could not be resumed",
    "fast_dev_run": "set training.phases.0.epochs=1 and trainer.limit_train_batches",
    "overfit_batches": "set trainer.limit_train_batches",
    "val_check_interval": "validation comes at the end of epochs; set trainer.check_val_every_n_epoch",
    "num_sanity_val_steps": "a run starts with training",
    "enable_checkpointing": "a run always writes checkpoints",
    "enable_progress_bar": "the bar is shown in a terminal",
    "enable_model_summary": "the header names the parameters",
    "enable_autolog_hparams": "config.yaml is the record",
    "use_distributed_sampler": "the data modules share the samples among ranks themselves",
    "limit_predict_batches": "`sciml predict` takes a file",
    "reload_dataloaders_every_n_epochs": "the data modules order the samples of each epoch themselves",
    "inference_mode": "the task decides about gradients",
    "benchmark": "set trainer.deterministic",
    "model_registry": "runs are local",
}

# Names alone, of those that Lightning knows: with another text it would look for a plugin.
Accelerator = Literal["auto", "cpu", "gpu", "cuda", "mps"]
Strategy = Literal["auto", "ddp", "ddp_find_unused_parameters_true", "fsdp", "fsdp_cpu_offload"]
Precision = Literal["32-true", "64-true", "16-true", "bf16-true", "16-mixed", "bf16-mixed"]


@dataclass(frozen=True)
class TrainerSettings:
    """Arguments that a config passes to ``lightning.Trainer``, under Lightning's names.

    Parameters
    ----------
    accelerator : auto, cpu, gpu (also cuda or mps)
    devices : how many per node, or which; auto takes all
    num_nodes : machines
    strategy : auto, ddp, fsdp, or another one of :data:`Strategy`
    precision : one of the task's ``precisions``, such as 32-true or bf16-mixed
    deterministic : forbid kernels without a fixed order of summation, or only warn
    sync_batchnorm : share batch statistics among ranks
    detect_anomaly : name the operation whose gradient is not finite; slow
    limit_train_batches, limit_val_batches, limit_test_batches : batches of an epoch (int) or their fraction (float)
    check_val_every_n_epoch : epochs between validations
    logger : write TensorBoard's events too; metrics.csv is always written
    """

    accelerator: Accelerator = "auto"
    devices: int | list[int] | Literal["auto"] = 1
    num_nodes: int = 1
    strategy: Strategy = "auto"
    precision: Precision = "32-true"
    deterministic: bool | Literal["warn"] = "warn"
    sync_batchnorm: bool = False
    detect_anomaly: bool = False
    limit_train_batches: int | float | None = None
    limit_val_batches: int | float | None = None
    limit_test_batches: int | float | None = None
    check_val_every_n_epoch: int = 1
    logger: Literal["tensorboard"] | None = None
