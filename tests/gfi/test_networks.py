"""Networks of learned inversion: published sizes, shapes, inverses of trained X-Nets, published names, the wiring."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from sciml.errors import CheckpointError, ConfigError, InputError
from sciml.gfi.networks.autoencoders import LATENT_CHANNELS, maps_autoencoder, records_autoencoder
from sciml.gfi.networks.base import OPENFWI_MAP, OPENFWI_RECORDS, Scales
from sciml.gfi.networks.baselines import AutoLinear, FourierWaveforms, InversionNet, WaveformNet
from sciml.gfi.networks.columns import ColumnTransformer
from sciml.gfi.networks.latent import ForwardLatentUNet, InvertibleXNet, LatentUNet
from sciml.gfi.published import load_published
from sciml.numerics.random import generator, seeded

RECORDS, MAP = (2, 200, 28), (30, 28)  # of small networks
SMALL = {"records_shape": RECORDS, "map_shape": MAP}


def made(kind: type[nn.Module], **options: object) -> nn.Module:
    with seeded(0):
        return kind(**options).eval()


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator(0, *shape))


def millions(network: nn.Module, complex_once: bool = False) -> float:
    halves = {id(layer.weight) for layer in network.modules() if complex_once and hasattr(layer, "modes")}
    return sum(weight.numel() / (2 if id(weight) in halves else 1) for weight in network.parameters()) / 1e6


def test_the_networks_have_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        assert round(millions(LatentUNet("small")), 2) == 18.14
        assert round(millions(LatentUNet("large")), 2) == 34.96
        assert round(millions(ForwardLatentUNet("large")), 2) == 34.96
        assert round(millions(InvertibleXNet()), 2) == 26.07
        assert round(millions(InversionNet()), 2) == 24.41
        assert round(millions(WaveformNet()), 2) == 10.22
        assert round(millions(FourierWaveforms(), complex_once=True), 2) == 7.38
        assert millions(LatentUNet("cpu")) <= 1.2


@pytest.mark.parametrize("kind", [InversionNet, WaveformNet])
def test_networks_for_openfwi_alone_have_its_shapes(kind: type[nn.Module]) -> None:
    with torch.device("meta"):
        network = kind()
        given = network.map_shape if kind is WaveformNet else network.records_shape
        images = torch.zeros(2, *given) if kind is InversionNet else torch.zeros(2, 1, *given)
        wanted = (2, 1, *network.map_shape) if kind is InversionNet else (2, *network.records_shape)
        assert network(images).shape == wanted


@pytest.mark.parametrize("latent", [8, 16, 32, 64, 70, 72])
def test_every_latent_size_gives_square_images_and_both_shapes_back(latent: int) -> None:
    with torch.device("meta"):
        for autoencoder, given in (
            (records_autoencoder(OPENFWI_RECORDS, latent, LATENT_CHANNELS), torch.zeros(2, *OPENFWI_RECORDS)),
            (maps_autoencoder(OPENFWI_MAP, latent, LATENT_CHANNELS), torch.zeros(2, 1, *OPENFWI_MAP)),
        ):
            assert autoencoder.encoder(given).shape == (2, LATENT_CHANNELS, latent, latent)
            assert autoencoder(given).shape == given.shape


@pytest.mark.parametrize(
    ("kind", "ways"), [(LatentUNet, 1), (ForwardLatentUNet, -1), (AutoLinear, 0), (FourierWaveforms, -1)]
)
def test_small_networks_go_their_ways_and_learn(kind: type[nn.Module], ways: int) -> None:
    options = {"latent": 8, **({"width": 16} if kind is AutoLinear else {"size": "cpu"})}
    options = {"modes": [3, 3], "width": 4} if kind is FourierWaveforms else options
    network = made(kind, **options, **SMALL).train()
    records, velocity = normal(2, *RECORDS), 3000 + 500 * normal(2, 1, *MAP)
    found = []
    if ways >= 0:
        found.append((network.inverse_map(records), velocity.shape))
    if ways <= 0:
        found.append((network.forward_map(velocity), records.shape))
    if network.reconstructs:
        found += zip(network.reconstruct(records, velocity), (records.shape, velocity.shape), strict=True)
    for values, wanted in found:
        assert values.shape == wanted
    sum(values.square().mean() for values, _ in found).backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_what_goes_in_and_comes_out_has_units_and_its_axes_are_checked() -> None:
    network = made(LatentUNet, size="cpu", latent=8, **SMALL)
    scales: Scales = network.scales
    scales.fit([3 + 2 * normal(4, 50).numpy(), 3 + 2 * normal(50).numpy()])
    values = normal(7)
    assert float(scales.encode_records(3 + 2 * values).std() / values.std()) == pytest.approx(1, abs=0.1)
    assert torch.allclose(scales.decode_records(scales.encode_records(values)), values, atol=1e-5)
    assert torch.equal(scales.encode_map(torch.tensor([1500.0, 3000.0, 4500.0])), torch.tensor([-1.0, 0.0, 1.0]))
    assert scales.decode_map(torch.tensor(0.5, dtype=torch.bfloat16)) == torch.tensor(3750.0)
    with pytest.raises(InputError, match="shots, time, receivers"):
        network(torch.zeros(1, *RECORDS[::-1]))
    with pytest.raises(InputError, match="constant"):
        Scales().fit([torch.ones(5).numpy()])


def test_networks_of_no_shape_are_refused() -> None:
    with pytest.raises(ConfigError, match="latent is 9"):
        LatentUNet(latent=9)
    with pytest.raises(ConfigError, match="a number of map_shape is 0"):
        LatentUNet(map_shape=(0, 70))
    with pytest.raises(ConfigError, match="no autoencoders"), torch.device("meta"):
        InversionNet().reconstruct(torch.zeros(1), torch.zeros(1))


def x_net(latent: int, **options: object) -> InvertibleXNet:
    """Return an X-Net away from its first weights, with which it is the identity."""
    network = made(InvertibleXNet, latent=latent, width=16, **options)
    with torch.no_grad():
        for number, weight in enumerate(network.bijection.parameters()):
            weight += 0.05 * torch.randn(weight.shape, generator=generator(1, number))
    return network


def test_the_x_net_with_latent_72_inverts_itself_and_the_published_one_does_not() -> None:
    errors = {}
    for latent in (72, 64, 70):
        if latent == 70:
            with pytest.warns(UserWarning, match="not invertible"):
                network = x_net(latent)
        else:
            network = x_net(latent)
        images = normal(1, 16, latent, latent)
        with torch.no_grad():
            found = network.translate(images)
            errors[latent] = float((network.translate_back(found) - images).abs().max())
            assert float((found - images).abs().max()) > 0.5
    assert errors[72] <= 1e-4 and errors[64] <= 1e-4
    assert errors[70] > 1e-2


def test_both_ways_of_the_x_net_train_the_same_weights() -> None:
    network = x_net(8, couplings=[1, 1], **SMALL)
    gradients = []
    for found in (network.inverse_map(normal(2, *RECORDS)), network.forward_map(3000 + 500 * normal(2, 1, *MAP))):
        network.zero_grad()
        found.square().mean().backward()
        gradients.append([weight.grad.abs().sum() > 0 for weight in network.bijection.parameters()])
    assert all(map(all, gradients))


def published_name(name: str) -> str:
    """Return the name that the authors' code has for a tensor of ours."""
    part, rest = name.split(".", 1)
    if part in ("records", "maps"):
        rest = re.sub(r"^(en|de)coder\.(\d+)\.(?=\d)", r"\1coder_layers.\2.conv_block.", rest)
        return f"{'amp' if part == 'records' else 'vel'}_model.{rest.replace('coder.', 'coder_layers.')}"
    rest = re.sub(r"^encoder\.(\d+)\.0\.", r"encoder.\1.block.0.maxpool_conv.0.double_conv.", rest)
    rest = re.sub(r"^decoder\.(\d+)\.0\.", r"decoder.\1.block.0.conv.double_conv.", rest)
    rest = re.sub(r"^(encoder|decoder)\.(\d+)\.(\d+)\.(?=\d)", r"\1.\2.block.\3.double_conv.", rest)
    rest = re.sub(r"^bottleneck\.(\d+)\.", r"bottleneck.block.\1.double_conv.", rest)
    return f"unet_model.{re.sub('^head.', 'decoder.2.double_conv.', rest)}"


