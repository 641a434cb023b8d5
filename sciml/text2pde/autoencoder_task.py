"""The first stage: training of an autoencoder of trajectories, or of their frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import lightning
import torch
from torch import Tensor

from sciml.checks import choice, whole_number
from sciml.errors import ConfigError
from sciml.text2pde.autoencoders import Autoencoder
from sciml.text2pde.discriminator import PatchDiscriminator, adversarial_terms
from sciml.text2pde.patch_autoencoder import PatchAutoencoder
from sciml.text2pde.trajectories import (
    check_fields,
    check_not_zero,
    field_data,
    from_frames,
    shape_of,
    to_frames,
    training_batches,
    trajectories,
)
from sciml.training.task import Task

Residual = Literal["squared", "absolute"]
NOISE, POINTS = 1, 2  # streams of draws


class AutoencoderTask(Task):
    r"""Training of an autoencoder on the trajectories of a data set, or on each of their frames.

    The terms of the loss are ``reconstruction``, the mean of squares or of absolute values in units of the deviation of
    each channel; ``kl`` of a variational autoencoder, the divergence of its latents from a standard normal law, summed
    over them; ``points``, the mean squares of one that decodes at points; ``adversarial`` and ``discriminator``
    (:func:`~sciml.text2pde.discriminator.adversarial_terms`). ``training.weights`` has their factors.

    Parameters
    ----------
    autoencoder : of trajectories ``(time, *space)``, or of single frames ``space``
    fields : units by names of the channels, such as ``{velocity.0: m/s, velocity.1: m/s, smoke: ""}``
    single_frames : whether the autoencoder takes the frames of a trajectory one by one
    residual : ``"squared"``, or ``"absolute"`` as published
    discriminator : of the adversarial part of the loss, if there is one
    adversarial_after : epochs of the training before that
    points : of the grid, drawn in each update, at which an autoencoder that decodes at points is compared

    References
    ----------
    Zhou et al., "Text2PDE: latent diffusion models for accessible physics simulation", ICLR 2025.
    """

    precisions: ClassVar[tuple[str, ...]] = ("32-true", "64-true")

    def __init__(
        self,
        autoencoder: Autoencoder,
        fields: dict[str, str],
        single_frames: bool = False,
        residual: Residual = "squared",
        discriminator: PatchDiscriminator | None = None,
        adversarial_after: int = 1,
        points: int = 1024,
    ) -> None:
        super().__init__()
        self.autoencoder, self.fields, self.discriminator = autoencoder, dict(fields), discriminator
        self.single_frames = single_frames
        self.residual = choice("the residual", residual, ("squared", "absolute"), error=ConfigError)
        self.adversarial_after = whole_number("adversarial_after", adversarial_after, at_least=0, error=ConfigError)
        self.points = whole_number("points", points, at_least=1, error=ConfigError)
        channels = {"fields": len(self.fields)} | (
            {} if discriminator is None else {"the discriminator": discriminator.channels}
        )
        for name, count in channels.items():
            if count != autoencoder.channels:
                raise ConfigError(
                    f"the number of channels of {name} is {count}, expected {autoencoder.channels}, that of the "
                    "autoencoder."
                )

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data of other fields, units or numbers of points than those of the autoencoder."""
        found = field_data(data)
        check_fields(found, self.fields)
        shape = shape_of(found)[1:] if self.single_frames else shape_of(found)
        if shape != self.autoencoder.shape:
            raise ConfigError(
                f"the data have {'frames' if self.single_frames else 'trajectories'} of {list(shape)} points, expected "
                f"{list(self.autoencoder.shape)}, the shape of the autoencoder; set history and horizon of the data, "
                "or the shape."
            )

    def on_fit_start(self) -> None:
        """Take scales and principal components from the data of the training, before the first epoch of a new run.

        A resumed run has them from its checkpoint, which has been read by now.
        """
        if not self.autoencoder.fitted:
            data = field_data(self.trainer.datamodule)
            self.tell("principal components")
            self.autoencoder.fit(lambda: (self._inputs(batch) for batch in training_batches(data)))

    def describe(self) -> str:
        """Return the autoencoder and its compression."""
        values = self.autoencoder.channels, *self.autoencoder.shape
        latents = self.autoencoder.latent_channels, *self.autoencoder.latent_shape
        shapes = " to ".join(" x ".join(map(str, each)) for each in (values, latents))
        return f"{type(self.autoencoder).__name__}, {shapes} latents"

    def sample(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the inputs of the autoencoder, the noise of its latents, and points of the grid, for one update."""
        fields, drawn = self._inputs(batch), {}
        if self.autoencoder.variational:
            shape = (len(fields), self.autoencoder.latent_channels, *self.autoencoder.latent_shape)
            drawn["noise"] = torch.randn(shape, generator=self.generator(NOISE), device=self.device, dtype=fields.dtype)
        if self._decodes_at_points:
            drawn["points"] = torch.stack(
                [
                    torch.randint(count, (self.points,), generator=self.generator(POINTS + axis), device=self.device)
                    for axis, count in enumerate(self.autoencoder.shape)
                ],
                -1,
            )
        return {"fields": fields, **drawn}

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms of the loss for what :meth:`sample` returns."""
        fields = self.autoencoder.normalised(batch["fields"])
        posterior = self.autoencoder.posterior_of_normalised(fields)
        latents = posterior.draw(batch["noise"]) if "noise" in batch else posterior.mean
        if "points" in batch:
            decoded, features = self.autoencoder.decoded(latents)
        else:
            decoded, features = self.autoencoder.decode_normalised(latents), None
        difference = decoded - fields
        terms = {"reconstruction": (difference.square() if self.residual == "squared" else difference.abs()).mean()}
        if posterior.log_variance is not None:
            terms["kl"] = posterior.divergence().mean()
        if "points" in batch:
            terms["points"] = self._at_points(fields, (decoded, features), batch["points"])
        if self.discriminator is not None:
            terms |= self._adversarial(fields, decoded, terms["reconstruction"])
        return terms

    def validate(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the mean relative error of trajectories, and that of principal components.

        They are in L2 over all fields, each in units of its deviation in the training.
        """
        fields = self._inputs(batch)
        found = {"relative_l2": self._relative(self.autoencoder.decode(self.autoencoder.encode(fields)), batch)}
        if isinstance(self.autoencoder, PatchAutoencoder):
            found["patch_pca"] = self._relative(self.autoencoder.decode_linearly(fields), batch)
        return found

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return a sentence if the principal components alone have a smaller error on the test set."""
        if metrics.get("relative_l2", 0.0) <= metrics.get("patch_pca", float("inf")):
            return []
        return ["principal components alone have a smaller error on the test set: use more data or a smaller width."]

    @property
    def _decodes_at_points(self) -> bool:
        return isinstance(self.autoencoder, PatchAutoencoder) and self.autoencoder.correction is not None

    def _inputs(self, batch: Mapping[str, Tensor]) -> Tensor:
        found = trajectories(batch)
        return to_frames(found) if self.single_frames else found

    def _relative(self, decoded: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        wanted = trajectories(batch)
        decoded = from_frames(decoded, len(wanted)) if self.single_frames else decoded
        units = self.autoencoder.normaliser.deviation.to(wanted).reshape(-1, *(1,) * (wanted.ndim - 2))
        norms = (wanted / units).flatten(1).norm(dim=1)
        check_not_zero(norms.numpy(force=True), batch["trajectory"].tolist())
        return (((decoded - wanted) / units).flatten(1).norm(dim=1) / norms).mean()

    def _at_points(self, fields: Tensor, decoded: tuple[Tensor, Tensor | None], indices: Tensor) -> Tensor:
        """Return the mean squares at points of the grid, of which the indices are given, for normalised fields."""
        places = indices / indices.new_tensor([max(1, count - 1) for count in self.autoencoder.shape])
        found = self.autoencoder.normalised_at(*decoded, places.to(fields))
        wanted = fields[(slice(None), slice(None), *indices.unbind(-1))]
        return (found - wanted).square().mean()

    def _adversarial(self, fields: Tensor, decoded: Tensor, reconstruction: Tensor) -> dict[str, Tensor]:
        terms = adversarial_terms(self.discriminator, fields, decoded, reconstruction, self.autoencoder.last_layer)
        on = float(self.current_epoch >= self.adversarial_after)
        return {name: on * term for name, term in terms.items()}
