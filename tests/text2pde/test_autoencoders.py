"""Autoencoders: principal components and what training adds, in exact algebra; points, latents with a variance."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.numerics.random import generator, seeded
from sciml.text2pde import ConvolutionalAutoencoder, PatchAutoencoder, PatchPCA, Posterior
from sciml.text2pde.point_decoder import PointCorrection, interpolated
from tests.text2pde import plumes

SHAPES = [((12,), (3,)), ((6, 8), (3, 2)), ((4, 6, 4), (2, 3, 2))]


def fields(shape: tuple[int, ...], count: int = 30) -> Tensor:
    """Return random fields of two channels whose neighbouring values are related, in float64."""
    random = torch.randn(count, 2, *shape, generator=generator(0), dtype=torch.float64)
    for axis in range(2, random.ndim):
        random = random + 0.8 * random.roll(1, axis)
    return random * torch.tensor([1.0, 30.0]).reshape(1, 2, *(1 for _ in shape)) + 5


def autoencoder(shape: tuple[int, ...], patch: tuple[int, ...], latents: int, **options: int) -> PatchAutoencoder:
    with seeded(0):
        made = PatchAutoencoder(shape, patch, 2, latents, **{"width": 8, "blocks": 1, **options}).double()
    made.fit(lambda: fields(shape).split(7))
    return made


def puffs(count: int) -> Tensor:
    """Return trajectories of puffs on every second point."""
    random = np.random.default_rng(0)
    given = [plumes.trajectory(random.uniform(0.3, 0.6, 2), random.uniform(0.2, 0.5)) for _ in range(count)]
    return torch.from_numpy(np.stack([np.stack(list(each.values())) for each in given])[..., ::2, ::2]).double()


def squares(made: PatchAutoencoder, given: Tensor) -> Tensor:
    """Return the mean square error in normalised units."""
    normalised = made.normalised(given)
    decoded = made.decode_normalised(made.posterior_of_normalised(normalised).mean)
    return (decoded - normalised).square().mean()


@pytest.mark.parametrize(("shape", "patch"), SHAPES)
def test_the_error_of_principal_components_is_the_discarded_eigenvalue_mass(
    shape: tuple[int, ...], patch: tuple[int, ...]
) -> None:
    for kept in (1, 3, 5):
        pca = PatchPCA(patch, 2, kept).double()
        given = fields(shape)
        pca.fit(given.split(7))
        error = float((pca.decode(pca.encode(given)) - given).square().mean())
        assert error == pytest.approx(pca.discarded, rel=1e-9)
        exact = torch.eye(kept, dtype=torch.float64)
        torch.testing.assert_close(pca.directions.T @ pca.directions, exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("shape", "patch"), SHAPES)
def test_principal_components_of_full_rank_are_exact(shape: tuple[int, ...], patch: tuple[int, ...]) -> None:
    made, given = autoencoder(shape, patch, 2 * math.prod(patch)), fields(shape)
    torch.testing.assert_close(made.decode(made.encode(given)), given, rtol=1e-9, atol=1e-9)


def test_no_other_projection_has_a_smaller_error_and_latents_are_white() -> None:
    given = fields((6, 8))
    pca = PatchPCA((3, 2), 2, 4).double()
    pca.fit([given])
    latents = pca.encode(given).transpose(0, 1).flatten(1)
    torch.testing.assert_close(latents @ latents.T / latents.shape[1], torch.eye(4, dtype=torch.float64))
    assert float(latents.mean(1).abs().max()) < 1e-10
    others = np.random.default_rng(0)
    patches = given.unfold(2, 3, 3).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).numpy()
    patches = patches - patches.mean(0)
    for _ in range(50):
        basis = np.linalg.qr(pca.directions.numpy() + 0.3 * others.standard_normal((12, 4)))[0]
        assert ((patches - patches @ basis @ basis.T) ** 2).mean() > pca.discarded


def test_distances_of_latents_that_are_not_white_are_those_of_the_projected_patches() -> None:
    given = fields((6, 8))
    pca = PatchPCA((3, 2), 2, 4, whiten=False).double()
    pca.fit([given])
    latents, decoded = pca.encode(given), pca.decode(pca.encode(given))
    scale = float(pca.eigenvalues[:4].mean().sqrt())
    torch.testing.assert_close(torch.pdist(latents.flatten(1)) * scale, torch.pdist(decoded.flatten(1)))
    assert float(latents.square().mean()) == pytest.approx(1.0)
    assert float((decoded - given).square().mean()) == pytest.approx(pca.discarded, rel=1e-9)


def test_it_starts_as_principal_components_and_training_only_lowers_their_error() -> None:
    given = puffs(12)
    with seeded(0):
        made = PatchAutoencoder((8, 8, 8), (4, 4, 4), 3, 2, width=16, blocks=1).double()
    made.fit(lambda: given.split(5))
    assert float(squares(made, given).detach()) == pytest.approx(made.linear.discarded, rel=1e-9)
    torch.testing.assert_close(made.decode(made.encode(given)), made.decode_linearly(given))
    errors, optimizer = [], torch.optim.SGD(made.parameters(), lr=1.0)
    for _ in range(20):
        loss = squares(made, given)
        errors.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert errors[-1] < 0.98 * made.linear.discarded


def test_convolutions_see_neighbouring_patches_and_principal_components_do_not() -> None:
    made, given = autoencoder((6, 8), (3, 2), 3), fields((6, 8), 2)
    with torch.no_grad():
        for network in (made.encoder, made.decoder):
            torch.nn.init.normal_(network.last.weight)
    changed = given.clone()
    changed[:, :, :3, :2] += 1.0
    before, after = made.encode(given), made.encode(changed)
    moved = (after - before).abs().amax((0, 1)) > 1e-9
    assert moved[1, 1] and moved[0, 1]
    only = (
        (made.linear.encode(made.normalised(changed)) - made.linear.encode(made.normalised(given))).abs().amax((0, 1))
    )
    assert (only > 1e-9).sum() == 1


def test_decoding_at_the_points_of_the_grid_is_decoding() -> None:
    made, given = autoencoder((4, 6, 4), (2, 3, 2), 3, point_width=8), fields((4, 6, 4), 3)
    latents = made.encode(given)
    axes = [torch.linspace(0, 1, count, dtype=torch.float64) for count in (4, 6, 4)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    torch.testing.assert_close(made.decode_at(latents, points).reshape(3, 2, 4, 6, 4), made.decode(latents))


def test_affine_fields_are_exact_at_any_points() -> None:
    x = torch.stack(torch.meshgrid(*(torch.linspace(0, 1, n, dtype=torch.float64) for n in (6, 8)), indexing="ij"), -1)
    slopes = torch.randn(20, 2, 3, generator=generator(0), dtype=torch.float64)
    given = torch.einsum("bci,hwi->bchw", slopes[..., :2], x) + slopes[..., 2, None, None]
    made = PatchAutoencoder((6, 8), (3, 4), 2, 6, width=8, point_width=8).double()
    made.fit(lambda: [given])
    points = torch.rand(40, 2, generator=generator(1), dtype=torch.float64)
    found = made.decode_at(made.encode(given), points)
    wanted = torch.einsum("bci,pi->bcp", slopes[..., :2], points) + slopes[..., 2, None]
    torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("axis", [0, 1])
def test_corrections_at_points_are_continuous_across_cells_and_use_the_place(axis: int) -> None:
    with seeded(0):
        correction = PointCorrection(3, 16, 1, 2).double()
        torch.nn.init.normal_(correction.layers[-1].weight)
    features = torch.randn(1, 3, 4, 5, generator=generator(0), dtype=torch.float64)
    face, step = torch.tensor([[1.3, 2.6]], dtype=torch.float64), 1e-7
    face[0, axis] = 2.0
    shift = torch.zeros_like(face)
    shift[0, axis] = step
    with torch.no_grad():
        below, above, inside = (correction(features, face + factor * shift) for factor in (-1, 1, 4e6))
    assert float((above - below).abs()) < 1e-4
    assert float((inside - above).abs()) > 1e-2


def test_interpolation_is_that_of_torch() -> None:
    values = torch.randn(2, 3, 5, 7, generator=generator(0), dtype=torch.float64)
    points = 2 * torch.rand(20, 2, generator=generator(1), dtype=torch.float64) - 1
    grid = points.flip(-1)[None, None].expand(2, -1, -1, -1)
    wanted = torch.nn.functional.grid_sample(values, grid, align_corners=True)[:, :, 0]
    places = (points + 1) / 2 * torch.tensor([4.0, 6.0], dtype=torch.float64)
    torch.testing.assert_close(interpolated(values, places), wanted)


def test_the_divergence_of_latents_is_that_of_normal_laws() -> None:
    mean, log_variance = torch.randn(2, 4, 3, 5, generator=generator(0), dtype=torch.float64)
    found = Posterior(mean, log_variance).divergence()
    law = torch.distributions.Normal(mean, (log_variance / 2).exp())
    wanted = torch.distributions.kl_divergence(law, torch.distributions.Normal(0.0, 1.0)).flatten(1).sum(1)
    torch.testing.assert_close(found, wanted)
    assert float(Posterior(torch.zeros(2, 3), torch.zeros(2, 3)).divergence().abs().max()) == 0
    with pytest.raises(InputError, match="set variational=true"):
        Posterior(mean, None).divergence()


def test_latents_that_are_drawn_have_the_mean_and_the_variance() -> None:
    made, given = autoencoder((6, 8), (3, 2), 3, variational=True), fields((6, 8), 1)
    with torch.no_grad():
        posterior = made.posterior(given)
    noise = torch.randn(20000, *posterior.mean.shape[1:], generator=generator(0), dtype=torch.float64)
    drawn = posterior.draw(noise)
    deviation = (posterior.log_variance / 2).exp()
    assert float(((drawn.mean(0) - posterior.mean) / deviation).abs().max()) < 5 / math.sqrt(20000)
    torch.testing.assert_close(drawn.std(0, keepdim=True), deviation, rtol=0.05, atol=0)


@pytest.mark.parametrize("shape", [(8,), (8, 16), (4, 8, 8)])
def test_convolutional_autoencoders_halve_all_axes_and_see_all_points(shape: tuple[int, ...]) -> None:
    with seeded(0):
        made = ConvolutionalAutoencoder(shape, 2, 3, width=16, multiples=(1, 2, 1), blocks=1)
    made.fit(lambda: [fields(shape).float()])
    given = fields(shape, 2).float()
    posterior = made.posterior(given)
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 3, *(points // 4 for points in shape))
    assert made.decode(posterior.mean).shape == given.shape
    changed = given.clone()
    changed[:, :, 0] += 10.0
    assert bool(((made.encode(changed) - posterior.mean).abs() > 1e-7).all())  # by the attention at the bottom
    loss = (made.decode(posterior.mean) - given).square().mean() + posterior.divergence().mean()
    loss.backward()
    assert all(bool(weight.grad.any()) for name, weight in made.named_parameters() if not name.endswith("inputs.bias"))
    assert made.last_layer.shape[0] == 2


def test_the_published_autoencoder_of_smoke_has_its_latents() -> None:
    with torch.device("meta"):
        made = ConvolutionalAutoencoder((48, 128, 128), 3, 16)
        assert made.posterior_of_normalised(torch.zeros(1, 3, 48, 128, 128)).mean.shape == (1, 16, 6, 16, 16)
    with pytest.raises(InputError, match="cannot be halved 3 times"):
        ConvolutionalAutoencoder((20, 64, 64), 3, 16)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"patch": (4, 4)}, "no whole number of patches"),
        ({"latent_channels": 20}, "the number of latents of a patch is 20"),
        ({"shape": (2, 2, 2, 2), "patch": (1, 1, 1, 1)}, "one to three numbers of points"),
        ({"shape": (90, 60), "patch": (90, 60)}, "a smaller patch"),
        ({"width": 0, "point_width": 4}, "set width"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, object], words: str) -> None:
    sizes = {"shape": (6, 8), "patch": (3, 2), "channels": 2, "latent_channels": 3}
    with pytest.raises(InputError, match=words):
        PatchAutoencoder(**{**sizes, **options})


def test_fields_without_variation_or_of_another_shape_are_refused() -> None:
    pca = PatchPCA((3, 2), 2, 3)
    with pytest.raises(InputError, match="the same in all patches"):
        pca.fit([torch.ones(4, 2, 6, 8)])
    with pytest.raises(InputError, match="the training split is empty"):
        pca.fit([])
    with pytest.raises(InputError, match=r"nan|not a number|finite"):
        pca.fit([torch.full((4, 2, 6, 8), math.nan)])
    made = autoencoder((6, 8), (3, 2), 3)
    with pytest.raises(InputError, match="the shape of the fields"):
        made.encode(torch.zeros(1, 2, 6, 6))
    with pytest.raises(InputError, match="the shape of the latents"):
        made.decode(torch.zeros(1, 2, 2, 4))
