"""What is generated solves its equation, and each option does what it says."""

from __future__ import annotations

from dataclasses import fields as fields_of

import numpy as np
import pytest

from sciml.data.darcy import Darcy
from sciml.data.diffusion_sorption import DiffusionSorption
from sciml.data.generators import GENERATORS, Advection, Burgers, Heat, Poisson, generator_of
from sciml.data.smoke import Smoke
from sciml.data.vorticity import Vorticity
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson
from sciml.reference.diffusion_sorption import Sorption
from sciml.reference.vorticity import velocity


def stream(index: int = 0) -> np.random.Generator:
    return np.random.default_rng([0, index])


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_heat_has_the_time_derivative_that_diffusion_makes(dimension: int) -> None:
    """At half a step the central difference in time equals D times the Laplacian, to second order in the step."""
    generator = Heat(size=17, dimension=dimension, steps=3, duration=2e-4, diffusivity=0.3)
    u = generator.sample(stream())[0]["u"]
    waves = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(17, 1 / 17),) * dimension, indexing="ij")
    laplacian = np.fft.ifftn(-sum(k**2 for k in waves) * np.fft.fftn(u[1])).real
    rate = (u[2] - u[0]) / 2e-4
    assert np.abs(rate - 0.3 * laplacian).max() < 1e-3 * np.abs(rate).max()
    assert np.abs(u.reshape(3, -1).mean(axis=1)).max() < 1e-14  # heat is conserved


def test_advection_satisfies_its_equation_with_the_velocity_among_its_parameters() -> None:
    fields, parameters = Advection(size=16, dimension=2, steps=3, duration=2e-4, speed=2.0).sample(stream(1))
    u = fields["u"]
    waves = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(16, 1 / 16),) * 2, indexing="ij")
    slopes = [np.fft.ifftn(1j * k * np.fft.fftn(u[1])).real for k in waves]
    rate = (u[2] - u[0]) / 2e-4
    assert all(abs(value) == 2.0 for value in parameters.values())
    convection = parameters["velocity_x"] * slopes[0] + parameters["velocity_y"] * slopes[1]
    assert np.abs(rate + convection).max() < 1e-4 * np.abs(rate).max()


def test_burgers_satisfies_its_equation() -> None:
    u = Burgers(size=192, steps=3, duration=2e-3, viscosity=0.05).sample(stream(2))[0]["u"]
    wave = 2j * np.pi * np.fft.fftfreq(192, 1 / 192)
    slope, bend = (np.fft.ifft(wave**k * np.fft.fft(u[1])).real for k in (1, 2))
    rate = (u[2] - u[0]) / 2e-3
    assert np.abs(rate + u[1] * slope - 0.05 * bend).max() < 2e-3 * np.abs(rate).max()


@pytest.mark.parametrize("case", ["box", "mixed", "jumps", "closed"])
@pytest.mark.parametrize("dimension", [2, 3])
def test_the_pressure_solves_the_system_of_the_cells_that_are_written(case: str, dimension: int) -> None:
    generator = Poisson(case=case, size=16, dimension=dimension)
    about, (fields, _) = generator.describe(), generator.sample(stream())
    assert set(fields) == {entry.name for entry in about.fields}
    outside = {side: kind for side, kind in about.boundary.items() if kind == "dirichlet"}
    system = VoxelPoisson.from_cells(
        fields["cells"], coefficient=fields.get("k"), spacing=about.on.spacing, outside=outside
    )
    fluid = system.fluid
    residual = fields["b"][fluid] - system.to_csr() @ fields["p"][fluid]
    assert np.linalg.norm(residual) <= 2e-10 * np.linalg.norm(fields["b"])
    assert not fields["p"][~fluid].any() and fields["p"].any()


@pytest.mark.parametrize("family", ["paper", "wide"])
def test_sorption_starts_as_drawn_and_satisfies_its_equation_with_its_coefficients(family: str) -> None:
    """In the middle of the domain, by central differences of fourth order in space and time."""
    generator = DiffusionSorption(family=family, size=128, steps=101, duration=20.0)
    fields, parameters = generator.sample(stream(5))
    u, inside = fields["u"], slice(40, 60)
    assert np.ptp(u[0]) == 0.0 if family == "paper" else np.ptp(u[0]) > 0.02
    assert 0.0 < u[0].min() <= u[0].max() < 0.2 and parameters["left"] > u[-1, 0] > u[0].max()
    rate = (8 * (u[81] - u[79]) - (u[82] - u[78])) / (12 * 0.2)
    bend = (16 * (np.roll(u[80], 1) + np.roll(u[80], -1)) - 30 * u[80] - np.roll(u[80], 2) - np.roll(u[80], -2)) / 12
    equation = Sorption(**parameters)
    diffusion = equation.diffusivity / equation.retardation(u[80]) * bend * 128**2
    assert np.abs(rate - diffusion)[inside].max() < 1e-3 * np.abs(rate).max()


