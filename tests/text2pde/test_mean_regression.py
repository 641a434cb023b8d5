"""The regression of a source: exact in its reach, with deviations of new cases; mirror images are solutions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import ConfigError, InputError
from sciml.reference.incompressible_smoke import RisingSmoke, random_smoke
from sciml.text2pde import MeanRegression, Mirror

CHANNELS, SHAPE, COUNT = 3, (2, 2, 1), 400
FIELDS = ["velocity_x", "velocity_y", "smoke"]


def law(guess: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
    """Return latents of second degree in a first frame, with a factor that depends on a parameter."""
    a, b = guess[:, :, 0].flatten(1)[:, :2].T
    pushed = 1 + 0.5 * parameters[:, 0]
    values = torch.stack([a * pushed, a * b, b**2 - pushed, a - 2 * b], 1)
    weights = torch.linspace(-1, 1, 4 * CHANNELS * 4).reshape(4, -1)
    return (values @ weights).reshape(-1, CHANNELS, *SHAPE)


def fitted(noise: float) -> tuple[MeanRegression, torch.Tensor, torch.Tensor, torch.Tensor, tuple]:
    random = torch.Generator().manual_seed(0)
    guess = torch.randn(COUNT, CHANNELS, 1, *SHAPE[1:], generator=random).expand(-1, -1, SHAPE[0], -1, -1)
    parameters = torch.randn(COUNT, 1, generator=random)
    latents = law(guess, parameters) + noise * torch.randn(COUNT, CHANNELS, *SHAPE, generator=random)
    regression = MeanRegression(CHANNELS, SHAPE, 1)
    found = regression.fit(guess[:300], parameters[:300], latents[:300], torch.arange(300))
    return regression, guess, parameters, latents, found


def test_a_law_of_second_degree_is_found_and_what_is_unknown_widens_it():
    regression, guess, parameters, latents, (known, unknown) = fitted(0.0)
    missed = regression(guess[300:], parameters[300:]) - latents[300:]
    assert float(missed.norm() / latents[300:].norm()) < 0.03
    assert float((known - latents[:300]).norm()) < 0.3 * float((unknown - latents[:300]).norm())


def test_deviations_are_those_of_new_trajectories():
    regression, guess, parameters, latents, (known, _) = fitted(1.0)
    missed = (regression(guess[300:], parameters[300:]) - latents[300:]).square().mean(0).sqrt()
    torch.testing.assert_close(
        regression.deviation.square().mean().sqrt(), missed.square().mean().sqrt(), rtol=0.1, atol=0
    )
    fit = regression(guess[:300], parameters[:300]) - latents[:300]
    assert float(fit.norm()) < 0.9 * float((known - latents[:300]).norm())  # of a fit to all, they would be too small


def test_one_trajectory_is_refused():
    guess = torch.randn(4, CHANNELS, *SHAPE, generator=torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="cannot be split"):
        MeanRegression(CHANNELS, SHAPE, 0).fit(guess, torch.zeros(4, 0), guess, torch.zeros(4, dtype=torch.int64))


def test_the_mirror_image_of_rising_smoke_is_what_rises_from_the_mirror_image():
    problem = RisingSmoke(cells=32)
    smoke, mirror = random_smoke(32, np.random.default_rng(0)), Mirror(0, ["velocity_x"])

    def trajectory(start: np.ndarray) -> torch.Tensor:
        found = problem.frames(problem.advanced(problem.still(start), 0.3, 4), 0.3, 4)
        return torch.from_numpy(np.stack([found[name] for name in FIELDS]))[None].double()

    once, other = trajectory(smoke), trajectory(smoke[::-1].copy())
    torch.testing.assert_close(mirror.image(once, FIELDS, 2), other, rtol=0, atol=1e-5)
    assert float((once - other).abs().max()) > 0.1
    torch.testing.assert_close(mirror.image(mirror.image(once, FIELDS, 2), FIELDS, 2), once, rtol=0, atol=0)


def test_mirrors_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="pressure"):
        Mirror(0, ["pressure"]).check(FIELDS, 2)
    with pytest.raises(ConfigError, match="axis of the mirror"):
        Mirror(2).check(FIELDS, 2)
