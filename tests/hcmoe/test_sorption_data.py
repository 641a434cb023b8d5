"""Instances and solutions of sorption from data sets: the equation that they obey, layers on them, hostile files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from sciml.data import generate, open_dataset
from sciml.errors import DataFormatError, InputError
from sciml.hcmoe import CoupledExperts, Elements, Slabs
from sciml.hcmoe.families.sorption import SorptionInRootTime
from sciml.hcmoe.families.sorption_cases import read_cases
from sciml.hcmoe.families.sorption_data import coefficients_of, fields_of, sorption_cases
from sciml.hcmoe.families.sorption_instances import coefficients_of_instances, drawn, instances_of
from sciml.numerics.random import generator
from sciml.reference.diffusion_sorption import cell_centres

CELLS, STEPS = 96, 5


def made(folder: Path, family: str = "wide", count: int = 2, **options) -> Path:
    path = folder / f"{family}.h5"
    given = {"family": family, "size": CELLS, "steps": STEPS, **options}
    generate("diffusion_sorption", count, path, options={name: str(each) for name, each in given.items()}, seed=3)
    return path


@pytest.fixture(scope="module")
def wide(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("data"))


def test_coupled_experts_find_the_solutions_of_the_file_from_its_starts_and_coefficients(wide):
    with open_dataset(wide) as data:
        cases = list(sorption_cases(data))
    u = fields_of(cases)
    assert u.shape == (2, STEPS, CELLS)
    assert cases[0].numbers != cases[1].numbers
    for case, wanted in zip(cases, u, strict=True):
        experts = CoupledExperts(case.problem, Elements(12, 8, [0.0, 1.0], 1e-3), Slabs(8, 6, 1e-5))
        *_, (state, _) = experts.run()
        found = experts.values(state, case.x, float(case.times[-1]))[0]
        assert float((found - wanted[-1]).norm()) < 3e-3 * float(wanted[-1].norm())
        assert float((wanted[-1] - wanted[0]).norm()) > 0.3 * float(wanted[-1].norm())


def test_the_coefficients_of_cases_are_those_of_a_problem_and_the_start_is_the_first_row(wide):
    with open_dataset(wide) as data:
        cases = list(sorption_cases(data))
    given = coefficients_of(cases)
    cases[0].problem.check_coefficients(given)
    torch.testing.assert_close(given["start"](cases[0].x), fields_of(cases)[:, 0], rtol=0, atol=1e-14)
    assert given["left"].tolist() == [case.numbers["left"] for case in cases]


def test_the_published_family_has_constant_starts_and_one_equation(tmp_path):
    with open_dataset(made(tmp_path, "paper")) as data:
        cases = list(sorption_cases(data))
    starts = coefficients_of(cases)["start"](torch.linspace(0, 1, 5, dtype=torch.float64))
    torch.testing.assert_close(starts, starts[:, :1].expand(-1, 5), rtol=1e-6, atol=0)
    assert 0 < float(starts.min()) < float(starts.max()) < 0.2
    assert cases[0].numbers == cases[1].numbers


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file: file["scalars"]["exponent"].write_direct(np.array([1.5, 0.8])), "the exponent of trajectory 0"),
        (lambda file: file["scalars"]["left"].write_direct(np.array([0.5, np.nan])), "the left of trajectory 1"),
    ],
)
def test_numbers_out_of_their_range_are_refused(tmp_path, change, sentence):
    path = made(tmp_path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DataFormatError, match=sentence), open_dataset(path) as data:
        list(sorption_cases(data))


def test_cases_on_other_grids_are_not_stacked(tmp_path, wide):
    with open_dataset(wide) as data, open_dataset(made(tmp_path, size=48)) as other:
        cases = [next(sorption_cases(data)), next(sorption_cases(other))]
    with pytest.raises(InputError, match="other times or places than trajectory 0"):
        fields_of(cases)
    with pytest.raises(InputError, match="there are no cases"):
        coefficients_of([])


def changed(path: Path, change) -> Path:
    with h5py.File(path, "r+") as file:
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file: file["t0_fields/u"].__setitem__((1, 3, 5), np.inf), "u of trajectory 1 .* not finite"),
        (lambda file: file["t0_fields/u"].__setitem__((0, 0, 5), -3.0), "the start of trajectory 0 .* is -3"),
        (lambda file: file["t0_fields/u"].__setitem__(1, 0.0), "u of trajectory 1 .* is 0 everywhere"),
        (
            lambda file: file["dimensions/time"].__setitem__(0, 1.0),
            "has 5 times from 1 on, expected 2 or more",
        ),
    ],
)
def test_hostile_values_are_refused(tmp_path, change, sentence):
    path = changed(made(tmp_path), change)
    with pytest.raises(DataFormatError, match=sentence), open_dataset(path) as data:
        list(sorption_cases(data))


def test_other_data_sets_are_refused(tmp_path):
    generate("heat", 1, tmp_path / "heat.h5", options={"size": "16"}, seed=0)
    generate("burgers", 1, tmp_path / "burgers.h5", options={"size": "32"}, seed=0)
    for name in ("heat", "burgers"):
        with (
            pytest.raises(DataFormatError, match="has no field u in time on cells of the unit interval"),
            open_dataset(tmp_path / f"{name}.h5") as data,
        ):
            list(sorption_cases(data))


def test_files_with_flipped_bytes_are_read_or_refused_in_a_sentence(tmp_path, wide):
    original, draws, refused = wide.read_bytes(), np.random.default_rng(0), 0
    for round_ in range(40):
        damaged = bytearray(original)
        for place in draws.integers(0, len(damaged), 1 + round_ % 8):
            damaged[place] ^= 1 << int(draws.integers(8))
        path = tmp_path / "damaged.h5"
        path.write_bytes(bytes(damaged[: len(damaged) - (round_ % 5 == 4) * int(draws.integers(1, 4000))]))
        try:
            with open_dataset(path) as data:
                for case in sorption_cases(data):
                    case.problem.check()
                    assert bool(case.u.isfinite().all())
        except (DataFormatError, InputError):  # any other error is a failure
            refused += 1
    assert refused > 3


def test_drawn_instances_are_functions_of_the_generator_and_of_the_wide_family():
    x = torch.from_numpy(cell_centres(CELLS))
    first, again, other = (
        coefficients_of_instances(instances_of(drawn("wide", 40, generator(seed)), x), x) for seed in (1, 1, 2)
    )
    torch.testing.assert_close(first["start"].values, again["start"].values, rtol=0, atol=0)
    assert float((first["start"].values - other["start"].values).abs().max()) > 0.05
    for name, low, high in (("diffusivity", 2e-4, 1e-3), ("coefficient", 1e-4, 1e-3), ("exponent", 0.7, 0.95)):
        assert low <= float(first[name].min()) < 0.5 * (low + high) < float(first[name].max()) <= high
    assert 0 <= float(first["start"].values.min()) < 0.05 < 0.15 < float(first["start"].values.max()) <= 0.2
    SorptionInRootTime().check_coefficients(first)


def test_a_file_without_solutions_is_refused(tmp_path):
    def emptied(file: h5py.File) -> None:
        file.attrs["n_trajectories"] = 0
        about = file.attrs["sciml_description"].replace(b'"trajectories": 2', b'"trajectories": 0')
        file.attrs["sciml_description"] = np.bytes_(about)
        for name in ["t0_fields/u", *(f"scalars/{each}" for each in file["scalars"])]:
            old, attributes = file[name][:0], dict(file[name].attrs)
            del file[name]
            file.create_dataset(name, data=old).attrs.update(attributes)

    path = changed(made(tmp_path), emptied)
    with pytest.raises(DataFormatError, match=r"wide\.h5 has no trajectories, expected at least one"):
        read_cases(str(path))
