"""The condition of a denoiser: tokens of first frame and parameters, which may be dropped for learned ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sciml.checks import shape as checked_shape
from sciml.checks import whole_number
from sciml.errors import InputError
from sciml.nets.coordinate import check_counts
from sciml.text2pde.patch_autoencoder import CONVOLUTIONS


class FirstFrameConditioner(nn.Module):
    """Tokens of a first frame, by convolutions that halve its grid, and one token of the parameters.

    What is dropped is replaced by learned tokens, so that one network learns the law of trajectories for a condition
    and without: the frame and the parameters together, or the parameters alone where they are not known.

    Parameters
    ----------
    shape : points of a frame along each of one to three axes, which ``halvings`` divide
    channels : of a frame
    width : of the tokens, ``condition_width`` of the denoiser
    parameters : numbers of a trajectory, such as its buoyancy; 0 for none
    halvings : of the grid, which then has a token for each point
    first_width : channels of the first convolution, doubled by each further one up to ``width``
    guess_channels : of the guess of the latents that the denoiser has beside its input; 0 for none

    References
    ----------
    Ho and Salimans, "Classifier-free diffusion guidance", NeurIPS workshop 2021 (the dropping).
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: int,
        width: int,
        parameters: int = 0,
        halvings: int = 4,
        first_width: int = 16,
        guess_channels: int = 0,
    ) -> None:
        super().__init__()
        check_counts(channels=channels, width=width, halvings=halvings, first_width=first_width)
        whole_number("parameters", parameters, at_least=0)
        whole_number("guess_channels", guess_channels, at_least=0)
        if len(shape) not in CONVOLUTIONS or any(points % 2**halvings for points in shape):
            raise InputError(
                f"a frame of {list(shape)} points cannot be halved {halvings} times, expected one to three axes with "
                f"multiples of {2**halvings} points; set halvings."
            )
        self.shape, self.channels, self.width = tuple(shape), channels, width
        self.parameter_count, self.guess_channels = parameters, guess_channels
        convolution = CONVOLUTIONS[len(shape)]
        widths = [channels, *(min(width, first_width * 2**level) for level in range(halvings))]
        self.frame = nn.Sequential(
            *(
                nn.Sequential(
                    convolution(inputs, outputs, 3, 2, 1), nn.GroupNorm(math.gcd(8, outputs), outputs), nn.SiLU()
                )
                for inputs, outputs in pairwise(widths)
            ),
            convolution(widths[-1], width, 1),
        )
        count = math.prod(points // 2**halvings for points in shape)
        self.positions = nn.Parameter(0.02 * torch.randn(count, width))
        self.null_frame = nn.Parameter(0.02 * torch.randn(width))
        self.numbers = self.null_numbers = self.null_guess = None
        if parameters:
            self.numbers = nn.Sequential(nn.Linear(parameters, width), nn.SiLU(), nn.Linear(width, width))
            self.null_numbers = nn.Parameter(0.02 * torch.randn(width))
        if guess_channels:
            self.null_guess = nn.Parameter(torch.zeros(guess_channels))

    def forward(
        self,
        frames: Tensor,
        parameters: Tensor,
        guess: Tensor | None = None,
        keep: Tensor | None = None,
        keep_parameters: Tensor | None = None,
    ) -> dict[str, Tensor]:
        r"""Return the condition by the names of the denoiser's arguments: ``tokens``, and ``channels`` of the guess.

        Parameters
        ----------
        frames : of zero mean and unit deviation, ``(batch, channels, *shape)``
        parameters : of zero mean and unit deviation, ``(batch, parameters)``
        guess : of the latents, ``(batch, guess_channels, *latent shape)``, where the denoiser has one
        keep : which conditions are kept, ``(batch,)``; by default all
        keep_parameters : which of their parameters are, ``(batch,)``; by default all
        """
        count = len(checked_shape("the frames", frames, ("batch", self.channels, *self.shape)))
        checked_shape("the parameters", parameters, (count, self.parameter_count))
        keep = torch.ones(count, dtype=torch.bool, device=frames.device) if keep is None else keep
        tokens = self.frame(frames).flatten(2).transpose(1, 2)
        tokens = torch.where(keep[:, None, None], tokens, self.null_frame) + self.positions
        if self.numbers is not None:
            known = keep if keep_parameters is None else keep & keep_parameters
            token = torch.where(known[:, None], self.numbers(parameters), self.null_numbers)
            tokens = torch.cat([tokens, token[:, None]], 1)
        if self.null_guess is None:
            return {"tokens": tokens}
        if guess is None or guess.shape[:2] != (count, self.guess_channels):
            found = None if guess is None else tuple(guess.shape)
            raise InputError(
                f"the guess of the latents has shape {found}, expected {count} with {self.guess_channels} channels."
            )
        ones = (1,) * (guess.ndim - 2)
        kept = torch.where(keep.reshape(-1, 1, *ones), guess, self.null_guess.reshape(-1, *ones))
        return {"tokens": tokens, "channels": kept}
