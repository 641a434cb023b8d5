"""Generalised forward and inverse modelling of seismic waves: velocity maps from records, and records from maps.

Networks of Gupta et al., *A unified framework for forward and inverse problems in subsurface imaging using latent space
translations* (GFI), ICLR 2025: autoencoders of records and of maps, and a translation between their latent images, by a
U-Net for each way or by one bijection for both, the Invertible X-Net. Beside them InversionNet, WaveformNet, a Fourier
neural operator, Auto-Linear, and a small transformer of columns that a CPU trains in minutes.

A network takes records and returns maps in m/s, and finds its scales in the data that it is trained on:

>>> import torch
>>> from sciml.gfi import ColumnTransformer
>>> network = ColumnTransformer(width=32, layers=1)
>>> network(torch.zeros(1, 5, 1000, 70)).shape     # shots, time steps, receivers of OpenFWI
torch.Size([1, 1, 70, 70])

Maps are refined by the wave equation in :mod:`sciml.gfi.refinement`.

``sciml train gfi/curvevel_a_cpu data.init_args.path=maps/ -o runs/cva`` trains on a folder of pairs, from ``sciml data
generate`` or of OpenFWI itself; ``sciml evaluate runs/cva --data genuine/`` measures the errors on another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from sciml.gfi.data import ShotMapPairs
    from sciml.gfi.networks.base import ForwardNetwork, InverseNetwork, TwoWayNetwork
    from sciml.gfi.networks.baselines import AutoLinear, FourierWaveforms, InversionNet, WaveformNet
    from sciml.gfi.networks.columns import ColumnTransformer
    from sciml.gfi.networks.latent import ForwardLatentUNet, InvertibleXNet, LatentUNet
    from sciml.gfi.published import load_published
    from sciml.gfi.refine_task import RefineTask
    from sciml.gfi.task import AutoLinearTask, InversionTask, ModellingTask, TwoWayTask

_HOMES = {
    "AutoLinear": "sciml.gfi.networks.baselines",
    "AutoLinearTask": "sciml.gfi.task",
    "ColumnTransformer": "sciml.gfi.networks.columns",
    "ForwardLatentUNet": "sciml.gfi.networks.latent",
    "ForwardNetwork": "sciml.gfi.networks.base",
    "FourierWaveforms": "sciml.gfi.networks.baselines",
    "InverseNetwork": "sciml.gfi.networks.base",
    "InversionNet": "sciml.gfi.networks.baselines",
    "InversionTask": "sciml.gfi.task",
    "InvertibleXNet": "sciml.gfi.networks.latent",
    "LatentUNet": "sciml.gfi.networks.latent",
    "ModellingTask": "sciml.gfi.task",
    "RefineTask": "sciml.gfi.refine_task",
    "ShotMapPairs": "sciml.gfi.data",
    "TwoWayNetwork": "sciml.gfi.networks.base",
    "TwoWayTask": "sciml.gfi.task",
    "WaveformNet": "sciml.gfi.networks.baselines",
    "load_published": "sciml.gfi.published",
}
__all__ = [
    "AutoLinear",
    "AutoLinearTask",
    "ColumnTransformer",
    "ForwardLatentUNet",
    "ForwardNetwork",
    "FourierWaveforms",
    "InverseNetwork",
    "InversionNet",
    "InversionTask",
    "InvertibleXNet",
    "LatentUNet",
    "ModellingTask",
    "RefineTask",
    "ShotMapPairs",
    "TwoWayNetwork",
    "TwoWayTask",
    "WaveformNet",
    "load_published",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