def test_the_schemes_of_sorption_agree_as_far_as_they_are_accurate() -> None:
    fields = {
        scheme: DiffusionSorption(size=64, steps=3, scheme=scheme).sample(stream(6))[0]["u"][1:]
        for scheme in ("extrapolated", "consistent", "pdebench")
    }
    errors = [np.abs(fields[scheme] - fields["extrapolated"]).max() for scheme in ("consistent", "pdebench")]
    assert 1e-6 < errors[0] < 5e-3 and 5 * errors[0] < errors[1] < 0.1


def test_vorticity_satisfies_its_equation_and_is_what_a_finer_grid_has_at_its_points() -> None:
    coarse = Vorticity(size=16, steps=5, duration=0.02, viscosity=0.02, length=2.0, resolution=32)
    fine = Vorticity(size=32, steps=5, duration=0.02, viscosity=0.02, length=2.0, resolution=32)
    few, w = (generator.sample(stream(7))[0]["vorticity"] for generator in (coarse, fine))
    assert np.array_equal(few, w[:, ::2, ::2])
    rate = (8 * (w[3] - w[1]) - (w[4] - w[0])) / (12 * 0.005)
    waves = 2j * np.pi * np.fft.fftfreq(32, 1 / 32)
    spectrum = np.fft.fft2(w[2])
    x, y = waves[:, None], waves[None, :]
    slopes = [np.fft.ifft2(k * spectrum).real for k in (x, y)]
    laplacian = np.fft.ifft2((x**2 + y**2) * spectrum).real
    flow = velocity(w[2])
    assert np.abs(rate + flow[..., 0] * slopes[0] + flow[..., 1] * slopes[1] - 0.02 * laplacian).max() < 1e-5


def test_smoke_keeps_its_sum_and_its_buoyancy_is_among_its_parameters() -> None:
    generator = Smoke(cells=16, steps=6, least_buoyancy=0.2, largest_buoyancy=0.5)
    about, (fields, parameters) = generator.describe(), generator.sample(stream(9))
    assert {field.name: about.shape(field.name)[1:] for field in about.fields} == dict.fromkeys(fields, (6, 16, 16))
    sums, speed = fields["smoke"].sum((1, 2)), np.abs(fields["velocity_y"]).max((1, 2))
    assert np.ptp(sums) < 1e-12 * sums[0] and speed.min() > 0.1  # in motion after the warm-up
    assert 0.2 <= parameters["buoyancy"] <= 0.5
    weak = Smoke(cells=16, steps=6, least_buoyancy=0.01, largest_buoyancy=0.01).sample(stream(9))[0]
    assert np.abs(weak["velocity_y"]).max() < 0.3 * speed.max()
    assert about.times.tolist() == [12.0, 13.5, 15.0, 16.5, 18.0, 19.5]


def test_frames_of_smoke_with_substeps_are_every_other_one_of_those_without() -> None:
    fine = Smoke(cells=16, steps=5, time_step=1.0, warm_up=4).sample(stream(9))[0]
    coarse = Smoke(cells=16, steps=3, time_step=2.0, substeps=2, warm_up=2).sample(stream(9))[0]
    assert all(np.array_equal(coarse[name], fine[name][::2]) for name in fine)


def test_smoke_without_a_warm_up_starts_at_rest() -> None:
    fields, _ = Smoke(cells=16, steps=2, warm_up=0).sample(stream(9))
    assert not fields["velocity_x"][0].any() and fields["velocity_x"][1].any()


def test_vorticity_that_the_grid_does_not_resolve_is_refused() -> None:
    with pytest.raises(InputError, match="choose resolution=64 or a larger viscosity"):
        Vorticity(size=32, steps=2, resolution=32).sample(stream())


def test_darcy_pressure_balances_its_source_with_its_permeability() -> None:
    """By conservative differences of second order on two grids, of which the finer has a quarter of the defect."""
    defects = []
    for size in (41, 81):
        fields, _ = Darcy(size=size, degree=32, waves=2).sample(stream(8))
        u, k, h = fields["u"], fields["k"], 1 / (size - 1)
        flow = [(k.take(range(1, size), a) + k.take(range(size - 1), a)) / 2 * np.diff(u, axis=a) / h for a in (0, 1)]
        balance = np.diff(flow[0], axis=0)[:, 1:-1] / h + np.diff(flow[1], axis=1)[1:-1] / h + 1.0
        defects.append(np.abs(balance[size // 4 : -(size // 4), size // 4 : -(size // 4)]).max())
        edges = np.concatenate([u[0], u[-1], u[:, 0], u[:, -1]])
        assert np.abs(edges).max() < 1e-13 and u.max() > 0.01 and np.ptp(k) > 0.5
    assert defects[1] < 0.05 and 3.0 < defects[0] / defects[1] < 5.0, defects


def test_each_sample_is_another_one_and_the_same_again() -> None:
    for generator in (
        Heat(size=16),
        Poisson(size=16),
        DiffusionSorption("wide", size=16),
        Darcy(size=9, degree=16, waves=2),
    ):
        one, again, other = (generator.sample(stream(index))[0] for index in (3, 3, 4))
        assert all(np.array_equal(one[name], again[name]) for name in one)
        assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_what_is_described_on_a_grid_is_what_is_made() -> None:
    on_grids = {name: kind for name, kind in GENERATORS.items() if "size" in {entry.name for entry in fields_of(kind)}}
    assert set(on_grids) >= {"poisson", "heat", "advection", "burgers", "darcy", "diffusion_sorption", "vorticity"}
    for name, kind in on_grids.items():
        generator = kind(size=16)
        about, (fields, parameters) = generator.describe(), generator.sample(stream())
        assert set(parameters) == set(about.parameters), name
        for field in about.fields:
            shape = about.shape(field.name)[1:]
            assert fields[field.name].shape in (shape, shape[1:]), name
        assert kind.summary


def test_options_are_read_from_text_in_their_types() -> None:
    assert generator_of("heat", {"size": "32", "diffusivity": "0.5"}) == Heat(size=32, diffusivity=0.5)
    assert generator_of("poisson", {"case": "box"}) == Poisson(case="box")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("weather", {}, "poisson, heat"),
        ("heat", {"siz": "3"}, "size"),
        ("heat", {"size": "3.5"}, "int"),
        ("heat", {"size": "4"}, "at least 9"),
        ("heat", {"dimension": "4"}, "1 to 3"),
        ("heat", {"steps": "1"}, "at least 2"),
        ("heat", {"diffusivity": "nan"}, "positive"),
        ("advection", {"speed": "0"}, "positive"),
        ("burgers", {"duration": "-1"}, "positive"),
        ("burgers", {"size": "12"}, "at least 13"),
        ("poisson", {"case": "sphere"}, "mixed"),
        ("poisson", {"size": "4"}, "at least 12"),
        ("poisson", {"dimension": "1"}, "one of 2, 3"),
        ("poisson", {"right_hand_side": "pink"}, "white"),
        ("diffusion_sorption", {"family": "wider"}, "did you mean 'wide'"),
        ("diffusion_sorption", {"size": "2"}, "at least 3"),
        ("diffusion_sorption", {"steps": "1"}, "at least 2"),
        ("diffusion_sorption", {"duration": "0"}, "positive"),
        ("diffusion_sorption", {"scheme": "fv"}, "extrapolated, consistent, pdebench"),
        (
            "heat",
            {"size": "1000000000000"},
            r"a sample has 2e\+25 values, expected at most 2e\+09; take a smaller size",
        ),
        ("burgers", {"steps": "1000000000000"}, "a smaller size or steps"),
        ("diffusion_sorption", {"size": "1000000000000"}, "a smaller size or steps"),
        ("vorticity", {"resolution": "1000000000000", "size": "1"}, "a smaller resolution or steps"),
        ("darcy", {"size": "1000000000000"}, "a smaller size"),
        ("darcy", {"degree": "81"}, "from 2 to 80"),
        ("darcy", {"waves": "0"}, "from 1 to 80"),
        ("darcy", {"deviation": "9"}, "from 0 to 5"),
        ("vorticity", {"size": "48"}, "choose resolution=144"),
        ("vorticity", {"resolution": "8"}, "at least 15"),
        ("vorticity", {"viscosity": "0"}, "positive"),
        ("vorticity", {"length": "0.1"}, "from 0.3 to 10"),
        ("vorticity", {"size": "0"}, "at least 1"),
        ("smoke", {"cells": "6"}, "at least 7"),
        ("smoke", {"cells": "1000000000000"}, "a smaller cells"),
        ("smoke", {"steps": "1"}, "at least 2"),
        ("smoke", {"time_step": "0"}, "positive"),
        ("smoke", {"substeps": "0"}, "from 1 to"),
        ("smoke", {"warm_up": "-1"}, "from 0 to"),
        ("smoke", {"viscosity": "-1"}, "at least 0"),
        ("smoke", {"largest_buoyancy": "0.1"}, "at least 0.2"),
        ("smoke", {"case": "papers"}, "did you mean 'paper'"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        generator_of(name, options)