@pytest.mark.parametrize("kind", [LatentUNet, ForwardLatentUNet])
def test_published_weights_of_latent_u_nets_load_under_their_names(kind: type[nn.Module]) -> None:
    network, other = (made(kind, size="cpu", latent=8, legacy_wiring=True, **SMALL) for _ in range(2))
    own = {name: each for name, each in network.state_dict().items() if not name.startswith("scales.")}
    state = {
        published_name(name): torch.randint_like(each, 3) if not each.is_floating_point() else normal(*each.shape).abs()
        for name, each in own.items()
    }
    expected = {
        "unet_model.encoder.0.block.0.maxpool_conv.0.double_conv.0.weight",
        "unet_model.decoder.0.block.0.conv.double_conv.4.bias",
        "unet_model.bottleneck.block.1.double_conv.3.weight",
        "unet_model.decoder.2.double_conv.0.weight",
        "amp_model.encoder_layers.0.conv_block.1.running_mean",
        "vel_model.decoder_layers.7.weight",
    }
    assert expected <= set(state)
    load_published(other, state, records_mean=0.5, records_deviation=1.5)
    for name, each in own.items():
        assert torch.equal(other.state_dict()[name], state[published_name(name)]), each.shape
    assert float(other.scales.deviation) == 1.5 and bool(other.scales.is_fitted)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_published(other, dict(list(state.items())[1:]), records_mean=0.0, records_deviation=1.0)
    with pytest.raises(InputError, match="none of the published names"):
        load_published(other, {"generator.weight": torch.zeros(1)}, records_mean=0.0, records_deviation=1.0)
    with pytest.raises(InputError, match="made with legacy_wiring"):
        aligned = made(kind, size="cpu", latent=8, **SMALL)
        load_published(aligned, state, records_mean=0.0, records_deviation=1.0)


