"""Files of pore networks: the permeability of Berea sandstone, round trips, and damaged files of every kind."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest

from sciml.errors import DataFormatError, InputError, MeshFileError
from sciml.mesh import Field, Mesh, read_mesh, write_mesh
from sciml.reference.pore_network_files import read_network, write_network
from sciml.reference.pore_network_laws import LAWS, SHAPE_FACTORS, circular
from sciml.reference.pore_networks import DARCY, random_network

# Three pores in a row between two reservoirs, and one that hangs on the second.
SMALL = {
    "node1": """4 3e-4 2e-4 1e-4
1 5e-5 1e-4 5e-5 2 -1 2 1 0 1 2
2 1.5e-4 1e-4 5e-5 3 1 3 4 0 0 2 3 5
3 2.5e-4 1e-4 5e-5 2 2 0 0 1 3 4
4 1.5e-4 1.5e-4 5e-5 1 2 0 0 5
""",
    "node2": "1 1e-14 2e-5 0.03 0\n2 1e-14 1.5e-5 0.0625 0\n3 1e-14 2.5e-5 0.0795 0\n4 1e-14 1e-5 0.02 0\n",
    "link1": """5
1 -1 1 1e-5 0.03 5e-5
2 1 2 8e-6 0.03 1e-4
3 2 3 9e-6 0.0625 1e-4
4 3 0 1e-5 0.0796 5e-5
5 2 4 5e-6 0.02 5e-5
""",
    "link2": """1 -1 1 1e-5 1e-5 3e-5 1e-15 0
