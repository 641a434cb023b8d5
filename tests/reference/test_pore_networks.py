"""Pore networks: laws of resistors, conservation, symmetry, statistics of the paper's networks, and OpenPNM."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.mesh import Field, Mesh
from sciml.reference.pore_network_laws import CONDUITS, HAGEN_POISEUILLE, LAWS
from sciml.reference.pore_network_tessellations import TESSELLATIONS
from sciml.reference.pore_networks import PoreNetwork, length_at_density, random_network

RANGES = {"delaunay": (13, 87), "voronoi": (10, 40)}  # of base points in the paper


def graph(throats, n_pores, conductance, **others) -> PoreNetwork:
    """A network whose first pore is the inlet and whose last one is the outlet."""
    points = np.random.default_rng(0).random((n_pores, 3))
    number = np.arange(n_pores)
    columns = {"conductance": np.asarray(conductance, float)}
    parts = {"inlet": number == 0, "outlet": number == n_pores - 1, "length": 1.0, "area": 1.0, "viscosity": 1.0}
    return PoreNetwork(points, np.array(throats), columns=columns, **{**parts, **others})


@pytest.fixture(scope="module", params=list(itertools.product(RANGES, LAWS)), ids="-".join)
def drawn(request):
    tessellation, law = request.param
    random = np.random.default_rng(7)
    return [
        random_network(tessellation, int(random.integers(*RANGES[tessellation])), random, LAWS[law]) for _ in range(3)
    ]


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_resistors_in_series_add_their_resistances(conductance):
    chain = graph([(i, i + 1) for i in range(len(conductance))], len(conductance) + 1, conductance)
    total = 1.0 / np.sum(1.0 / np.array(conductance))
    assert chain.permeability() == pytest.approx(total, rel=1e-9, abs=0)
    drop = np.concatenate([[0.0], np.cumsum(total / np.array(conductance))])
    np.testing.assert_allclose(chain.pressures(), 1.0 - drop, atol=1e-9)


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_resistors_in_parallel_add_their_conductances(conductance):
    middle = np.arange(1, len(conductance) + 1)
    throats = np.concatenate([np.stack([0 * middle, middle], 1), np.stack([middle, 0 * middle + len(middle) + 1], 1)])
    parallel = graph(throats, len(middle) + 2, np.concatenate([conductance, conductance]))
    assert parallel.permeability() == pytest.approx(0.5 * sum(conductance), rel=1e-9, abs=0)
    np.testing.assert_allclose(parallel.pressures()[1:-1], 0.5, rtol=1e-12)


def test_no_flow_crosses_a_balanced_wheatstone_bridge():
    bridge = graph([(0, 1), (0, 2), (1, 3), (2, 3), (1, 2)], 4, [1.0, 2.0, 3.0, 6.0, 5.0])
    assert abs(bridge.fluxes()[4]) < 1e-15
    assert bridge.permeability() == pytest.approx(1 / (1 + 1 / 3) + 1 / (1 / 2 + 1 / 6), rel=1e-13, abs=0)


def test_the_error_of_pressures_stays_below_its_bound():
    conductance = 10.0 ** np.array([0, -10, 0, 0, -10, 0, -5])
    chain = graph([(i, i + 1) for i in range(7)], 8, conductance)
    exact = 1.0 - np.concatenate([[0.0], np.cumsum(1 / conductance) / np.sum(1 / conductance)])
    assert np.abs(chain.pressures() - exact).max() <= chain.pressure_error() + 1e-15
    assert chain.pressure_error() <= 1e-10


@pytest.mark.parametrize("decades", [8, 12, 16, 20, 40])
def test_permeabilities_of_trees_are_right_or_refused_at_any_contrast(decades):
    rng = np.random.default_rng(decades)
    for nodes in rng.integers(8, 60, 20):
        throats = [(i, int(rng.integers(max(0, i - 3), i))) for i in range(1, nodes)]
        conductance = 10.0 ** rng.uniform(-decades, 0, len(throats))
        tree = graph(throats, nodes, conductance)
        resistance, place = 0.0, nodes - 1
        while place:
            resistance, place = resistance + 1.0 / conductance[place - 1], throats[place - 1][1]
        try:
            found = tree.permeability()
        except DivergenceError:
            assert decades > 8
        else:
            assert found == pytest.approx(1.0 / resistance, rel=2e-6, abs=0)


def test_mass_is_conserved_in_every_pore_and_the_inlet_gives_what_the_outlet_takes(drawn):
    for network in drawn:
        flux, inner = network.fluxes(), ~(network.inlet | network.outlet)
        out = np.bincount(network.throats.T.ravel(), np.concatenate([flux, -flux]), network.n_pores)
        through = np.bincount(network.throats.T.ravel(), np.abs(np.tile(flux, 2)), network.n_pores)
        assert np.all(np.abs(out)[inner] <= 1e-10 * np.maximum(through[inner], 1e-10 * network.inflow(flux)))
        assert network.inflow(flux) == pytest.approx(network.outflow(flux), rel=1e-10, abs=0)
        assert network.inflow(flux) > 0.0


def test_pressures_lie_between_those_of_inlet_and_outlet(drawn):
    for network in drawn:
        pressure = network.pressures()
        assert pressure.min() >= -1e-14 and pressure.max() <= 1.0 + 1e-14
        assert network.pressure_error() < 1e-12


def test_exchanging_inlet_and_outlet_mirrors_the_pressures(drawn):
    for network in drawn:
        turned = PoreNetwork(
            network.points,
            network.throats,
            network.outlet,
            network.inlet,
            network.length,
            network.area,
            network.viscosity,
            columns=network.columns,
        )
        np.testing.assert_allclose(turned.pressures(), 1.0 - network.pressures(), atol=1e-11)
        assert turned.permeability() == pytest.approx(network.permeability(), rel=1e-10, abs=0)


@pytest.mark.parametrize("tessellation", RANGES)
def test_networks_have_the_sizes_and_connectivity_of_the_paper(tessellation):
    random = np.random.default_rng(0)
    networks = [random_network(tessellation, int(random.integers(*RANGES[tessellation])), random) for _ in range(30)]
    sizes = np.array([each.n_pores for each in networks])
    assert sizes.min() >= 45 and sizes.max() <= 215 and 100 < sizes.mean() < 160
    degree = np.mean([2 * each.n_throats / each.n_pores for each in networks])
    assert degree == pytest.approx({"delaunay": 4.8, "voronoi": 3.9}[tessellation], abs=0.25)
    for network in networks:
        assert network.trimmed() == (network, 0)
        gap = network.distances() - network.pores["diameter"][network.throats].mean(axis=1)
        np.testing.assert_allclose(network.columns["length"], gap)
        assert np.all(gap >= 0.1 * network.distances() * (1 - 1e-12))
        assert np.all(network.points > -1e-12) and np.all(network.points < 1e-3 + 1e-12)


def test_every_face_of_a_delaunay_network_is_covered_by_boundary_pores_with_one_throat():
    network = random_network("delaunay", 40, np.random.default_rng(1))
    degree = np.bincount(network.throats.ravel())
    for axis, face in itertools.product(range(3), (0.0, 1e-3)):
        on_face = np.abs(network.points[:, axis] - face) < 1e-10
        assert on_face.sum() >= 4 and np.all(degree[on_face] == 1)


def test_corners_of_the_cube_are_pores_of_a_voronoi_network():
    network = random_network("voronoi", 15, np.random.default_rng(1))
    for corner in itertools.product((0.0, 1e-3), repeat=3):
        assert np.linalg.norm(network.points - corner, axis=1).min() < 1e-12


def test_reflecting_points_near_the_faces_only_gives_the_same_tessellation(monkeypatch):
    made = {name: draw(700, np.random.default_rng(3)) for name, draw in TESSELLATIONS.items()}
    monkeypatch.setattr("sciml.reference.pore_network_tessellations.NEAR", np.inf)
    for name, draw in TESSELLATIONS.items():
        whole = draw(700, np.random.default_rng(3))
        lengths = [
            np.sort(np.linalg.norm(np.diff(x[pairs], axis=1), axis=2), axis=0) for x, pairs in (made[name], whole)
        ]
        np.testing.assert_allclose(*lengths, atol=1e-12)


def test_at_the_density_of_training_a_large_network_has_the_throat_lengths_of_small_ones():
    random = np.random.default_rng(2)
    small = [random_network("delaunay", 60, random, clip="pore") for _ in range(20)]
    large = random_network("delaunay", 4000, random, clip="pore", length=length_at_density(4000, 60))
    inner = [each.columns["length"][(each.throats < 60).all(axis=1)] for each in small]
    inner_large = large.columns["length"][(large.throats < 4000).all(axis=1)]
    assert np.median(inner_large) == pytest.approx(np.median(np.concatenate(inner)), rel=0.05, abs=0)
    crowded = random_network("delaunay", 4000, random)
    assert np.unique(crowded.pores["diameter"]).size < 0.2 * crowded.n_pores  # the rule of the paper makes them equal


def test_hagen_poiseuille_conductance_is_the_flow_through_a_cylinder():
    network = random_network("delaunay", 20, np.random.default_rng(0))
    radius, length = 0.5 * network.columns["diameter"], network.columns["length"]
    np.testing.assert_allclose(network.columns["conductance"], np.pi * radius**4 / (8 * network.viscosity * length))


def test_the_resistance_of_a_spherical_pore_is_the_integral_of_that_of_its_slices():
    from scipy.integrate import quad

    from sciml.reference.pore_network_laws import sphere_resistance

    for radius, length in ((1.0, 0.3), (2.0, 1.9), (0.5, 0.01)):
        exact = quad(lambda x, radius=radius: 8 / (np.pi * (radius**2 - x**2) ** 2), 0, length)[0]
        assert float(sphere_resistance(np.array(2 * radius), np.array(length))) == pytest.approx(exact, rel=1e-9, abs=0)


def test_circular_ducts_follow_hagen_poiseuille_and_triangles_the_exact_series():
    from sciml.reference.pore_network_laws import CIRCLE, TRIANGLE, duct

    assert float(duct(np.array(2.0), np.array(CIRCLE))) == pytest.approx(np.pi / 8)
    side = 2 * np.sqrt(3.0)  # of the equilateral triangle whose inscribed circle has the radius 1
    assert float(duct(np.array(2.0), np.array(TRIANGLE))) == pytest.approx(np.sqrt(3) / 320 * side**4, rel=1e-12, abs=0)


def test_conduits_of_wide_pores_are_less_conductive_than_their_throats_alone():
    network = random_network("delaunay", 30, np.random.default_rng(4), CONDUITS)
    throat = HAGEN_POISEUILLE.conductance(network)
    assert np.all(network.columns["conductance"] < throat)
    total = network.columns["length"] + network.columns["pore1_length"] + network.columns["pore2_length"]
    np.testing.assert_allclose(total, network.distances())


def test_trimming_leaves_out_what_does_not_connect_inlet_and_outlet():
    # 0-1-2 is the flow path; 3-4 floats; 5 hangs on the inlet pore 6, without way to the outlet
    throats = [(0, 1), (1, 2), (3, 4), (5, 6)]
    number = np.arange(7)
    network = graph(throats, 7, [1.0, 1.0, 1.0, 1.0], inlet=np.isin(number, [0, 6]), outlet=number == 2)
    part, removed = network.trimmed()
    assert (part.n_pores, part.n_throats, removed) == (3, 2, 4)
    assert part.permeability() == pytest.approx(0.5)
    with pytest.raises(SingularSystemError, match=r"2 pores \(pore 3 among them\).*trimmed"):
        network.pressures()
    with pytest.raises(InputError, match="no path of throats"):
        graph([(0, 1), (2, 3)], 4, [1.0, 1.0]).trimmed()


def test_a_network_survives_the_way_through_a_mesh(drawn):
    network = drawn[0]
    mesh = network.to_mesh()
    fields = [Field(name, values, mesh, "points") for name, values in network.pores.items()]
    fields += [Field(name, values, mesh, "cells") for name, values in network.columns.items()]
    same = PoreNetwork.from_mesh(mesh, fields, viscosity=network.viscosity)
    assert set(same.pores) == set(network.pores) and set(same.columns) == set(network.columns)
    assert same.permeability() == pytest.approx(network.permeability(), rel=1e-6, abs=0)
    np.testing.assert_array_equal(same.pressures(), network.pressures())


def test_a_network_survives_pickling(drawn):
    same = pickle.loads(pickle.dumps(drawn[0]))
    assert same.permeability() == drawn[0].permeability()


def test_a_network_does_not_change_with_the_arrays_it_was_made_of():
    points, throats, conductance = np.eye(3), np.array([[0, 1], [1, 2]]), np.ones(2)
    inlet, outlet, diameter = points[0] > 0, points[2] > 0, np.ones(3)
    columns = {"conductance": conductance}
    network = PoreNetwork(points, throats, inlet, outlet, 1.0, 1.0, 1.0, {"diameter": diameter}, columns)
    for array in (points, throats, conductance, inlet, outlet, diameter):
        array[:] = 0
    assert network.permeability() == pytest.approx(0.5) and network.pores["diameter"].all()
    np.testing.assert_array_equal(network.distances(), [2**0.5] * 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"throats": [(0, 1), (1, 1)]}, "throat 1 joins pore 1 to itself"),
        ({"throats": [(0, 1), (1, 0)]}, "throats 0 and 1 both join the pores 0 and 1"),
        ({"throats": [(0, 1), (1, 9)]}, "a value of the throats is 9"),
        ({"inlet": np.array([False] * 3)}, "the inlet has no pores"),
        ({"inlet": np.array([True, False, True])}, "pore 2 is in the inlet and in the outlet"),
        ({"inlet": np.array([1, 0, 0])}, "expected one boolean"),
        ({"length": 0.0}, "the length of the sample is 0.0"),
        ({"pores": {"diameter": np.array([1.0, np.nan, 1.0])}}, "not finite"),
        ({"columns": {"conductance": np.ones(3)}}, r"expected \(2,\)"),
        ({"points": np.full((3, 3), np.inf)}, "not finite"),
    ],
)
def test_what_makes_no_network_is_refused_with_a_sentence(change, sentence):
    parts = {"points": np.zeros((3, 3)), "throats": [(0, 1), (1, 2)], "length": 1.0, "area": 1.0}
    flags = {"inlet": np.array([True, False, False]), "outlet": np.array([False, False, True])}
    with pytest.raises(InputError, match=sentence):
        PoreNetwork(**{**parts, **flags, **change})


def test_a_conductance_that_is_not_positive_is_named_with_its_throat():
    with pytest.raises(InputError, match=r"throat 1 \(pores \[1, 2\]\) is 0"):
        graph([(0, 1), (1, 2)], 3, [1.0, 0.0]).pressures()


def test_overlapping_pores_are_named():
    network = random_network("delaunay", 20, np.random.default_rng(0))
    wide = network.with_columns({"diameter": 100 * network.pores["diameter"]})
    with pytest.raises(InputError, match=r"the pores \[\d+, \d+\] overlap: throat \d+"):
        HAGEN_POISEUILLE.applied(wide, np.random.default_rng(0))


def test_drawing_gives_up_with_a_sentence():
    class Coincident:
        def random(self, shape):
            return np.repeat(np.random.default_rng(0).random((1, 3)), shape[0], axis=0) + 1e-10 * np.arange(
                shape[0]
            ).reshape(-1, 1)

        def lognormal(self, *arguments):
            return np.full(arguments[-1], 1e-5)

    with pytest.raises(InputError, match="20 draws of 5 base points gave no connected network"):
        random_network("delaunay", 5, Coincident())


def test_meshes_without_lines_or_groups_are_refused():
    with pytest.raises(InputError, match="expected a mesh of lines"):
        PoreNetwork.from_mesh(Mesh(np.eye(3), {"triangle": [[0, 1, 2]]}))
    with pytest.raises(InputError, match="no group 'inlet'"):
        PoreNetwork.from_mesh(Mesh(np.eye(3), {"line": [[0, 1]]}))


def test_large_networks_are_solved_by_the_graph_laplacian_with_the_same_pressures(drawn, monkeypatch):
    exact = [each.pressures() for each in drawn]
    monkeypatch.setattr("sciml.reference.pore_network_flow.DIRECT", 0)
    for network, pressure in zip(drawn, exact, strict=True):
        again = network.columns["conductance"]  # solved anew; without an argument the former pressures are returned
        np.testing.assert_allclose(network.pressures(again), pressure, atol=1e-10)
        assert 0.0 < network.pressure_error(again) <= 1e-10


def test_openpnm_finds_the_same_pressures(drawn):
    openpnm = pytest.importorskip("openpnm")
    for network in drawn:
        peer = openpnm.network.Network(conns=np.sort(network.throats, axis=1), coords=network.points)
        water = openpnm.phase.Phase(network=peer)
        water["throat.hydraulic_conductance"] = network.columns["conductance"]
        flow = openpnm.algorithms.StokesFlow(network=peer, phase=water)
        flow.set_value_BC(pores=np.flatnonzero(network.inlet), values=1.0)
        flow.set_value_BC(pores=np.flatnonzero(network.outlet), values=0.0)
        flow.run()
        np.testing.assert_allclose(flow["pore.pressure"], network.pressures(), atol=1e-10)
