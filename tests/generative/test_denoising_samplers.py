"""DDIM and DDPM against closed forms: the published recursions, and the law of Gaussian data."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.generative import (
    DDIM,
    DDPM,
    ConsistencySteps,
    Counted,
    Euler,
    ExactGaussian,
    GaussianFlow,
    GaussianSteps,
    Interpolant,
    LinearPath,
    StochasticEuler,
    StochasticGaussian,
    VariancePreservingPath,
    reflow_pairs,
    sample,
)
from sciml.numerics.random import generator

MEAN, DEVIATION = 0.7, 0.4
SHAPE = (3, 2, 2, 3, 2)  # a batch of latents with channels, time and two axes of space
EXACT = ExactGaussian(VariancePreservingPath(), MEAN, DEVIATION)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def alphabar(level):
    """The published table, 1 at level 0."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return float(torch.cat([torch.ones(1).double(), torch.cumprod(1 - betas, 0)])[level])


def published_ddim(noise_network, x, levels):
    """Eq. 12 of Song, Meng and Ermon without noise, item by item, as it was written for images one by one."""
    items = []
    for item in x:
        for level, after in zip(levels, [*levels[1:], 0], strict=True):
            a, b = alphabar(level), alphabar(after)
            noise = noise_network(item[None], torch.tensor([1 - level / 1000], dtype=torch.float64))[0]
            data = (item - math.sqrt(1 - a) * noise) / math.sqrt(a)
            item = math.sqrt(b) * data + math.sqrt(1 - b) * noise
        items.append(item)
    return torch.stack(items)


@pytest.mark.parametrize(
    ("spacing", "steps", "levels"),
    [
        ("leading", 4, [752, 502, 252, 2]),
        ("leading", 7, [854, 712, 570, 428, 286, 144, 2]),
        ("trailing", 4, [1000, 750, 500, 250]),
        ("trailing", 1, [1000]),
    ],
)
@pytest.mark.parametrize("prediction", ["noise", "data", "velocity"])
def test_ddim_is_the_published_recursion_for_a_batch_of_latents(spacing, steps, levels, prediction):
    network = {"noise": EXACT.noise, "data": EXACT.data, "velocity": EXACT.velocity}[prediction]
    flow = GaussianFlow(lambda x, t: network(x, t) + 0.1 * torch.sin(3 * x), EXACT.path, prediction)
    start = normal(*SHAPE)
    ours = sample(flow, start, steps, DDIM(spacing))
    torch.testing.assert_close(ours, published_ddim(flow.noise, start, levels), rtol=1e-9, atol=1e-9)


def test_leading_steps_over_all_levels_visit_each_once():
    assert DDIM("leading").times(1000) == pytest.approx([1 - level / 1000 for level in range(1000, -1, -1)])


def test_ddim_on_a_linear_path_is_eulers_method():
    flow, start = ExactGaussian(LinearPath(), MEAN, DEVIATION), normal(6, 2)
    torch.testing.assert_close(sample(flow, start, 5, DDIM()), sample(flow, start, 5, Euler()))


def test_ddim_is_exact_where_the_data_are_one_point():
    path = VariancePreservingPath()
    flow = GaussianFlow(lambda x, t: torch.full_like(x, 2.0), path, "data")
    counted = Counted(flow)
    torch.testing.assert_close(sample(counted, normal(4, 3), 3, DDIM()), torch.full((4, 3), 2.0).double())
    assert counted.calls == 3


def draws(flow, steps, sampler, number=20_000):
    """Samples from a source on the path, and how many standard errors their moments are off."""
    seeded = generator(1)
    mean, deviation = flow.moments(torch.zeros(1, dtype=torch.float64))
    start = mean + deviation * torch.randn(number, 1, generator=seeded, dtype=torch.float64)
    ends = sample(flow, start, steps, sampler, generator=seeded, mean=torch.full_like(start, flow.source_mean))
    off = float(ends.mean() - flow.mean) / flow.deviation * math.sqrt(number)
    return start, ends, (off, (float(ends.std()) / flow.deviation - 1) * math.sqrt(2 * number))


@pytest.mark.parametrize(
    "flow",
    [EXACT, ExactGaussian(Interpolant(LinearPath(), 0.5), MEAN, DEVIATION, source_mean=0.3)],
    ids=lambda flow: type(flow.path).__name__,
)
def test_ddpm_with_all_steps_has_the_moments_of_the_data_and_forgets_the_start(flow):
    start, ends, off = draws(flow, 1000, DDPM(), number=2000)
    assert max(map(abs, off)) < 3
    assert abs(float(torch.corrcoef(torch.cat([start, ends], 1).T)[0, 1])) < 0.6


def test_ddpm_is_ddim_with_all_of_its_noise():
    ends = [sample(EXACT, normal(5, 2), 9, s, generator=generator(3)) for s in (DDPM(), DDIM(eta=1.0))]
    assert torch.equal(*ends)


