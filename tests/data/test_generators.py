"""What is generated solves its equation, and each option does what it says."""

from __future__ import annotations

from dataclasses import fields as fields_of

import numpy as np
import pytest

from sciml.data.generators import GENERATORS, Advection, Burgers, Heat, Poisson, generator_of
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson


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


def test_each_sample_is_another_one_and_the_same_again() -> None:
    for generator in (Heat(size=16), Poisson(size=16)):
        one, again, other = (generator.sample(stream(index))[0] for index in (3, 3, 4))
        assert all(np.array_equal(one[name], again[name]) for name in one)
        assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_what_is_described_on_a_grid_is_what_is_made() -> None:
    on_grids = {name: kind for name, kind in GENERATORS.items() if "size" in {entry.name for entry in fields_of(kind)}}
    assert set(on_grids) >= {"poisson", "heat", "advection", "burgers"}
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
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        generator_of(name, options)
