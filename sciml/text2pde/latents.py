"""Latents of trajectories for a denoiser: scaled, with guesses from first frames, kept in memory for the training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from sciml.checks import positive
from sciml.data.normalise import Normaliser
from sciml.errors import ConfigError
from sciml.text2pde.autoencoders import Autoencoder, Posterior
from sciml.text2pde.mean_regression import MeanRegression
from sciml.text2pde.trajectories import from_frames, to_frames, trajectories

MOST_VALUES = 2**29  # of a store: 2 GiB in single precision


class LatentSpace(nn.Module):
    r"""An autoencoder that is not trained, and the scale of its latents.

    Latents have zero mean and unit deviation in each channel, as measured on the training's trajectories, or are
    multiplied by a constant as published.

    Parameters
    ----------
    autoencoder : of trajectories, or of single frames
    single_frames : whether it takes the frames of a trajectory one by one, whose latents then are those in time
    scale : the constant, positive; None for the measured deviation
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, autoencoder: Autoencoder, single_frames: bool, scale: float | None) -> None:
        super().__init__()
        self.scale = None if scale is None else positive("latent_scale", scale, error=ConfigError)
        self.autoencoder, self.single_frames = _fixed(autoencoder), single_frames
        self.register_buffer("mean", torch.zeros(autoencoder.latent_channels))
        self.register_buffer("deviation", torch.full((autoencoder.latent_channels,), 1 / (self.scale or 1.0)))

    def posterior(self, given: Tensor) -> Posterior:
        r"""Return the latents of trajectories in physical units, unscaled, ``(batch, channels, time, \*space)``."""
        if not self.single_frames:
            return self.autoencoder.posterior(given)
        found = self.autoencoder.posterior(to_frames(given))
        return Posterior(*(None if each is None else from_frames(each, len(given)) for each in found))

    def encode(self, given: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the scaled latents of trajectories: their mean, or a draw for standard normal noise of their shape."""
        posterior = self.posterior(given)
        return self.scaled(posterior.mean if noise is None else posterior.draw(noise))

    def guess(self, frames: Tensor, steps: int) -> Tensor:
        """Return the scaled latents of trajectories that stay as they begin.

        Parameters
        ----------
        frames : the first ones, ``(batch, channels, *space)``
        steps : times of a trajectory
        """
        return self.encode(frames[:, :, None].expand(-1, -1, steps, *(-1,) * (frames.ndim - 2)))

    def decode(self, latents: Tensor) -> Tensor:
        """Return the trajectories with scaled latents, in physical units."""
        found = latents * self._beside(self.deviation, latents) + self._beside(self.mean, latents)
        if not self.single_frames:
            return self.autoencoder.decode(found)
        return from_frames(self.autoencoder.decode(to_frames(found)), len(found))

    def scaled(self, latents: Tensor) -> Tensor:
        """Return latents in units of their deviation from their mean."""
        return (latents - self._beside(self.mean, latents)) / self._beside(self.deviation, latents)

    def fit(self, latents: Iterable[Tensor]) -> None:
        """Take mean and deviation of unscaled latents, in float64; does nothing where the scale is a constant.

        Parameters
        ----------
        latents : ``(batch, channels, *shape)``, one block at a time
        """
        if self.scale is not None:
            return
        count, total, squares = 0, 0.0, 0.0
        for block in latents:
            values = block.transpose(0, 1).flatten(1).double()
            count, total, squares = count + values.shape[1], total + values.sum(1), squares + values.square().sum(1)
        mean = total / count
        self.mean.copy_(mean)
        self.deviation.copy_((squares / count - mean.square()).clamp(min=1e-12).sqrt())

    @staticmethod
    def _beside(values: Tensor, latents: Tensor) -> Tensor:
        return values.reshape(-1, *(1,) * (latents.ndim - 2))


class LatentStore:
    """The latents of the training's trajectories, and the guesses of their first frames, by trajectory and start.

    An autoencoder that is not trained would otherwise encode each trajectory in each epoch. They are made in blocks of
    one size in the order of the data, so that those of a resumed run are bit-for-bit identical.

    Parameters
    ----------
    space : of the latents
    batches : of the training's windows
    guesses : whether those are needed
    image : maps trajectories or frames to mirror images, whose latents are then kept, too
    """

    @torch.no_grad()
    def __init__(
        self,
        space: LatentSpace,
        batches: Iterable[Mapping[str, Tensor]],
        guesses: bool,
        image: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._rows: dict[tuple[int, int, bool], int] = {}
        latents, found, parameters = [], [], []
        for batch in batches:
            given = trajectories(batch).to(space.mean)
            for mirrored in (False,) if image is None else (False, True):
                seen = image(given) if mirrored else given
                latents.append(space.encode(seen))
                parameters.append(batch["parameters"])
                if guesses:
                    found.append(space.guess(seen[:, :, 0], seen.shape[2]))
                for key in _keys(batch):
                    self._rows[*key, mirrored] = len(self._rows)
        self._latents, self._parameters = torch.cat(latents), torch.cat(parameters)
        self._guesses = torch.cat(found) if guesses else None
        self._means: tuple[Tensor, Tensor] | None = None

    def regress(self, regression: MeanRegression, numbers: Normaliser) -> None:
        """Fit a regression, and take the means of the source from its fits to other trajectories.

        Parameters
        ----------
        regression : of the latents, changed
        numbers : scale of the parameters
        """
        parameters = numbers.encode(self._parameters) if self._parameters.shape[1] else self._parameters
        trajectory = torch.tensor([key[0] for key in self._rows], device=self._latents.device)
        self._means = regression.fit(self._guesses, parameters.to(self._latents), self._latents, trajectory)

    def read(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``latents`` of a batch of training, a ``guess`` if there are any, and the ``mean`` of a regression.

        Parameters
        ----------
        batch : of windows, with ``mirrored``, which of them are taken as mirror images, and ``keep_parameters``, those
            whose means know the parameters, where it matters
        """
        mirrored = batch["mirrored"].tolist() if "mirrored" in batch else [False] * len(batch["trajectory"])
        rows = [self._rows[*key, each] for key, each in zip(_keys(batch), mirrored, strict=True)]
        found = {"latents": self._latents[rows]}
        if self._guesses is not None:
            found["guess"] = self._guesses[rows]
        if self._means is not None:
            known, unknown = (each[rows] for each in self._means)
            keep = batch["keep_parameters"].reshape(-1, *(1,) * (known.ndim - 1))
            found["mean"] = torch.where(keep, known, unknown)
        return found


def _keys(batch: Mapping[str, Tensor]) -> list[tuple[int, int]]:
    return list(zip(batch["trajectory"].tolist(), batch["start"].tolist(), strict=True))


def _fixed(network: Autoencoder) -> Autoencoder:
    """Return a network whose weights are buffers, which no optimiser moves and no average rounds."""
    for module in network.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach())
    return network
