"""Weights of Latent U-Nets as Gupta et al. published them, with the names of their networks.

Their checkpoints (Zenodo 15226768 and 15226366) are pickles that hold more than tensors; take their tensors out with a
program that you trust, such as ``torch.load(file, weights_only=True)["model"]`` with ``argparse.Namespace`` allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sciml.checks import positive
from sciml.errors import InputError
from sciml.gfi.networks.latent import ForwardLatentUNet, LatentUNet
from sciml.weights import assign

_PARTS = {"amp_model": "records", "vel_model": "maps", "unet_model": "translation"}
_WRAPPERS = re.compile(r"\.(block|double_conv|maxpool_conv\.0|conv|conv_block)(?=\.)")


def load_published(
    network: LatentUNet | ForwardLatentUNet,
    tensors: Mapping[str, Tensor],
    *,
    records_mean: float,
    records_deviation: float,
) -> None:
    """Give a Latent U-Net the published weights, and the scale of the records that they were trained with.

    Parameters
    ----------
    network : of the same size, latent and ``skip``, with ``legacy_wiring``
    tensors : by the published names, such as ``unet_model.encoder.0.block.0.maxpool_conv.0.double_conv.0.weight``
    records_mean, records_deviation : ``data_mean`` and ``data_std`` in the authors' ``dataset_config.json``

    Raises
    ------
    InputError
        If the network has the other wiring, or a name is none of theirs.
    CheckpointError
        If the tensors are those of another network.
    """
    if not network.translation.legacy_wiring:
        raise InputError(
            "the published weights belong to the published wiring, expected a network made with legacy_wiring."
        )
    renamed = {_own_name(name, network.translation.depth): tensor for name, tensor in tensors.items()}
    positive("records_deviation", records_deviation)
    own = {f"scales.{name}": tensor for name, tensor in network.scales.state_dict().items()}
    assign(network, own | renamed, Path("the published weights"))
    network.scales.mean.fill_(records_mean)
    network.scales.deviation.fill_(records_deviation)
    network.scales.is_fitted.fill_(True)


def _own_name(name: str, depth: int) -> str:
    part, _, rest = name.removeprefix("module.").partition(".")  # of DistributedDataParallel
    if part not in _PARTS:
        raise InputError(f"{name} is none of the published names, expected one that begins with {', '.join(_PARTS)}.")
    rest = _WRAPPERS.sub("", f".{rest}").replace("coder_layers.", "coder.")
    if part == "unet_model":
        rest = rest.replace(f".decoder.{depth}.", ".head.")
    return f"{_PARTS[part]}{rest}"
