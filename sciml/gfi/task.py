"""Tasks of learned inversion and modelling: networks from records to maps, from maps to records, and both ways."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import lightning
import numpy as np
import torch
from torch import Tensor

from sciml.checks import instance, number, whole_number
from sciml.errors import ConfigError, InputError
from sciml.gfi.data import ShotMapPairs, mirrored_records
from sciml.gfi.losses import deviation, warm_up
from sciml.gfi.networks.base import (
    HALF_RANGE,
    ForwardNetwork,
    InverseNetwork,
    SeismicNetwork,
    TwoWayNetwork,
)
from sciml.gfi.networks.baselines import AutoLinear
from sciml.gfi.predicting import Network, Requests, predict_maps
from sciml.gfi.remarks import remarks
from sciml.gfi.stored_acquisition import StoredAcquisition
from sciml.memory import check_memory
from sciml.metrics import structural_similarity
from sciml.reference.layered_maps import HIGHEST, LOWEST
from sciml.training.task import PredictionProgress, Task

Batch = dict[str, Tensor]
FIRST = 8  # records of a folder whose size stands for that of all
OTHER_UNIT = 10.0  # factor between the size of records and of those of the training that shows another unit


class SeismicTask(Task):
    """Base of the tasks, with the scales and the acquisition of the training's data, evaluated on pairs of any folder.

    Parameters
    ----------
    network : whose scales are taken from the training's records before the first epoch
    reconstruct : whether the errors of the network's autoencoders are in the loss
    """

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "64-true", "bf16-mixed")
    units: ClassVar[Mapping[str, str]] = {
        "mae": "m/s",
        "ssim": "of 1",
        "ssim_legacy": "of 1",
        "records_mae": "deviations",
    }
    sample_name: ClassVar[str] = "pair"

    trained_on: Tensor

    def __init__(self, network: SeismicNetwork, reconstruct: bool = False) -> None:
        super().__init__()
        if reconstruct and not network.reconstructs:
            raise ConfigError(
                f"{type(network).__name__} has no autoencoders to reconstruct with; set reconstruct=false."
            )
        self.network, self.reconstruct = network, reconstruct
        self.stored_acquisition = StoredAcquisition(network.records_shape, network.map_shape)
        self.register_buffer("trained_on", torch.zeros((), dtype=torch.int64))

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse other data than pairs, pairs of other shapes than the network's, and batches beyond the memory."""
        pairs = _pairs(data)
        self.stored_acquisition.check(pairs.folder.acquisition)
        size = min(pairs.batch_size, pairs.folder.count)
        bytes_of_pair = 4 * (prod(pairs.folder.record_shape) + prod(pairs.folder.map_shape))
        check_memory(f"a batch of {size} pairs takes", size * bytes_of_pair, "lower data.init_args.batch_size")

    def setup(self, stage: str) -> None:
        """Take scales, acquisition and fingerprint from the data of the training before the first epoch.

        Scales that came with published weights stay.
        """
        if stage != "fit":
            return
        data = _pairs(self.trainer.datamodule)
        if not bool(self.network.scales.is_fitted):
            self.network.scales.fit(data.training_records())
        self.stored_acquisition.keep(data.folder.acquisition)
        self.trained_on.fill_(data.fingerprint)

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return the means of :meth:`validate` over the test pairs of the training, or all pairs of another folder.

        Raises
        ------
        InputError
            If the other folder begins with the same map as that of the training: its pairs have been learned; or if it
            was shot otherwise, or its records are of another size.
        """
        pairs = _pairs(data)
        self.stored_acquisition.check_alike(pairs.folder.acquisition, pairs.path)
        self.check_data(pairs)
        self._check_size(pairs)
        pairs.test_on_unseen(int(self.trained_on))
        return super().evaluate(pairs)

    def _check_size(self, pairs: ShotMapPairs) -> None:
        """Refuse records that are far larger or smaller than those of the training, as in another unit."""
        if not bool(self.network.scales.is_fitted):
            return
        first = pairs.folder.records(range(min(pairs.folder.count, FIRST)))
        ratio = float(first.std(dtype=np.float64)) / float(self.network.scales.deviation)
        if not 1 / OTHER_UNIT < ratio < OTHER_UNIT:
            raise InputError(
                f"the records in {pairs.path} are {ratio:.3g} times as large as those of the training, expected the "
                "same unit; divide them by as much."
            )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Return the batch in the precision of the network, whatever the trainer's is."""
        return {name: each.to(self.network.scales.mean.dtype) for name, each in batch.items()}

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return sentences about maps that were predicted: how their refinement ended, and what the records lack."""
        return remarks(metrics)

    def describe(self) -> str:
        """Return the network and what it is for."""
        shots, steps, receivers = self.network.records_shape
        depth, width = self.network.map_shape
        records = f"{shots} x {steps} x {receivers} records"
        return f"{type(self.network).__name__}, {records}, maps of {depth} x {width} cells"

    def reconstruction(self, batch: Batch) -> Batch:
        """Return the mean square errors of the autoencoders, added up, if they are in the loss."""
        if not self.reconstruct:
            return {}
        records, velocity = self.network.reconstruct(batch["records"], batch["map"])
        of_records = ((records - batch["records"]) / self.network.scales.deviation).square().mean()
        return {"reconstruct": of_records + ((velocity - batch["map"]) / HALF_RANGE).square().mean()}

    def _records_term(self, records: Tensor, batch: Batch, mask: Tensor | None) -> Tensor:
        return deviation(records, batch["records"], self.network.scales.deviation, mask)


class InversionTask(SeismicTask):
    """Training of a network from records to maps.

    Parameters
    ----------
    network : from records to maps
    reconstruct : whether the errors of the network's autoencoders are in the loss
    average_mirrored : whether maps that are predicted are the means of the network's and its mirrored one for mirrored
        records, where the sources are symmetric
    square_weight : of the mean squares in the deviation of the maps, 1 as published; 0 leaves the mean absolute error
    """

    def __init__(
        self,
        network: InverseNetwork,
        reconstruct: bool = False,
        average_mirrored: bool = False,
        square_weight: float = 1.0,
    ) -> None:
        super().__init__(network, reconstruct)
        self.average_mirrored = average_mirrored
        self.square_weight = number("square_weight", square_weight, at_least=0, error=ConfigError)

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse what :class:`SeismicTask` does, and sources that are not symmetric where predictions are mirrored."""
        super().check_data(data)
        if self.average_mirrored:
            _pairs(data).check_symmetric("task.init_args.average_mirrored")

    def forward(self, records: Tensor) -> Tensor:
        """Return maps in m/s, ``(batch, 1, depth, width)``, for records in any precision."""
        records = records.to(self.network.scales.mean.dtype)
        velocity = self.network.inverse_map(records)
        if not self.average_mirrored:
            return velocity
        return (velocity + self.network.inverse_map(mirrored_records(records)).flip(-1)) / 2

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the deviation of the maps, and that of the reconstructions if they are in the loss."""
        velocity = self.network.inverse_map(batch["records"])
        return {"map": self._map_term(velocity, batch, batch.get("mask")), **self.reconstruction(batch)}

    def _map_term(self, velocity: Tensor, batch: Batch, mask: Tensor | None) -> Tensor:
        return deviation(velocity, batch["map"], HALF_RANGE, mask, self.square_weight)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``mae`` in m/s, and the structural similarities ``ssim`` and ``ssim_legacy`` of the maps."""
        return map_errors(self(batch["records"]), batch["map"])

    def predict_file(
        self,
        source: Path,
        output: Path,
        *,
        refine: int = 0,
        noise: float | None = None,
        acquisition: str | None = None,
        plot: str | None = None,
        progress: PredictionProgress | None = None,
    ) -> dict[str, float]:
        """Write the velocity maps of records, refined by full-waveform inversion if that is asked for.

        Parameters
        ----------
        source : ``.npy``, records ``(shots, steps, receivers)`` or those of several maps; or a line of shots in SEG-Y
        output : ``.npy``, or a file of fields for one map
        refine : solves of the wave equation for each map; 0 leaves the maps as the network gives them
        noise : of the records relative to their root mean square, where it is known: the network gets them
            behind a Wiener filter, and the refinement ends where what is left may be noise
        acquisition : JSON file with that of records in ``.npy`` which have another one than the network
        plot : picture of the map (.png, .pdf, .svg); of a refined one with start, illumination and gathers
        """
        geometry, picture = (None if name is None else Path(name) for name in (acquisition, plot))
        requests = Requests(refine, noise, geometry, picture)
        network = Network(self, self.stored_acquisition.get(), float(self.network.scales.deviation), self.device)
        return predict_maps(network, source, output, requests, progress)


