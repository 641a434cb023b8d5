"""Boxes of a network: the right pores, resistors in series, and additivity of layers."""

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.pore_network_boxes import cut_box, random_box
from sciml.reference.pore_networks import PoreNetwork, random_network


def lattice(n: int, conductance: float = 1.0) -> PoreNetwork:
    """A cubic lattice of n^3 pores in the unit cube, at (i + 1/2) / n."""
    number = np.arange(n**3).reshape(n, n, n)
    points = (np.stack(np.unravel_index(np.arange(n**3), (n, n, n)), 1) + 0.5) / n
    pairs = [np.stack([np.delete(number, i, a).ravel() for i in (n - 1, 0)], 1) for a in range(3)]
    throats = np.concatenate(pairs)
    x = points[:, 0]
    inlet, outlet = x == x.min(), x == x.max()
    columns = {"conductance": np.full(len(throats), conductance)}
    return PoreNetwork(points, throats, inlet, outlet, 1.0, 1.0, viscosity=1.0, columns=columns)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_box_of_a_lattice_has_the_permeability_of_its_columns_in_parallel(axis):
    lower, upper = np.full(3, 0.2), np.full(3, 0.8)  # 6^3 of 10^3 pores, and one layer beyond either face
    box = cut_box(lattice(10), lower, upper, axis)
    assert (box.n_pores, box.inlet.sum(), box.outlet.sum()) == (8 * 36, 36, 36)
    # 36 columns of 7 throats in series over a box of 0.6 x 0.6 x 0.6
    assert box.permeability() == pytest.approx(36 / 7 * 0.6 / 0.36, rel=1e-12, abs=0)
    assert np.all(box.points[box.inlet, axis] < 0.2) and np.all(box.points[box.outlet, axis] > 0.8)


def test_a_box_of_all_pores_is_the_network_itself():
    network = random_network("delaunay", 60, np.random.default_rng(0))
    box = cut_box(network, [1e-9, -1, -1], [1e-3 - 1e-9, 1, 1])
    whole, _ = network.trimmed()
    assert (box.n_pores, box.n_throats) == (whole.n_pores, whole.n_throats)
    scaled = box.permeability() * network.length / box.length * box.area / network.area
    assert scaled == pytest.approx(network.permeability(), rel=1e-9, abs=0)


def test_random_boxes_lie_in_their_part_and_conserve_mass():
    network = random_network("delaunay", 800, np.random.default_rng(1), clip="pore")
    random = np.random.default_rng(2)
    for _ in range(10):
        box = random_box(network, [0, 0, 0], [1e-3, 5e-4, 1e-3], (4e-4, 5e-4), random)
        inner = box.points[~(box.inlet | box.outlet)]
        assert np.all(inner[:, 1] < 5e-4) and np.all(np.ptp(inner, axis=0) < 5e-4)
        assert 4e-4 <= box.length <= 5e-4 and box.area == pytest.approx(box.length**2)
        flux = box.fluxes()
        assert box.inflow(flux) == pytest.approx(box.outflow(flux), rel=1e-10, abs=0)


def test_boxes_without_flow_are_refused():
    network = lattice(4)
    for lower, upper, sentence in (
        ([0.4, 0.4, 0.4], [0.4, 0.6, 0.6], "has no volume"),
        ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], "no throats lead through both faces"),
        ([0.26, 0.26, 0.26], [0.37, 0.37, 0.37], "no throats lead through both faces"),
    ):
        with pytest.raises(InputError, match=sentence):
            cut_box(network, lower, upper)
    with pytest.raises(InputError, match="20 boxes"):
        random_box(network, [0, 0, 0], [1, 1, 1], (0.01, 0.02), np.random.default_rng(0))
