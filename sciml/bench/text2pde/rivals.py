"""Networks that step from frame to frame: a Fourier neural operator, a U-Net, a dilated residual network.

They are what PDEArena compares on smoke. A step adds to a frame what the network makes of it, of the parameters and of
the places, all as channels; a trajectory is a chain of steps from its first frame. One step is much like a frame, so
that the network is trained on the change, in units of its deviation, and through several steps in a row: trained on
single ones, it would never see its own errors.

Reference: Gupta and Brandstetter, Towards multi-spatiotemporal-scale generalized PDE modeling, TMLR 2023.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sciml.checks import choice, shape, whole_number
from sciml.nets import DilatedResNet, FourierNeuralOperator, UNet
from sciml.numerics.random import generator, seeded

SMALLEST = 1e-6  # deviation of a channel that counts as constant


class _Fourier(nn.Module):
    """A Fourier neural operator on images that are not periodic: zeros keep one wall from the other."""

    def __init__(self, inputs: int, outputs: int, modes: int = 12, width: int = 20, margin: int = 8) -> None:
        super().__init__()
        self.operator, self.margin = FourierNeuralOperator(inputs, outputs, [modes, modes], [width] * 5), margin

    def forward(self, images: Tensor) -> Tensor:
        padded = pad(images, (0, self.margin, 0, self.margin)).movedim(1, -1)
        return self.operator(padded).movedim(-1, 1)[..., : -self.margin, : -self.margin]


def _unet(inputs: int, outputs: int, channels: int = 16) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, channels, 1), UNet(channels, depth=3), nn.Conv2d(channels, outputs, 1))


def _resnet(inputs: int, outputs: int) -> nn.Module:
    return DilatedResNet(inputs, outputs, width=32, blocks=2)


# An update on 64 x 64 cells costs 0.76, 0.91 and 1.14 s of one processor core: chains of three steps, batches of 8.
RIVALS: dict[str, Callable[[int, int], nn.Module]] = {"fno": _Fourier, "unet": _unet, "resnet": _resnet}


class Stepper(nn.Module):
    """One step of trajectories by a network, which is made for them.

    Parameters
    ----------
    rival : fno, unet or resnet
    trajectories : ``(n, channels, steps, height, width)``, whose means and deviations it takes
    parameters : ``(n, p)``
    seed : of the first weights
    """

    mean: Tensor
    deviation: Tensor
    change: Tensor
    centre: Tensor
    range: Tensor

    def __init__(self, rival: str, trajectories: Tensor, parameters: Tensor, seed: int = 0) -> None:
        super().__init__()
        shape("the trajectories", trajectories, ("n", "channels", "steps", "height", "width"))
        shape("the parameters", parameters, (len(trajectories), "p"))
        channels, numbers = trajectories.shape[1], parameters.shape[1]
        with seeded(seed):
            self.network = RIVALS[choice("the rival", rival, RIVALS)](channels + numbers + 2, channels)
        axes = (0, 2, 3, 4)
        self.register_buffer("mean", trajectories.mean(axes)[:, None, None])
        self.register_buffer("deviation", trajectories.std(axes)[:, None, None].clamp(min=SMALLEST))
        self.register_buffer("change", trajectories.diff(dim=2).std(axes)[:, None, None].clamp(min=SMALLEST))
        self.register_buffer("centre", parameters.mean(0))
        self.register_buffer("range", parameters.std(0, correction=0).clamp(min=SMALLEST))

    def forward(self, frames: Tensor, parameters: Tensor) -> Tensor:
        """Return the next frames ``(batch, channels, height, width)`` of frames and parameters ``(batch, p)``."""
        rows, columns = (torch.linspace(-1, 1, count, device=frames.device) for count in frames.shape[-2:])
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).to(frames)
        numbers = ((parameters - self.centre) / self.range)[:, :, None, None]
        given = [(frames - self.mean) / self.deviation, numbers.expand(-1, -1, *frames.shape[-2:])]
        return frames + self.change * self.network(torch.cat([*given, places.expand(len(frames), -1, -1, -1)], 1))

    def rollout(self, first: Tensor, parameters: Tensor, steps: int) -> Tensor:
        """Return trajectories ``(batch, channels, steps, height, width)`` that begin with given frames.

        Parameters
        ----------
        first : ``(batch, channels, height, width)``
        parameters : ``(batch, p)``
        steps : frames of a trajectory, the first one among them
        """
        frames = [first]
        for _ in range(whole_number("the number of frames", steps, at_least=1) - 1):
            frames.append(self(frames[-1], parameters))
        return torch.stack(frames, 2)


@dataclass(frozen=True)
class StepTraining:
    """Settings of the training of a stepper, by AdamW with a rate that falls as a cosine.

    Parameters
    ----------
    updates : their number
    batch : trajectories of an update
    chain : steps in a row that the loss goes through
    rate : the first learning rate
    seed : of the batches
    """

    updates: int
    batch: int = 8
    chain: int = 3
    rate: float = 2e-3
    seed: int = 0


def train(stepper: Stepper, trajectories: Tensor, parameters: Tensor, settings: StepTraining) -> list[float]:
    """Train a stepper on chains of frames; return the loss of each update.

    The loss is the mean square of the errors of all frames of a chain, in units of the change from frame to frame.

    Parameters
    ----------
    stepper : changed
    trajectories : ``(n, channels, steps, height, width)``
    parameters : ``(n, p)``
    settings : of the training
    """
    count, steps = len(trajectories), trajectories.shape[2]
    chain = whole_number("the chain of steps", settings.chain, at_least=1, at_most=steps - 1)
    optimizer = torch.optim.AdamW(stepper.parameters(), settings.rate)
    draws, losses = generator(settings.seed, 2), []
    for update in range(settings.updates):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * (1 + math.cos(math.pi * update / settings.updates)) / 2
        numbers = torch.randint(count, (settings.batch,), generator=draws)
        start = int(torch.randint(steps - chain, (1,), generator=draws))
        wanted = trajectories[numbers, :, start : start + chain + 1]
        found = stepper.rollout(wanted[:, :, 0], parameters[numbers], chain + 1)
        loss = ((found - wanted)[:, :, 1:] / stepper.change[:, None]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(stepper.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses
