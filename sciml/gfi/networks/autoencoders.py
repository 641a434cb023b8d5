"""Autoencoders of records and of maps with a square latent image, as Gupta et al. have them.

The layers are those of the authors' files ``amplitude_config_latent_dim_*.json`` and ``velocity_config_*``; for latent
72 they are those of 70, followed by a resize to 72.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor, nn

Latent = Literal[8, 16, 32, 64, 70, 72]
LATENT_CHANNELS = 128


class Layer(NamedTuple):
    """A convolution over (time, receivers) or (depth, width), each pair in this order."""

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


class Layers(NamedTuple):
    """The layers of an autoencoder; the first ``rectified`` ones of the decoder have no tanh, but a leaky rectifier."""

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    rectified: int = 0


_HALVED = (
    Layer(8, (7, 1), (2, 1), (3, 0)),
    Layer(16, (7, 1), (2, 1), (3, 0)),
    Layer(32, (5, 1), (2, 1), (2, 0)),
    Layer(64, (5, 1), (2, 1), (2, 0)),
)
_DOUBLED = (
    Layer(32, (5, 1), (2, 1), (2, 0)),
    Layer(16, (5, 1), (2, 1), (2, 0)),
    Layer(8, (5, 1), (2, 1), (2, 0)),
)
_RECORDS = {
    8: Layers(
        (
            *_HALVED,
            Layer(128, (5, 1), (2, 2), (2, 0)),
            Layer(128, (5, 1), (2, 2), (2, 2)),
            Layer(128, (5, 1), (2, 2), (1, 1)),
        ),
        (
            Layer(128, (7, 1), (2, 2), (3, 0)),
            Layer(128, (7, 1), (2, 2), (3, 0)),
            Layer(64, (7, 1), (2, 2), (3, 0)),
            *_DOUBLED,
            Layer(5, (5, 1), (2, 1), (2, 0)),
        ),
        rectified=2,
    ),
    16: Layers(
        (*_HALVED, Layer(128, (5, 1), (2, 2), (2, 0)), Layer(128, (5, 1), (2, 2), (2, 2))),
        (
            Layer(128, (7, 1), (2, 2), (3, 0)),
            Layer(64, (7, 1), (2, 2), (3, 0)),
            *_DOUBLED,
            Layer(5, (5, 1), (2, 1), (2, 0)),
        ),
        rectified=1,
    ),
    32: Layers(
        (*_HALVED, Layer(128, (5, 1), (2, 2), (2, 0))),
        (
            Layer(128, (7, 1), (2, 2), (3, 0)),
            Layer(64, (7, 1), (2, 1), (3, 0)),
            *_DOUBLED[:2],
            Layer(5, (5, 1), (2, 1), (2, 0)),
        ),
    ),
    64: Layers(
        (*_HALVED, Layer(128, (5, 1), (1, 1), (2, 0))),
        (
            Layer(128, (7, 1), (3, 1)),
            Layer(64, (7, 1), (2, 1)),
            Layer(32, (5, 1), (2, 1)),
            Layer(16, (5, 1)),
            Layer(5, (5, 1)),
        ),
    ),
    70: Layers(
        (
            Layer(8, (7, 1), (3, 1), (3, 0)),
            Layer(16, (7, 1), (2, 1), (1, 0)),
            Layer(32, (5, 1), (2, 1), (1, 0)),
            Layer(64, (5, 1)),
            Layer(128, (5, 1)),
        ),
        (
            Layer(128, (7, 1), (3, 1), (3, 0)),
            Layer(64, (7, 1), (2, 1), (1, 0)),
            Layer(32, (5, 1), (2, 1), (1, 0)),
            Layer(16, (5, 1)),
            Layer(5, (5, 1)),
        ),
    ),
}
_POINTWISE = (Layer(8, (1, 1)), Layer(16, (1, 1)))
_SQUARE = (3, 3)
_MAPS = {
    8: Layers(
        (
            *_POINTWISE,
            Layer(32, _SQUARE),
            Layer(64, _SQUARE, (2, 2), (1, 1)),
            Layer(128, _SQUARE, (2, 2), (1, 1)),
            Layer(128, _SQUARE, (2, 2)),
            Layer(128, _SQUARE, (1, 1), (1, 1)),
        ),
        (
            Layer(128, _SQUARE, (1, 1), (1, 1)),
            Layer(128, _SQUARE, (2, 2)),
            Layer(64, _SQUARE, (2, 2)),
            Layer(32, _SQUARE, (2, 2)),
            Layer(16, _SQUARE),
            Layer(8, (1, 1)),
            Layer(1, (1, 1)),
        ),
    ),
    16: Layers(
        (
            *_POINTWISE,
            Layer(32, _SQUARE),
            Layer(64, _SQUARE, (2, 2), (1, 1)),
            Layer(128, _SQUARE, (2, 2)),
            Layer(128, _SQUARE, (1, 1), (1, 1)),
        ),
        (
            Layer(128, _SQUARE, (1, 1), (1, 1)),
            Layer(64, _SQUARE, (2, 2)),
            Layer(32, _SQUARE, (2, 2)),
            Layer(16, _SQUARE),
            Layer(8, (1, 1)),
            Layer(1, (1, 1)),
        ),
    ),
    32: Layers(
        (*_POINTWISE, Layer(32, _SQUARE), Layer(64, _SQUARE, (2, 2), (1, 1)), Layer(128, _SQUARE)),
        (
            Layer(128, _SQUARE),
            Layer(64, _SQUARE, (2, 2)),
            Layer(32, _SQUARE),
            Layer(16, (1, 1)),
            Layer(1, (1, 1)),
        ),
    ),
    64: Layers(
        (*_POINTWISE, Layer(32, _SQUARE), Layer(64, _SQUARE), Layer(128, _SQUARE)),
        (Layer(128, _SQUARE), Layer(64, _SQUARE), Layer(32, _SQUARE), Layer(16, (1, 1)), Layer(1, (1, 1))),
    ),
    70: Layers(
        (*_POINTWISE, Layer(32, (1, 1)), Layer(64, (1, 1)), Layer(128, (1, 1))),
        (Layer(128, (1, 1)), Layer(64, (1, 1)), Layer(32, (1, 1)), Layer(16, (1, 1)), Layer(1, (1, 1))),
    ),
}


class Autoencoder(nn.Module):
    """Convolutions from an image to a square latent image, and transposed ones back.

    Parameters
    ----------
    layers : for 5 shots or 1 map and 128 latent channels
    channels : of the image
    size : of the image
    latent : cells of the latent image along each axis
    width : latent channels; layers with more than so many are cut down to them
    reflects : whether the encoder pads by reflection, as that of maps does, or with zeros
    """

    def __init__(
        self, layers: Layers, channels: int, size: tuple[int, int], latent: int, width: int, reflects: bool
    ) -> None:
        super().__init__()
        encoder: list[nn.Module] = []
        inputs, padding_mode = channels, "reflect" if reflects else "zeros"
        for layer in layers.encoder:
            outputs = min(layer.channels, width)
            convolution = nn.Conv2d(inputs, outputs, *layer[1:], padding_mode=padding_mode)
            encoder.append(_block(convolution, nn.LeakyReLU(0.2)))
            inputs = outputs
        decoder: list[nn.Module] = []
        for number, layer in enumerate(layers.decoder):
            is_last = number == len(layers.decoder) - 1
            outputs = channels if is_last else min(layer.channels, width)
            activation = nn.LeakyReLU(0.2) if number < layers.rectified else nn.Tanh()
            decoder.append(_block(nn.ConvTranspose2d(inputs, outputs, *layer[1:]), activation))
            inputs = outputs
        kernel = (1, 1) if reflects else (7, 3)
        last = nn.Conv2d(channels, channels, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
        self.encoder = nn.Sequential(*encoder, nn.Upsample((latent, latent), mode="bilinear"))
        self.decoder = nn.Sequential(*decoder, last, nn.Upsample(size, mode="bilinear"))

    def forward(self, images: Tensor) -> Tensor:
        """Return the images as they come back from the latent ones."""
        return self.decoder(self.encoder(images))


def records_autoencoder(records_shape: tuple[int, int, int], latent: Latent, width: int) -> Autoencoder:
    """Return the autoencoder of records, of which only the time axis is convolved.

    Parameters
    ----------
    records_shape : shots, time steps, receivers
    latent, width : cells and channels of the latent image
    """
    shots, *size = records_shape
    return Autoencoder(_RECORDS[min(latent, 70)], shots, (size[0], size[1]), latent, width, reflects=False)


def maps_autoencoder(map_shape: tuple[int, int], latent: Latent, width: int) -> Autoencoder:
    """Return the autoencoder of maps, which is pointwise for latent 70 and more.

    Parameters
    ----------
    map_shape : cells in depth and width
    latent, width : cells and channels of the latent image
    """
    return Autoencoder(_MAPS[min(latent, 70)], 1, map_shape, latent, width, reflects=True)


def _block(convolution: nn.Module, activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), activation)