def test_the_new_noise_of_ddpm_has_the_published_variance():
    path = VariancePreservingPath()
    begin, end = (path.coefficients(torch.tensor(1 - level / 1000, dtype=torch.float64)) for level in (600, 599))
    variance = float(end.sigma) ** 2 * DDPM().renewed(begin, end)
    beta = 1 - alphabar(600) / alphabar(599)
    assert variance == pytest.approx((1 - alphabar(599)) / (1 - alphabar(600)) * beta, rel=1e-8)


def test_consistency_steps_have_the_law_of_the_data_when_the_function_is_exact():
    def function(x, t):  # along the flow to its end
        mean, deviation = EXACT.moments(t)
        return MEAN + DEVIATION * (x - mean[:, None]) / deviation[:, None]

    class Exact(ExactGaussian):
        def pair(self, x, t, condition=None):
            return super().pair(x, t)._replace(data=function(x, t))

    _, _, off = draws(Exact(EXACT.path, MEAN, DEVIATION), 3, ConsistencySteps())
    assert max(map(abs, off)) < 3


@pytest.mark.parametrize(
    "sampler",
    [DDPM(), DDIM(eta=0.5), ConsistencySteps(), GaussianSteps(0.3), StochasticEuler(), StochasticGaussian(0.3)],
)
def test_steps_about_the_mean_of_an_informed_source_are_not_made_about_zero_instead(sampler):
    flow = ExactGaussian(Interpolant(LinearPath(), 0.5), 5.0, 0.3, source_mean=4.0)
    mean = torch.full((2000, 1), 4.0).double()
    start = flow.path.start(mean, generator(0))
    with pytest.raises(InputError, match="no mean of the informed source of Interpolant"):
        sample(flow, start, 16, sampler, generator=generator(1))
    with pytest.raises(InputError, match="no mean of the informed source"):
        reflow_pairs(flow, start, 16, sampler)
    assert float(sample(flow, start, 16, sampler, None, generator(1), mean).mean()) == pytest.approx(5.0, abs=0.05)
    plain = ExactGaussian(LinearPath(), 5.0, 0.3)
    sample(plain, start - 4.0, 16, sampler, generator=generator(1))


def test_reflow_passes_the_mean_of_an_informed_source_on():
    flow = ExactGaussian(Interpolant(LinearPath(), 0.5), 5.0, 0.3, source_mean=4.0)
    mean = torch.full((200, 1), 4.0).double()
    start = flow.path.start(mean, generator(0))
    pair = reflow_pairs(flow, start, 2, GaussianSteps(0.3), mean=mean)
    torch.testing.assert_close(pair.data, 5.0 + 0.6 * (start - 4.0), rtol=1e-6, atol=1e-6)


def test_samplers_that_draw_ask_for_a_generator():
    with pytest.raises(InputError, match="a sampler that draws was given no generator"):
        sample(EXACT, normal(2, 2), 3, DDPM())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DDIM("middle"), "the spacing is 'middle'"),
        (lambda: DDIM(eta=1.5), "share of new noise eta is 1.5"),
        (lambda: sample(EXACT, normal(1, 1), 1001, DDIM("leading")), "number of steps is 1001, expected at most 1000"),
    ],
)
def test_parameters_that_make_no_sampler_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def test_ddim_agrees_with_diffusers():
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    for spacing in ("leading", "trailing"):
        scheduler = diffusers.DDIMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            timestep_spacing=spacing,
            steps_offset=1 if spacing == "leading" else 0,
            set_alpha_to_one=True,
            clip_sample=False,
        )
        scheduler.set_timesteps(8)
        x = start = normal(*SHAPE).float()
        for level in scheduler.timesteps:
            noise = EXACT.noise(x, torch.full((len(x),), 1 - (int(level) + 1) / 1000))
            x = scheduler.step(noise, level, x).prev_sample
        torch.testing.assert_close(sample(EXACT, start, 8, DDIM(spacing)), x, rtol=1e-5, atol=1e-5)


def test_ddim_agrees_with_azula():
    denoise = pytest.importorskip("azula.denoise", reason="azula is not installed")
    from azula.sample import DDIMSampler

    class Denoiser(denoise.Denoiser):
        def forward(self, x, t):
            return denoise.DiracPosterior(EXACT.data(x, (1 - t).expand(len(x))))

        def schedule(self, t):
            return EXACT.path.alpha(1 - t), EXACT.path.sigma(1 - t)

    start = normal(*SHAPE)
    theirs = DDIMSampler(Denoiser(), steps=7, silent=True, dtype=torch.float64)(start)
    torch.testing.assert_close(sample(EXACT, start, 7, DDIM()), theirs, rtol=1e-5, atol=1e-5)
