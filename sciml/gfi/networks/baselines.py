"""Published networks to compare with: InversionNet, WaveformNet, a Fourier neural operator, Auto-Linear.

VelocityGAN, InversionNet with a critic, is left out: in the published tables it is no better than InversionNet.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, interpolate, pad

from sciml.checks import whole_number
from sciml.errors import ConfigError
from sciml.gfi.networks.autoencoders import LATENT_CHANNELS, Latent
from sciml.gfi.networks.base import OPENFWI_MAP, OPENFWI_RECORDS, ForwardNetwork, InverseNetwork, TwoWayNetwork
from sciml.gfi.networks.latent import AutoencodedNetwork
from sciml.nets.fno import SpectralConvolution

PADDING = 9  # points behind each axis of the Fourier neural operator, as the records are not periodic


class InversionNet(InverseNetwork):
    """Convolutions that bring all shots to one vector, and transposed ones from it to the map; 24.41 M parameters.

    For the shapes of OpenFWI alone: 5 shots of 1000 steps at 70 receivers, maps of 70 x 70 cells.

    Parameters
    ----------
    widths : channels at the five scales

    References
    ----------
    Wu and Lin, "InversionNet: an efficient and accurate data-driven full waveform inversion", IEEE Transactions on
    Computational Imaging 6, 2020; the layers are those of OpenFWI (Deng et al., NeurIPS 2022).
    """

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 256, 512)) -> None:
        super().__init__()
        if len(widths) != 5:
            raise ConfigError(f"widths is {list(widths)}, expected five numbers of channels.")
        for width in widths:
            whole_number("a number of widths", width, at_least=1, error=ConfigError)
        a, b, c, d, e = widths
        along_time = [
            _convolved(self.records_shape[0], a, (7, 1), (2, 1), (3, 0)),
            *(_pair(a, b), _pair(b, b), _pair(b, c)),
        ]
        images = [
            nn.Sequential(_convolved(inputs, outputs, stride=2), _convolved(outputs, outputs))
            for inputs, outputs in ((c, c), (c, d), (d, d))
        ]
        grown = [_doubled(inputs, outputs) for inputs, outputs in ((e, d), (d, c), (c, b), (b, a))]
        self.encoder = nn.Sequential(*along_time, *images, _convolved(d, e, (8, 9), padding=(0, 0)))
        first = nn.Sequential(_transposed(e, e, 5, 2, 0), _convolved(e, e))
        self.decoder = nn.Sequential(first, *grown)
        self.head = nn.Sequential(nn.Conv2d(a, 1, 3, padding=1), nn.BatchNorm2d(1), nn.Tanh())

    def to_map(self, records: Tensor) -> Tensor:
        """Return normalised maps for normalised records."""
        return self.head(self.decoder(self.encoder(records))[..., 5:-5, 5:-5])  # 80 x 80 cells to 70 x 70


class WaveformNet(ForwardNetwork):
    """Convolutions of the map, and transposed ones to the records; 10.22 M parameters. For the shapes of OpenFWI.

    References
    ----------
    Gupta et al., ICLR 2025, whose layers these are.
    """

    def __init__(self) -> None:
        super().__init__()
        shots, *size = self.records_shape
        encoder = [
            *_normed(nn.Conv2d(1, 32, 5, 2), nn.GELU()),
            *_normed(nn.Conv2d(32, 64, 5, 2), nn.GELU()),
            *_normed(nn.Conv2d(64, 128, 3, 2), nn.GELU()),
            *_normed(nn.Conv2d(128, 256, 3, 2), nn.GELU()),
            *_normed(nn.Conv2d(256, 512, 3, 1), nn.GELU()),
        ]
        decoder = [
            *_normed(nn.ConvTranspose2d(512, 256, (10, 5), (4, 4)), nn.Tanh()),
            *_normed(nn.ConvTranspose2d(256, 128, (10, 5), (4, 2)), nn.Tanh()),
            *_normed(nn.ConvTranspose2d(128, 64, (10, 5), (4, 2)), nn.Tanh()),
            *_normed(nn.ConvTranspose2d(64, shots, (8, 4), (4, 2)), nn.Tanh()),
            nn.Conv2d(shots, shots, (10, 5), 2),
            nn.Upsample((size[0], size[1]), mode="bilinear"),
        ]
        self.layers = nn.Sequential(*encoder, *decoder)

    def to_records(self, velocity: Tensor) -> Tensor:
        """Return normalised records for normalised maps."""
        return self.layers(velocity)


class FourierWaveforms(ForwardNetwork):
    """A Fourier neural operator from the map to the records, whose layers lengthen the first axis from depth to time.

    Parameters
    ----------
    modes : frequencies along time or depth, and along receivers or width
    width : channels
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width, as many in width as there are receivers

    References
    ----------
    Li et al., ICLR 2021; in this form Gupta et al., ICLR 2025: 7.38 M parameters, with complex ones counted once.
    """

    def __init__(
        self,
        modes: Sequence[int] = (30, 30),
        width: int = 32,
        records_shape: tuple[int, int, int] = OPENFWI_RECORDS,
        map_shape: tuple[int, int] = OPENFWI_MAP,
    ) -> None:
        super().__init__(records_shape, map_shape)
        shots, steps, receivers = self.records_shape
        if len(modes) != 2 or receivers != self.map_shape[1]:
            raise ConfigError(
                f"modes is {list(modes)} and the records have {receivers} receivers for {self.map_shape[1]} cells in "
                "width, expected two numbers of modes, and a receiver in each cell."
            )
        self.lift = nn.Linear(3, width)
        self.convolutions = nn.ModuleList(SpectralConvolution(width, width, modes) for _ in range(4))
        self.pointwise = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.head = nn.Sequential(nn.Linear(width, 128), nn.GELU(), nn.Linear(128, shots))
        ratio = steps / self.map_shape[0]
        lengths = [round(self.map_shape[0] * ratio ** (layer / 4)) for layer in (1, 2, 3)]
        self._grids = [(length + PADDING, receivers + PADDING) for length in (*lengths, steps)]

    def to_records(self, velocity: Tensor) -> Tensor:
        """Return normalised records for normalised maps."""
        axes = (torch.linspace(0, 1, count, dtype=velocity.dtype, device=velocity.device) for count in self.map_shape)
        places = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).expand(len(velocity), -1, -1, -1)
        values = self.lift(torch.cat([velocity.movedim(1, -1), places], -1))
        values = pad(values, [0, 0, 0, PADDING, 0, PADDING])
        for layer, (grid, convolution) in enumerate(zip(self._grids, self.convolutions, strict=True)):
            beside = self.pointwise[layer](values)
            values = convolution(values, grid) + interpolate(beside.movedim(-1, 1), grid).movedim(1, -1)
            if layer < len(self._grids) - 1:
                values = gelu(values)
        return self.head(values[:, :-PADDING, :-PADDING]).movedim(-1, 1)


class AutoLinear(AutoencodedNetwork, TwoWayNetwork):
    """Two autoencoders, each trained alone, and a linear map between their codes for each of the two ways.

    The codes are the latent images with ``code_channels``, as vectors. :class:`~sciml.gfi.task.AutoLinearTask` trains
    the autoencoders to reconstruct, without a gradient from the linear maps.

    Parameters
    ----------
    latent : cells of the latent images along each axis
    code_channels : of the codes
    width : channels of the latent images
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width

    References
    ----------
    Feng et al., "Auto-Linear phenomenon in subsurface imaging", ICML 2024, who have masked autoencoders of patches;
    ours are those of Gupta et al.
    """

    def __init__(
        self,
        latent: Latent = 8,
        code_channels: int = 8,
        width: int = LATENT_CHANNELS,
        records_shape: tuple[int, int, int] = OPENFWI_RECORDS,
        map_shape: tuple[int, int] = OPENFWI_MAP,
    ) -> None:
        whole_number("code_channels", code_channels, at_least=1, error=ConfigError)
        whole_number("width", width, at_least=1, error=ConfigError)
        super().__init__(latent, width, records_shape, map_shape)
        self._code = (code_channels, latent, latent)
        size = code_channels * latent**2
        for autoencoder in (self.records, self.maps):
            autoencoder.encoder.append(nn.Conv2d(width, code_channels, 1))
            autoencoder.decoder.insert(0, nn.Conv2d(code_channels, width, 1))
        self.inverse, self.model = nn.Linear(size, size), nn.Linear(size, size)

    def to_map(self, records: Tensor) -> Tensor:
        """Return normalised maps for normalised records."""
        return self.maps.decoder(self.translated(self.records.encoder(records), self.inverse))

    def to_records(self, velocity: Tensor) -> Tensor:
        """Return normalised records for normalised maps."""
        return self.records.decoder(self.translated(self.maps.encoder(velocity), self.model))

    def translated(self, codes: Tensor, linear: nn.Linear) -> Tensor:
        """Return the codes behind one of the linear maps, ``(batch, code_channels, latent, latent)``."""
        return linear(codes.flatten(1)).reshape(-1, *self._code)


def _convolved(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int] = (3, 3),
    stride: int | tuple[int, int] = 1,
    padding: tuple[int, int] = (1, 1),
) -> nn.Sequential:
    return nn.Sequential(*_normed(nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.LeakyReLU(0.2)))


def _transposed(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
    return nn.Sequential(*_normed(nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding), nn.LeakyReLU(0.2)))


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    """Return two convolutions along time, the first with half as many steps."""
    halved = _convolved(inputs, outputs, (3, 1), (2, 1), (1, 0))
    return nn.Sequential(halved, _convolved(outputs, outputs, (3, 1), 1, (1, 0)))


def _doubled(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_transposed(inputs, outputs, 4, 2, 1), _convolved(outputs, outputs))


def _normed(convolution: nn.Module, activation: nn.Module) -> tuple[nn.Module, ...]:
    return convolution, nn.BatchNorm2d(convolution.out_channels), activation