class ModellingTask(SeismicTask):
    """Training of a network from maps to records.

    Parameters
    ----------
    network : from maps to records
    reconstruct : whether the errors of the network's autoencoders are in the loss
    """

    def __init__(self, network: ForwardNetwork, reconstruct: bool = False) -> None:
        super().__init__(network, reconstruct)

    def forward(self, velocity: Tensor) -> Tensor:
        """Return records, ``(batch, shots, steps, receivers)``."""
        return self.network.forward_map(velocity)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the deviation of the records, and that of the reconstructions if they are in the loss."""
        records = self(batch["map"])
        return {"records": self._records_term(records, batch, batch.get("mask")), **self.reconstruction(batch)}

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return ``records_l2``, the mean relative error, and ``records_mae`` over the deviation of all records."""
        return record_errors(self(batch["map"]), batch["records"], self.network.scales.deviation)


class TwoWayTask(InversionTask):
    """Training of one network from records to maps and from maps to records, see :mod:`sciml.gfi.losses`.

    The factors of the terms are the ``training.weights`` of the config.

    Parameters
    ----------
    network : both ways
    cycle : whether the errors of going one way and back are in the loss, on unlabelled pairs, too
    warm_up_epochs : over which the terms of the cycle fade in
    reconstruct : whether the errors of the network's autoencoders are in the loss
    average_mirrored : as for :class:`InversionTask`
    """

    def __init__(
        self,
        network: TwoWayNetwork,
        cycle: bool = False,
        warm_up_epochs: int = 0,
        reconstruct: bool = False,
        average_mirrored: bool = False,
    ) -> None:
        super().__init__(network, reconstruct, average_mirrored)
        self.cycle = cycle
        self.warm_up_epochs = whole_number("warm_up_epochs", warm_up_epochs, at_least=0, error=ConfigError)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the deviations of maps and records, and those of cycles and reconstructions that are asked for."""
        network, mask = self.network, batch.get("mask")
        velocity, records = network.inverse_map(batch["records"]), network.forward_map(batch["map"])
        terms = {"map": self._map_term(velocity, batch, mask), "records": self._records_term(records, batch, mask)}
        if self.cycle:
            factor = warm_up(self.current_epoch, self.warm_up_epochs)
            terms["cycle_map"] = factor * self._map_term(network.inverse_map(records), batch, None)
            terms["cycle_records"] = factor * self._records_term(network.forward_map(velocity), batch, None)
        return {**terms, **self.reconstruction(batch)}

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return the errors of the maps, as :class:`InversionTask` has them, and of the records."""
        records = self.network.forward_map(batch["map"])
        found = record_errors(records, batch["records"], self.network.scales.deviation)
        return {**super().validate(batch), **found}


class AutoLinearTask(TwoWayTask):
    """Training of two autoencoders, each alone, and of the linear maps between their codes.

    Parameters
    ----------
    network : the autoencoders and the linear maps
    """

    def __init__(self, network: AutoLinear) -> None:
        super().__init__(network, reconstruct=True)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the errors of the reconstructions, and those of the codes behind the linear maps.

        The latter have no gradients in the autoencoders.
        """
        network, scales, mask = self.network, self.network.scales, batch.get("mask")
        given = scales.encode_records(batch["records"]), scales.encode_map(batch["map"])
        pairs = list(zip((network.records, network.maps), given, strict=True))
        codes = [part.encoder(values) for part, values in pairs]
        back = sum(
            (part.decoder(code) - values).square().mean() for (part, values), code in zip(pairs, codes, strict=True)
        )
        records, velocity = (code.detach() for code in codes)
        return {
            "map_code": deviation(network.translated(records, network.inverse), velocity, 1.0, mask),
            "records_code": deviation(network.translated(velocity, network.model), records, 1.0, mask),
            "reconstruct": back,
        }


def map_errors(velocity: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Return ``mae`` in m/s, and the structural similarities of maps scaled from 1500...4500 m/s to 0...1.

    ``ssim`` takes the windows inside the map; ``ssim_legacy`` all, with zeros outside, as published tables do.

    Parameters
    ----------
    velocity, wanted : ``(batch, 1, depth, width)`` in m/s
    """
    scaled = [((each - LOWEST) / (HIGHEST - LOWEST)).detach().cpu().double().numpy() for each in (velocity, wanted)]
    found = {"mae": (velocity - wanted).abs().mean()}
    for name, legacy in (("ssim", False), ("ssim_legacy", True)):
        found[name] = velocity.new_tensor(structural_similarity(*scaled, legacy=legacy))
    return found


def record_errors(records: Tensor, wanted: Tensor, scale: Tensor) -> dict[str, Tensor]:
    """Return ``records_l2``, the mean relative L2 error of records, and ``records_mae`` in units of their deviation.

    Parameters
    ----------
    records, wanted : ``(batch, shots, steps, receivers)``
    scale : the deviation
    """
    difference = (records - wanted).flatten(1)
    relative = difference.norm(dim=1) / wanted.flatten(1).norm(dim=1)
    return {"records_l2": relative.mean(), "records_mae": (difference / scale).abs().mean()}


def _pairs(data: lightning.LightningDataModule) -> ShotMapPairs:
    return instance("data", data, ShotMapPairs, "ShotMapPairs", error=ConfigError)
