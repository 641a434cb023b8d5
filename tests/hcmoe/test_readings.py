"""Unknown coefficients as a vector, readings from tables and from known solutions, and Burgers' equation from waves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sciml.errors import DataFormatError, DivergenceError, InputError
from sciml.hcmoe import (
    BurgersWaves,
    CoupledExperts,
    DiffusionSorption,
    Elements,
    Heat,
    Readings,
    ReadingsTable,
    Slabs,
    SyntheticReadings,
    Unknowns,
    identify,
)
from sciml.reference.diffusion_sorption import extrapolated

WAVES = BurgersWaves(0.03, [0.6, -0.4, 0.3])


def test_burgers_from_waves_is_solved_to_its_exact_solution():
    experts = CoupledExperts(WAVES, Elements(8, 12), Slabs(6, 8, first=0.02))
    x = torch.linspace(0, 1, 41, dtype=torch.float64)
    for time in (0.0, 0.01, 0.2, 0.5):
        exact = WAVES.exact(x[:, None], time)[:, 0]
        assert torch.allclose(experts.values_at(x, torch.full_like(x, time)), exact, atol=1e-6)
    assert torch.allclose(WAVES.exact(x[:, None], 0.0)[20], torch.tensor([0.6 - 0.3], dtype=torch.float64))


def test_waves_and_viscosity_are_found_from_readings_within_their_deviations():
    guess = BurgersWaves(0.1, [0.3, 0.0, 0.0])
    kinds = {"viscosity": "positive", "wave_1": "real", "wave_2": "real", "wave_3": "real"}
    unknowns = Unknowns(guess, kinds)
    found = identify(
        unknowns.experts(Elements(5, 8), Slabs(4, 5)), SyntheticReadings(WAVES, 32).read(5), unknowns.start
    )
    values, deviations = unknowns.values(found.value), unknowns.deviations(found.value, found.deviations)
    ratios = (values - unknowns.values(unknowns.vector(WAVES))) / deviations
    assert 0.05 < float(ratios.square().mean().sqrt()) < 2
    assert float(deviations[0] / values[0]) == pytest.approx(float(found.deviations[0]))  # that of a logarithm
    assert float((deviations / values.abs()).max()) < 0.1
    assert 0.5 < found.misfit < 1.5


def test_positive_coefficients_are_logarithms_and_others_are_themselves():
    unknowns = Unknowns(WAVES, {"wave_2": "real", "viscosity": "positive"})
    assert torch.allclose(unknowns.start, torch.tensor([-0.4, 0.03]).double().log().nan_to_num(-0.4))
    moved = unknowns.problem_at(torch.tensor([0.25, -3.0], dtype=torch.float64))
    assert float(moved.coefficients["wave_2"]) == 0.25
    assert float(moved.coefficients["viscosity"].log()) == pytest.approx(-3)
    assert float(moved.coefficients["wave_1"]) == 0.6
    with pytest.raises(DivergenceError, match="begin the search elsewhere"):
        unknowns.problem_at(torch.tensor([0.0, 1e3], dtype=torch.float64))


def test_unknowns_that_the_problem_does_not_have_are_refused():
    with pytest.raises(InputError, match="'wave_4', expected one of viscosity, wave_1"):
        Unknowns(WAVES, {"wave_4": "real"})
    with pytest.raises(InputError, match=r"the wave_2 of BurgersWaves, a positive unknown, is -0\.4"):
        Unknowns(WAVES, {"wave_2": "positive"})
    with pytest.raises(InputError, match="no coefficient of Heat is unknown, expected at least one of diffusivity"):
        Unknowns(Heat(), {})
    with pytest.raises(InputError, match="2 instances, expected one"):
        Unknowns(Heat([0.1, 0.2]), {"diffusivity": "positive"})


def test_synthetic_readings_have_the_noise_that_was_asked_for():
    source = SyntheticReadings(Heat(0.1), count=400, noise=0.05)
    found = source.read(3)
    exact = torch.stack([Heat(0.1).exact(x[None, None], float(t))[0, 0] for x, t in zip(found.x, found.t, strict=True)])
    assert found.deviation == pytest.approx(0.05 * float(exact.square().mean().sqrt()))
    assert float((found.u - exact).square().mean().sqrt()) == pytest.approx(found.deviation, rel=0.15)
    assert torch.equal(source.read(3).u, found.u) and not torch.equal(source.read(4).u, found.u)


def test_a_solution_that_is_not_known_exactly_is_solved_for():
    source = SyntheticReadings(DiffusionSorption(0.1), count=40, noise=1e-6)
    with pytest.warns(UserWarning, match="the start differs from the initial condition"):
        found = source.read(0)
    u = extrapolated(0.1, 256, [float(found.t[7])])[0]
    near = int(float(found.x[7]) * 256)
    assert float(found.u[7]) == pytest.approx(u[near], abs=0.02)


def test_a_table_has_its_columns_in_any_order(tmp_path):
    table = tmp_path / "readings.csv"
    table.write_text("\ufeffu, t, x  # of a probe\n\n1.5e-1, 0.2, 0.3\r\n-2, .4, 1\n")
    found = ReadingsTable(str(table), 0.1).read(0)
    assert found.u.tolist() == [0.15, -2] and found.t.tolist() == [0.2, 0.4] and found.x.tolist() == [0.3, 1]
    assert found.deviation == 0.1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "first row of .* is missing"),
        ("t,x\n1,2\n", "is t, x, expected the names t, x, u"),
        ("t,x,u\n", "no readings"),
        ("t,x,u\n1,2\n", "line 2 of .* has 2 cells, expected 3"),
        ("t,x,u\n\n1,2,nan\n", "line 3 of .* has 'nan' where a finite number"),
        ("t,x,u\n1,2,1_0\n", "'1_0'"),
        ("t,x,u\n1,2,1e999\n", "'1e999'"),
        ("t,x,u\n1,2,\u0661\n", "where a finite number is expected"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, text, sentence):
    (tmp_path / "readings.csv").write_text(text)
    with pytest.raises(DataFormatError, match=sentence):
        ReadingsTable(str(tmp_path / "readings.csv"), 0.1).read(0)


def test_files_that_do_not_exist_and_bytes_are_refused(tmp_path):
    with pytest.raises(DataFormatError, match="does not exist"):
        ReadingsTable(str(tmp_path / "none.csv"), 0.1).read(0)
    with pytest.raises(DataFormatError, match="regular file"):
        ReadingsTable(str(tmp_path), 0.1).read(0)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=60), st.text("txu,.0123456789e-+_# \n\"'", max_size=60).map(str.encode)))
@example(b"\xff\xfe")
@example(b"t,x,u\n" + b"1," * 1000)
def test_whatever_a_table_holds_is_read_or_refused_in_a_sentence(tmp_path: Path, content):
    file = tmp_path / "readings.csv"
    file.write_bytes(content)
    found, refused = None, ""
    try:
        found = ReadingsTable(str(file), 0.1).read(0)
    except DataFormatError as error:
        refused = str(error)
    if found is None:
        assert refused.endswith(".") and "\n" not in refused
    else:
        assert len(found.x) > 0 and bool(torch.stack([found.x, found.t, found.u]).isfinite().all())


def test_readings_outside_of_the_problem_are_named():
    x, t = torch.tensor([[0.5, 0.2, 1.5], [0.0, 0.7, 0.1]], dtype=torch.float64)
    with pytest.raises(
        InputError, match=r"reading 2 is at x = 0.2 and t = 0.7, expected x from 0 to 1 and t from 0 to 0.5"
    ):
        Readings(x, t, x, 0.1).check_inside(WAVES)