2 1 2 2e-5 3e-5 5e-5 1e-15 0
3 2 3 3e-5 1e-5 6e-5 1e-15 0
4 3 0 1e-5 1e-5 3e-5 1e-15 0
5 2 4 1e-5 1e-5 3e-5 1e-15 0
""",
}


@pytest.fixture
def small(tmp_path):
    for part, text in SMALL.items():
        (tmp_path / f"small_{part}.dat").write_text(text)
    return tmp_path / "small_node1.dat"


@pytest.fixture(scope="module")
def random():
    return random_network("voronoi", 12, np.random.default_rng(5), SHAPE_FACTORS)


@pytest.mark.parametrize("part", SMALL)
def test_a_row_of_ducts_has_the_permeability_of_its_resistances_in_series(small, part):
    network = read_network(small.with_name(f"small_{part}.dat"))
    assert (network.n_pores, network.n_throats, network.inlet.sum(), network.outlet.sum()) == (6, 5, 1, 1)

    def resistance(length, radius, shape):
        constant = 0.6 if shape < 0.0481 else 0.5623 if shape < 0.07 else 0.5
        return length * 1e-3 / (constant * (radius**2 / (4 * shape)) ** 2 * shape)

    total = sum(
        resistance(*piece)
        for piece in (
            *((1e-9, 2e-5, 0.03), (3e-5, 1e-5, 0.03), (1e-5, 2e-5, 0.03)),
            *((2e-5, 2e-5, 0.03), (5e-5, 8e-6, 0.03), (3e-5, 1.5e-5, 0.0625)),
            *((3e-5, 1.5e-5, 0.0625), (6e-5, 9e-6, 0.0625), (1e-5, 2.5e-5, 0.0795)),
            *((1e-5, 2.5e-5, 0.0795), (3e-5, 1e-5, 0.0796), (1e-9, 2.5e-5, 0.0795)),
        )
    )
    assert network.permeability() == pytest.approx(1e-3 * 3e-4 / (2e-8 * total), rel=1e-12, abs=0)


def test_the_permeability_of_berea_is_that_of_an_independent_solver(reference_data):
    file = reference_data / "porenetworks" / "Berea_node1.dat"
    if not file.exists():
        pytest.skip(f"no {file}")
    network, removed = read_network(file).trimmed()
    assert removed == 319  # 294 pores of the rock, and 25 boundary pores that lead to nothing
    assert network.permeability() / DARCY == pytest.approx(1.1114, rel=1e-4, abs=0)
    assert network.permeability(circular(network)) < 0.5 * network.permeability()  # shapes matter
    flux = network.fluxes()
    assert network.inflow(flux) == pytest.approx(network.outflow(flux), rel=1e-12, abs=0)


@pytest.mark.parametrize("suffix", ["npz", "vtu", "xdmf", "msh", "med"])
def test_a_network_survives_a_round_trip_with_its_columns_and_permeability(random, tmp_path, suffix):
    path = tmp_path / f"network.{suffix}"
    write_network(path, random, {"pressure": random.pressures()}, {"flux": random.fluxes()})
    same = read_network(path)
    np.testing.assert_array_equal(same.throats, random.throats)
    np.testing.assert_allclose(same.points, random.points, rtol=1e-15, atol=0)
    assert set(same.pores) == {"diameter", "shape_factor", "pressure"}
    assert set(same.columns) == {*random.columns, "flux"}
    np.testing.assert_allclose(same.columns["flux"], random.fluxes(), rtol=1e-12, atol=0)
    assert same.permeability() == pytest.approx(random.permeability(), rel=1e-10, abs=0)
    assert same.viscosity == random.viscosity


def test_a_file_with_the_names_of_openpnm_is_read(random, tmp_path):
    np.savez(
        tmp_path / "peer.npz",
        **{"pore.coords": random.points, "throat.conns": random.throats.astype(np.int32)},
        **{"pore.inlet": random.inlet, "pore.outlet": random.outlet.astype(np.uint8), "pore.all": random.inlet | True},
        **{"throat.hydraulic_conductance": random.columns["conductance"], "throat.normal": np.zeros((5, 3))},
        length=1e-3,
        area=1e-6,
    )
    network = read_network(tmp_path / "peer.npz", viscosity=1e-5)
    assert set(network.columns) == {"conductance"} and set(network.pores) == {"all"}
    assert network.permeability() == pytest.approx(random.permeability(), rel=1e-12, abs=0)


def test_lengths_and_viscosity_may_be_given(small):
    network = read_network(small)
    other = read_network(small, length=2 * network.length, area=3 * network.area, viscosity=5e-3)
    assert other.permeability() == pytest.approx(network.permeability() * 2 / 3, rel=1e-12, abs=0)


def test_results_in_a_mesh_file_are_fields_on_lines(random, tmp_path):
    write_network(tmp_path / "network.vtu", random, {"pressure": random.pressures()})
    mesh, fields = read_mesh(tmp_path / "network.vtu")
    found = {each.name: each for each in fields}
    assert len(mesh.groups["inlet"]) == random.inlet.sum()
    assert np.array_equal(found["pore.pressure"].values, random.pressures())
    assert found["throat.conductance"].location == "cells"


@pytest.mark.parametrize(
    ("part", "pattern", "replacement", "sentence"),
    [
        ("node1", r"^4 .*\n", "", r"first line of .*node1.dat is damaged"),
        ("node1", r"^4 ", "5 ", r"announces 5 rows and has 4"),
        ("node1", r"2 3 5\n", "2 3\n", r"line 3 of .*node1.dat is cut"),
        ("node1", r"3e-4", "-3e-4", r"sizes of the sample"),
        ("node1", r"3e-4 2e-4 1e-4", "1e-3 1e-150 1e-150", r"sizes of the sample"),
        ("node1", r"3e-4", "1e300", r"sizes of the sample"),
        ("node1", r"1.5e-4 1e-4", "1e300 1e-4", r"pore 2 of .*node1.dat is at"),
        ("node1", r"1.5e-4 1e-4", "nan 1e-4", r"node1.dat is damaged: it has 'nan'"),
        ("node1", r"1.5e-4 1e-4", "1_5e-4 1e-4", r"node1.dat is damaged: it has '1_5e-4'"),
        ("node1", r"1.5e-4 1e-4", "\u0661e-4 1e-4", r"node1.dat is damaged: it has '\u0661e-4'"),
        ("node1", r"1.5e-4 1e-4", "1e999 1e-4", r"node1.dat is damaged: 1 of 3 values"),
        ("node1", r"3 1 3 4 0 0 2 3 5", "3 1 3 4 0 0 2 3 4", r"pore 2 has other throats or neighbours"),
        ("node1", r"3 1 3 4 0 0 2 3 5", "3 1 4 4 0 0 2 3 5", r"pore 2 has other throats or neighbours"),
        ("node1", r"3 1 3 4 0 0 2 3 5", "2 1 3 0 0 2 3", r"pore 2 has other throats or neighbours"),
        ("node1", r"3 1 3 4 0 0 2 3 5", "3 1 3 4 0 0 2 3 x", r"pore 2 has other throats or neighbours"),
        ("node2", r"0.0625", "5.0", r"pore 2 of .*node2.dat"),
        ("node2", r"2.5e-5", "1e300", r"pore 3 of .*node2.dat"),
        ("node2", r"2.5e-5", "1e-300", r"pore 3 of .*node2.dat"),
        ("node2", r"1e-14", "-1e-13", r"pore 1 of .*node2.dat has the volume -1e-13"),
        ("node2", r"4 1e-14.*\n", "", r"node2.dat has 3 rows, expected 4"),
        ("node2", r"0.0625", "0.0", r"pore 2 of .*node2.dat"),
        ("link1", r"5 2 4.*\n", "", r"announces 5 rows and has 4"),
        ("link1", r"2 1 2 8e-6", "2 1 9 8e-6", r"throat 2 of .*link1.dat joins"),
        ("link1", r"4 3 0", "4 -1 0", r"joins two reservoirs"),
        ("link1", r"8e-6", "eight", r"link1.dat is damaged: it has 'eight'"),
        ("link1", r"0.0796", "0.2", r"throat 4 of .*link1.dat"),
        ("link2", r"6e-5 1e-15", "6e-5 -1e-15", r"throat 3 of .*link2.dat has the volume"),
        ("link2", r"2 1 2 2e-5", "2 1 3 2e-5", r"throat 2 joins other pores in .*link2.dat than in .*link1.dat"),
        ("link2", r"5e-5 1e-15", "0 1e-15", r"throat 2 of .*link2.dat"),
        ("link2", r"5 2 4", "6 2 4", r"row 5 of .*link2.dat is cut"),
    ],
)
def test_a_damaged_file_in_statoil_format_is_named(small, part, pattern, replacement, sentence):
    file = small.with_name(f"small_{part}.dat")
    file.write_text(re.sub(pattern, replacement, file.read_text(), count=1))
    with pytest.raises(DataFormatError, match=sentence):
        read_network(small)


def test_missing_files_are_named(small, tmp_path):
    small.with_name("small_link2.dat").unlink()
    with pytest.raises(DataFormatError, match=r"lacks small_link2\.dat"):
        read_network(small)
    for name in ("none.npz", "none_node1.dat"):
        with pytest.raises(DataFormatError, match=name.split("_")[0]):
            read_network(tmp_path / name)
    with pytest.raises(MeshFileError, match=r"none\.vtu is not a file"):
        read_network(tmp_path / "none.vtu")
    for name in ("network.csv", "network.dat"):
        with pytest.raises(DataFormatError, match="network"):
            read_network(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inlet": None}, "no array 'inlet'"),
        ({"diameter": np.ones(3)}, "an array 'diameter', expected names"),
        ({"inlet": np.array([2, 0, 0])}, "other than 0 and 1"),
        ({"inlet": np.array([1, 0])}, "expected one boolean"),
        ({"conns": np.array([[0.5, 1.0]])}, "expected whole ones"),
        ({"conns": np.array([[0, 2**40]])}, "expected whole numbers from 0 to 2"),
        ({"length": np.ones(2)}, "expected one number"),
        ({"throat.conductance": np.ones(9)}, "conductance"),
        ({"coords": np.array([{}, {}, {}])}, "pickled"),
    ],
)
def test_arrays_that_make_no_network_are_refused(tmp_path, change, sentence):
    arrays = {"coords": np.eye(3), "conns": [[0, 1], [1, 2]], "inlet": [1, 0, 0], "outlet": [0, 0, 1]}
    path = tmp_path / "network.npz"
    np.savez(path, allow_pickle=True, **{k: v for k, v in {**arrays, **change}.items() if v is not None})
    with pytest.raises(DataFormatError, match=sentence):
        read_network(path)


def _mutated(content: bytes, random: np.random.Generator) -> bytes:
    """Content with bytes changed, a piece cut out or doubled, or an end cut off."""
    kind, at = random.integers(4), int(random.integers(len(content)))
    span = int(random.integers(1, 40))
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content[:at] + content[at + span :]
    if kind == 2:
        return content[: at + span] + content[at:]
    changed = bytearray(content)
    for place in random.integers(len(content), size=3):
        changed[place] = random.choice(np.frombuffer(b"0123456789-+e.n \n\x00\xff", np.uint8))
    return bytes(changed)


def test_mutated_files_give_a_network_or_one_sentence(small, random, tmp_path):
    write_network(tmp_path / "random.npz", random)
    write_network(tmp_path / "random.vtu", random)
    draw, outcomes = np.random.default_rng(1), {"read": 0, "refused": 0}
    sentences: list[str] = []
    contents = {path: path.read_bytes() for path in sorted(tmp_path.iterdir())}
    for path, content in contents.items():
        for _ in range(100):
            path.write_bytes(_mutated(content, draw))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    network = read_network(path)
                    outcomes["read"] += 1
                    assert np.isfinite(network.points).all() and network.inlet.any()
                except (DataFormatError, MeshFileError) as error:
                    outcomes["refused"] += 1
                    sentences.append(str(error))
        path.write_bytes(content)
    assert outcomes["read"] > 3 and outcomes["refused"] > 300
    assert all("\n" not in sentence and len(sentence) < 900 for sentence in sentences)


def test_numbers_of_pores_as_inlet_are_refused_and_what_is_expected_is_said(tmp_path):
    network = random_network("delaunay", 9, np.random.default_rng(0))
    ends = {name: np.flatnonzero(getattr(network, name)) for name in ("inlet", "outlet")}
    np.savez(tmp_path / "numbers.npz", coords=network.points, conns=network.throats, **ends)
    with pytest.raises(DataFormatError, match="expected a boolean for each pore, not numbers of pores"):
        read_network(tmp_path / "numbers.npz")


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_law_without_pore_diameters_names_the_column(law):
    network = replace(random_network("delaunay", 9, np.random.default_rng(0)), pores={})
    with pytest.raises(
        InputError, match=r"the pores of the network have no column 'diameter' \(pore\.diameter in files\), which"
    ):
        law.applied(network, np.random.default_rng(0))


def test_inlet_and_outlet_of_a_mesh_may_be_fields_of_0_and_1_at_its_points(random, tmp_path):
    mesh = Mesh(random.points, {"line": random.throats})
    ends = [Field(name, getattr(random, name).astype(float), mesh, "points") for name in ("inlet", "outlet")]
    diameter = Field("diameter", random.columns["diameter"], mesh, "cells")
    write_mesh(tmp_path / "drawn.vtu", mesh, [*ends, diameter])
    read = read_network(tmp_path / "drawn.vtu")
    assert np.array_equal(read.inlet, random.inlet) and np.array_equal(read.outlet, random.outlet)
    assert list(read.columns) == ["diameter"] and not read.pores
    write_mesh(tmp_path / "numbers.vtu", mesh, [Field("inlet", np.arange(random.n_pores), mesh, "points"), ends[1]])
    with pytest.raises(MeshFileError, match="inlet has values other than 0 and 1"):
        read_network(tmp_path / "numbers.vtu")
    write_mesh(tmp_path / "none.vtu", mesh, ends[1:])
    with pytest.raises(MeshFileError, match=r"no group 'inlet', expected groups .* or in a file fields of these names"):
        read_network(tmp_path / "none.vtu")
