"""A small network for inversion on a CPU: convolutions in time, then attention between the columns of receivers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from sciml.checks import whole_number
from sciml.errors import ConfigError
from sciml.gfi.networks.base import OPENFWI_MAP, OPENFWI_RECORDS, InverseNetwork

_TIME, _COLUMNS = 8, 2  # steps that become one in the convolutions, and receivers and cells that become one column


class ColumnTransformer(InverseNetwork):
    r"""A transformer whose tokens are the columns of the map, from all shots and times there.

    Every ``stride``-th time step, as :math:`\operatorname{sign}(p) \log(1 + |p|)` so that the first arrival does not
    hide what comes from below, goes through two convolutions to an eighth of the steps and half of the receivers. All
    that then lies at one receiver is one token. Dense layers take times to depths, which convolutions can only do in
    many steps, and attention takes what arrives at other receivers to where it was reflected.

    The slowest changes of a trace are taken out first: its projection on the cosines cos(pi k (t + 1/2) / n) of its n
    samples, with k below ``slow_modes``. Sources of 15 Hz hardly make them, field data do not have them, and schemes
    for the wave equation differ in them by a tenth and more: a network that sees them learns the scheme that made its
    data, and is lost on records of another one.

    Parameters
    ----------
    width : of the tokens, a multiple of ``heads``
    layers : of the transformer
    heads : of its attention
    stride : steps of the records of which one is taken; at 4 ms, 15 Hz have 16 samples
    channels : of the two convolutions
    slow_modes : number of cosines that are taken out of each trace, 6 of which are those below 3 Hz in a record of one
        second; 0 for none
    image_channels : of the map that the tokens make, before the last two convolutions
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width
    """

    def __init__(  # noqa: PLR0913 - every parameter is a line of the config
        self,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        stride: int = 4,
        channels: tuple[int, int] = (16, 24),
        image_channels: int = 4,
        slow_modes: int = 6,
        records_shape: tuple[int, int, int] = OPENFWI_RECORDS,
        map_shape: tuple[int, int] = OPENFWI_MAP,
    ) -> None:
        super().__init__(records_shape, map_shape)
        counts = {"width": width, "layers": layers, "heads": heads, "stride": stride, "image_channels": image_channels}
        counts |= {f"channels {number}": count for number, count in enumerate(channels)}
        for name, count in counts.items():
            whole_number(name, count, at_least=1, error=ConfigError)
        if width % heads or len(channels) != 2:
            raise ConfigError(
                f"width is {width} for {heads} heads, and channels is {list(channels)}, expected a multiple of the "
                "heads, and two numbers of channels."
            )
        shots, steps, receivers = self.records_shape
        samples = math.ceil(steps / stride)
        whole_number("slow_modes", slow_modes, at_least=0, at_most=samples // 2, error=ConfigError)
        self.register_buffer("slow", _cosines(slow_modes, samples), persistent=False)
        self._stride, (first, second) = stride, channels
        self.stem = nn.Sequential(
            nn.Conv2d(shots, first, (9, 3), (4, 1), (4, 1)),
            nn.GELU(),
            nn.Conv2d(first, second, (5, 3), (2, _COLUMNS), (2, 1)),
            nn.GroupNorm(math.gcd(8, second), second),
            nn.GELU(),
        )
        columns, times = math.ceil(receivers / _COLUMNS), math.ceil(samples / _TIME)
        self.embedding = nn.Linear(second * times, width)
        self.positions = nn.Parameter(0.02 * torch.randn(columns, width))
        self.attention = nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
                )
                for _ in range(layers)
            )
        )
        self._image = (columns, image_channels, self.map_shape[0], _COLUMNS)
        self.depths = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, math.prod(self._image[1:])))
        self.image = nn.Sequential(
            nn.Conv2d(image_channels, 16, 3, padding=1), nn.GELU(), nn.Conv2d(16, 1, 3, padding=1)
        )

    def without_slow_modes(self, records: Tensor) -> Tensor:
        """Return traces (..., samples, receivers) without their projection on the slowest cosines."""
        return records - self.slow.mT @ (self.slow @ records)

    def to_map(self, records: Tensor) -> Tensor:
        """Return normalised maps for normalised records."""
        records = self.without_slow_modes(records[:, :, :: self._stride])
        values = self.stem(records.sign() * records.abs().log1p())
        tokens = self.embedding(values.movedim(-1, 1).flatten(2)) + self.positions
        columns = self.depths(self.attention(tokens)).reshape(-1, *self._image)
        image = columns.permute(0, 2, 3, 1, 4).flatten(3)  # batch, channels, depth, columns times cells of each
        if image.shape[-1] != self.map_shape[1]:
            image = interpolate(image, self.map_shape, mode="bilinear")
        return self.image(image)


def _cosines(count: int, samples: int) -> Tensor:
    """Return the first modes of the orthogonal cosine transform of so many samples, (count, samples)."""
    times = torch.arange(samples, dtype=torch.float64) + 0.5
    modes = torch.cos(math.pi / samples * torch.arange(count, dtype=torch.float64)[:, None] * times)
    return (modes / modes.norm(dim=1, keepdim=True)).float()
