"""Weights of Latent U-Nets and X-Nets as Gupta et al. published them, with the names of their networks.

Their checkpoints (Zenodo 15226768 and 15226366) are pickles that hold more than tensors; take their tensors out with a
program that you trust, such as ``torch.load(file, weights_only=True)["model"]`` with ``argparse.Namespace`` allowed.

A task predicts with these weights as soon as it knows their acquisition::

    network = LatentUNet("large", legacy_wiring=True)
    load_published(network, tensors, records_mean=-5.1e-5, records_deviation=1.4870)  # of CurveVel-A
    task = InversionTask(network)
    task.stored_acquisition.keep(Acquisition.openfwi())
    task.eval().predict_file(Path("records.npy"), Path("map.xdmf"))
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sciml.checks import positive
from sciml.errors import InputError
from sciml.gfi.networks.latent import ForwardLatentUNet, InvertibleXNet, LatentUNet
from sciml.weights import assign

_PARTS = {"amp_model": "records", "vel_model": "maps", "unet_model": "translation", "iunet_model": "bijection"}
_WRAPPERS = re.compile(r"\.(block|double_conv|maxpool_conv\.0|conv|conv_block)(?=\.)")
_OF_IUNETS = {
    ".encoder_modules.": ".down.",
    ".decoder_modules.": ".up.",
    ".downsampling_layers.": ".halvings.",
    ".upsampling_layers.": ".doublings.",
    "._fn.F.seq.": ".function.",
    "._fn.F.F.": ".function.",  # iunets keeps the layers of a coupling under two names
    "._fn.": ".",
}


def load_published(
    network: LatentUNet | ForwardLatentUNet | InvertibleXNet,
    tensors: Mapping[str, Tensor],
    *,
    records_mean: float,
    records_deviation: float,
) -> None:
    """Give a Latent U-Net or an X-Net the published weights, and the scale of the records that they were trained with.

    Parameters
    ----------
    network : of the same size, latent and ``skip``, with ``legacy_wiring``; an X-Net of ``latent`` 70
    tensors : by the published names, such as ``unet_model.encoder.0.block.0.maxpool_conv.0.double_conv.0.weight``
    records_mean, records_deviation : ``data_mean`` and ``data_std`` in the authors' ``dataset_config.json``

    Raises
    ------
    InputError
        If the network differs from the published one, or a name is none of theirs.
    CheckpointError
        If the tensors are those of another network.
    """
    if not network.is_as_published:
        raise InputError(
            f"the published weights belong to another network, expected one made with {network.published}."
        )
    positive("records_deviation", records_deviation)
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        own = _own_name(name)
        if own in renamed and not torch.equal(renamed[own], tensor):
            raise InputError(
                f"{name} differs from the tensor of the same layer under its other name; get the file again."
            )
        renamed[own] = tensor
    scales = {f"scales.{name}": tensor for name, tensor in network.scales.state_dict().items()}
    assign(network, scales | renamed, Path("the published weights"))
    network.scales.mean.fill_(records_mean)
    network.scales.deviation.fill_(records_deviation)
    network.scales.is_fitted.fill_(True)


def _own_name(name: str) -> str:
    part, _, rest = name.removeprefix("module.").partition(".")  # of DistributedDataParallel
    if part not in _PARTS:
        raise InputError(f"{name} is none of the published names, expected one that begins with {', '.join(_PARTS)}.")
    rest = f".{rest}"
    if part == "iunet_model":
        for theirs, ours in _OF_IUNETS.items():
            rest = rest.replace(theirs, ours)
    else:
        rest = _WRAPPERS.sub("", rest).replace("coder_layers.", "coder.")
    if part == "unet_model":
        rest = rest.replace(f".decoder.{LatentUNet.depth}.", ".head.")
    return f"{_PARTS[part]}{rest}"