def published_names_of_couplings(name: str) -> list[str]:
    """Return the names that iunets 0.1 has for a tensor of ours: two for those of a coupling, which it lists twice."""
    for ours, theirs in {
        "down.": "encoder_modules.",
        "up.": "decoder_modules.",
        "halvings.": "downsampling_layers.",
        "doublings.": "upsampling_layers.",
    }.items():
        name = re.sub(f"^{re.escape(ours)}", theirs, name)
    if "function" in name:
        return [name.replace("function", f"_fn.F.{each}") for each in ("seq", "F")]
    return [name.replace(".weight", "._fn.weight")]


@pytest.mark.filterwarnings("ignore:latent is 70")
def test_published_weights_of_x_nets_load_under_the_names_of_iunets() -> None:
    options = {"width": 4, "couplings": (1, 2)}
    network = made(InvertibleXNet, latent=70, **options)
    with torch.no_grad():
        for own in network.parameters():
            own.add_(0.1 * normal(*own.shape))
    state: dict[str, Tensor] = {}
    for name, own in network.state_dict().items():
        part, rest = name.split(".", 1)
        if part == "bijection":
            state |= {f"iunet_model.{each}": own for each in published_names_of_couplings(rest)}
        elif part != "scales":
            state[published_name(name)] = own
    expected = {
        "iunet_model.encoder_modules.0.0._fn.F.seq.0.weight",
        "iunet_model.encoder_modules.0.1._fn.weight",
        "iunet_model.decoder_modules.1.1._fn.F.F.2.bias",
        "iunet_model.downsampling_layers.0._fn.weight",
    }
    assert expected <= set(state)
    other = made(InvertibleXNet, latent=70, **options)
    load_published(other, {f"module.{name}": own for name, own in state.items()}, records_mean=0.5, records_deviation=2)
    images = normal(1, 4, 12, 12)
    with torch.no_grad():
        assert torch.equal(other.bijection(images), network.bijection(images))
        assert not torch.allclose(other.bijection(images), images, atol=0.1)
    for name, own in network.state_dict().items():
        assert name.startswith("scales.") or torch.equal(other.state_dict()[name], own)
    with pytest.raises(InputError, match="latent: 70"):
        load_published(made(InvertibleXNet, **options), state, records_mean=0.0, records_deviation=1.0)
    state["iunet_model.encoder_modules.0.0._fn.F.F.0.weight"] = torch.zeros(2, 2, 3, 3)
    with pytest.raises(InputError, match="under its other name"):
        load_published(other, state, records_mean=0.0, records_deviation=1.0)


def test_the_columns_have_the_published_shapes_few_parameters_and_fit_other_maps() -> None:
    with torch.device("meta"):
        network = ColumnTransformer(width=160)
        assert network(torch.zeros(2, *OPENFWI_RECORDS)).shape == (2, 1, *OPENFWI_MAP)
        assert millions(network) <= 1.2
    other = made(ColumnTransformer, width=8, layers=1, heads=2, records_shape=(2, 60, 7), map_shape=(9, 13))
    found = other(normal(2, 2, 60, 7)).detach()
    assert found.shape == (2, 1, 9, 13) and 1000 < float(found.min()) < float(found.max()) < 5000
    with pytest.raises(ConfigError, match="multiple of the heads"):
        ColumnTransformer(width=10, heads=4)
    with pytest.raises(ConfigError, match="channels 1 is 0"):
        ColumnTransformer(channels=(8, 0))


def test_the_columns_see_no_slow_changes_of_the_records_and_all_fast_ones() -> None:
    options = {"width": 8, "layers": 1, "heads": 2, "records_shape": (2, 400, 7), "map_shape": (9, 13)}
    network, records = made(ColumnTransformer, **options), normal(2, 2, 400, 7)
    times = (torch.arange(400) + 2.0) / 400
    drift = 3.0 * torch.cos(4 * torch.pi * times) + 5.0
    found = network(records)
    torch.testing.assert_close(network(records + 5.0), found, rtol=0, atol=0.1)
    seen, slow = (network.without_slow_modes(each[:, :, ::4]) for each in (records, drift[None, None, :, None]))
    assert float(slow.norm()) < 0.05 * float(drift[::4].norm())
    fast = torch.cos(40 * torch.pi * times)[None, None, :, None]
    torch.testing.assert_close(network.without_slow_modes(fast[:, :, ::4]), fast[:, :, ::4], rtol=0, atol=0.1)
    torch.testing.assert_close(network.without_slow_modes(seen), seen, rtol=0, atol=1e-5)
    other = made(ColumnTransformer, **options, slow_modes=0)
    assert float((other(records + 5.0) - other(records)).detach().abs().max()) > 1.0
    with pytest.raises(ConfigError, match="slow_modes is 60"):
        ColumnTransformer(**options, slow_modes=60)
