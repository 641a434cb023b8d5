"""Networks with two autoencoders and a translation between their latent images: Latent U-Nets, the Invertible X-Net."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, get_args

from torch import Tensor
from torch.nn.functional import pad

from sciml.checks import choice, whole_number
from sciml.errors import ConfigError
from sciml.gfi.networks.autoencoders import LATENT_CHANNELS, Latent, maps_autoencoder, records_autoencoder
from sciml.gfi.networks.base import (
    OPENFWI_MAP,
    OPENFWI_RECORDS,
    ForwardNetwork,
    InverseNetwork,
    SeismicNetwork,
    TwoWayNetwork,
)
from sciml.nets.invertible import InvertibleUNet
from sciml.nets.unet import UNet

Size = Literal["cpu", "small", "large"]


class _UNetSize(NamedTuple):
    width: int
    repeats: int


_SIZES = {"cpu": _UNetSize(32, 1), "small": _UNetSize(LATENT_CHANNELS, 1), "large": _UNetSize(LATENT_CHANNELS, 2)}


class AutoencodedNetwork(SeismicNetwork):
    """A network with autoencoders of records and of maps.

    Parameters
    ----------
    latent, width : cells along each axis, and channels, of both latent images
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width
    """

    reconstructs: ClassVar[bool] = True

    def __init__(
        self, latent: Latent, width: int, records_shape: tuple[int, int, int], map_shape: tuple[int, int]
    ) -> None:
        super().__init__(records_shape, map_shape)
        choice("latent", latent, get_args(Latent), error=ConfigError)
        self.records = records_autoencoder(self.records_shape, latent, width)
        self.maps = maps_autoencoder(self.map_shape, latent, width)

    def reconstruct(self, records: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """Return records and maps as their autoencoders give them back."""
        self.check_records(records)
        self.check_map(velocity)
        scales = self.scales
        return (
            scales.decode_records(self.records(scales.encode_records(records))),
            scales.decode_map(self.maps(scales.encode_map(velocity))),
        )


class _UNetBetween(AutoencodedNetwork):
    """A U-Net between the latent images, with the parameters of :class:`LatentUNet`."""

    depth: ClassVar[int] = 2
    published: ClassVar[str] = "legacy_wiring"

    def __init__(
        self,
        size: Size = "small",
        latent: Latent = 70,
        skip: bool = True,
        legacy_wiring: bool = False,
        records_shape: tuple[int, int, int] = OPENFWI_RECORDS,
        map_shape: tuple[int, int] = OPENFWI_MAP,
    ) -> None:
        width, repeats = _SIZES[choice("size", size, get_args(Size), error=ConfigError)]
        super().__init__(latent, width, records_shape, map_shape)
        self.translation = UNet(width, self.depth, repeats, skip=skip, legacy_wiring=legacy_wiring)

    @property
    def is_as_published(self) -> bool:
        """Whether published weights make the network that was trained."""
        return self.translation.legacy_wiring


class LatentUNet(_UNetBetween, InverseNetwork):
    """The Latent U-Net from records to maps: encoder of records, U-Net of depth 2, decoder of maps.

    Parameters
    ----------
    size : ``"small"`` (18.14 M parameters) and ``"large"`` (34.96 M) as published, ``"cpu"`` with a quarter of the
        channels (1.2 M)
    latent : cells of the latent images along each axis
    skip : whether the U-Net has its connections from fine to fine grid
    legacy_wiring : as the published weights want it, see :class:`~sciml.nets.unet.UNet`
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width

    References
    ----------
    Gupta et al., "A unified framework for forward and inverse problems in subsurface imaging using latent space
    translations", ICLR 2025.
    """

    def to_map(self, records: Tensor) -> Tensor:
        """Return normalised maps for normalised records."""
        return self.maps.decoder(self.translation(self.records.encoder(records)))


class ForwardLatentUNet(_UNetBetween, ForwardNetwork):
    """The Latent U-Net from maps to records, with the parameters of :class:`LatentUNet`."""

    def to_records(self, velocity: Tensor) -> Tensor:
        """Return normalised records for normalised maps."""
        return self.records.decoder(self.translation(self.maps.encoder(velocity)))


class InvertibleXNet(AutoencodedNetwork, TwoWayNetwork):
    """The Invertible X-Net: one bijection of the latent images for both ways.

    Records are ``D_p(F(E_v v))`` and maps ``D_v(F^-1(E_p p))``; the decoders are not inverses of the encoders.

    The published latent image has 70 x 70 cells, which the bijection pads to 72 and the network cuts to 70 again: with
    trained weights ``F^-1(F(z))`` then differs from z by as much as z itself. With 72 cells nothing is cut.

    Parameters
    ----------
    latent : cells of the latent images along each axis; 70 is published and warned of
    width : latent channels
    couplings : additive couplings of each level of the bijection
    records_shape : shots, time steps, receivers
    map_shape : cells in depth and width

    References
    ----------
    Gupta et al., ICLR 2025, as above.
    """

    published: ClassVar[str] = "latent: 70"

    def __init__(
        self,
        latent: Latent = 72,
        width: int = LATENT_CHANNELS,
        couplings: Sequence[int] = (4, 4, 4, 4),
        records_shape: tuple[int, int, int] = OPENFWI_RECORDS,
        map_shape: tuple[int, int] = OPENFWI_MAP,
    ) -> None:
        whole_number("width", width, at_least=2, error=ConfigError)
        super().__init__(latent, width, records_shape, map_shape)
        self.bijection = InvertibleUNet(width, couplings)
        self.is_as_published = latent == 70
        self._cut = -latent % 2 ** (len(couplings) - 1)
        if self._cut:
            warnings.warn(
                f"latent is {latent}, which is padded to {latent + self._cut} and cut again: once trained, the X-Net "
                "is not invertible. Set latent: 72, unless it is for comparison with published numbers.",
                UserWarning,
                stacklevel=2,
            )

    def translate(self, latent: Tensor) -> Tensor:
        """Return the latent images of the records for those of the maps, ``(batch, width, latent, latent)``."""
        return self._trimmed(self.bijection(self._padded(latent)))

    def translate_back(self, latent: Tensor) -> Tensor:
        """Return the latent images of the maps for those of the records."""
        return self._trimmed(self.bijection.inverse(self._padded(latent)))

    def to_map(self, records: Tensor) -> Tensor:
        """Return normalised maps for normalised records."""
        return self.maps.decoder(self.translate_back(self.records.encoder(records)))

    def to_records(self, velocity: Tensor) -> Tensor:
        """Return normalised records for normalised maps."""
        return self.records.decoder(self.translate(self.maps.encoder(velocity)))

    def _padded(self, latent: Tensor) -> Tensor:
        before, after = self._cut - self._cut // 2, self._cut // 2
        return pad(latent, [before, after, before, after])

    def _trimmed(self, latent: Tensor) -> Tensor:
        before, after = self._cut - self._cut // 2, self._cut // 2
        height, width = latent.shape[-2:]
        return latent[..., before : height - after, before : width - after]
