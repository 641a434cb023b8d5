"""``sciml solve cgs/berea_cpu``: the permeability of a network in a file, and sentences about what is no network."""

import json
from dataclasses import replace
from typing import get_args, get_type_hints

import numpy as np
import pytest

from sciml.cgs.data import PoreNetworks
from sciml.cgs.network_flow import Given, NetworkFlow
from sciml.errors import ConfigError, InputError
from sciml.reference.pore_network_files import read_network, write_network
from sciml.reference.pore_network_laws import CONDUITS, HAGEN_POISEUILLE, LAWS
from sciml.reference.pore_network_tessellations import TESSELLATIONS
from sciml.reference.pore_networks import CLIPS, DARCY, random_network


@pytest.fixture
def stored(tmp_path):
    """A network in a file, to which a pore is added that nothing connects."""
    network = random_network("delaunay", 25, np.random.default_rng(3), CONDUITS)
    lonely = np.pad(network.inlet, (0, 1)), np.pad(network.outlet, (0, 1))
    path = tmp_path / "network.npz"
    columns = {f"throat.{name}": values for name, values in network.columns.items()}
    columns["pore.diameter"] = np.append(network.pores["diameter"], 1e-6)
    sample = {"length": network.length, "area": network.area, "viscosity": network.viscosity}
    points = np.vstack([network.points, [5e-4, 5e-4, 5e-4]])
    np.savez(path, coords=points, conns=network.throats, inlet=lonely[0], outlet=lonely[1], **columns, **sample)
    return network, path


def solved(in_process, path, folder, *changes):
    code, _, error = in_process("solve", "cgs/berea_cpu", f"task.init_args.network={path}", *changes, "-o", folder)
    assert code == 0, error
    return json.loads((folder / "result.json").read_text())["metrics"]


def test_a_network_in_a_file_is_solved_and_its_fields_conserve_mass(in_process, stored, tmp_path):
    network, path = stored
    metrics = solved(in_process, path, tmp_path / "run")
    assert metrics["permeability"] == pytest.approx(network.permeability(), rel=1e-9, abs=0)
    assert metrics["permeability_darcy"] == pytest.approx(network.permeability() / DARCY, rel=1e-9, abs=0)
    assert (metrics["trimmed_pores"], metrics["pores"]) == (1, network.n_pores)
    assert metrics["pressure_error"] < 1e-10 and metrics["flux_imbalance"] < 1e-10
    fields = read_network(tmp_path / "run" / "fields.xdmf")
    np.testing.assert_allclose(fields.pores["pressure"], network.pressures(), atol=1e-10)
    np.testing.assert_allclose(fields.columns["flux"], network.fluxes(), atol=1e-10 * network.fluxes().max())
    assert (tmp_path / "run" / "figures" / "network_3d.png").exists()
    assert not (tmp_path / "run" / "figures" / "history.png").exists()  # of one step


def test_another_law_may_be_asked_for(in_process, stored, tmp_path):
    network, path = stored
    metrics = solved(in_process, path, tmp_path / "run", "task.init_args.law=hagen_poiseuille")
    assert metrics["permeability"] > 1.005 * network.permeability()  # the pores resist too
    other = network.permeability(HAGEN_POISEUILLE.conductance(network))
    assert metrics["permeability"] == pytest.approx(other, rel=1e-9, abs=0)


def test_a_network_without_conductances_is_told_of_the_law_and_solved_by_it(in_process, stored, tmp_path):
    network, _ = stored
    sizes = {name: network.columns[name] for name in ("diameter", "length")}
    write_network(tmp_path / "sizes.npz", replace(network, columns=sizes))
    asked = f"task.init_args.network={tmp_path / 'sizes.npz'}"
    code, _, error = in_process("solve", "cgs/berea_cpu", asked, "-o", tmp_path / "none")
    assert code == 2 and "task.init_args.law=hagen_poiseuille" in error and not (tmp_path / "none").exists()
    metrics = solved(in_process, tmp_path / "sizes.npz", tmp_path / "run", "task.init_args.law=hagen_poiseuille")
    by_hand = network.permeability(HAGEN_POISEUILLE.conductance(network))
    assert metrics["permeability"] == pytest.approx(by_hand, rel=1e-9, abs=0)


def test_a_solution_may_be_solved_again(in_process, stored, tmp_path):
    network, _ = stored
    write_network(tmp_path / "again.vtu", network, {"pressure": network.pressures()})
    metrics = solved(in_process, tmp_path / "again.vtu", tmp_path / "run")
    assert metrics["permeability"] == pytest.approx(network.permeability(), rel=1e-9, abs=0)


def test_a_file_to_predict_on_is_sent_to_solve(stored, tmp_path):
    with pytest.raises(InputError, match=r"sciml solve cgs/berea_cpu task\.init_args\.network=.*network\.npz"):
        NetworkFlow(str(stored[1])).predict_file(stored[1], tmp_path / "out.npz")


def test_without_a_network_the_sentence_says_what_to_give_and_no_run_begins(in_process, tmp_path):
    code, _, error = in_process("solve", "cgs/berea_cpu", "-o", tmp_path / "run")
    assert code == 2 and "task.init_args.network=PATH" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["task.init_args.law=shape_factors"], "no column 'shape_factor'"),
        (["task.init_args.law=darcy"], "darcy"),
        (["task.init_args.method=magic"], "magic"),
        (["task.init_args.viscosity=0"], "viscosity"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(in_process, stored, tmp_path, changes, sentence):
    code, _, error = in_process(
        "solve", "cgs/berea_cpu", f"task.init_args.network={stored[1]}", *changes, "-o", tmp_path / "run"
    )
    assert code == 2 and sentence in error


def test_an_unknown_law_is_refused_in_python():
    with pytest.raises(ConfigError, match="did you mean 'conduits'"):
        NetworkFlow("network.npz", law="conduit")
    with pytest.raises(ConfigError, match="method is 'lu', expected one of"):
        NetworkFlow("network.npz", method="lu")


def test_the_names_that_a_config_may_give_are_those_that_there_are():
    assert get_args(Given) == ("given", *LAWS)
    given = get_type_hints(PoreNetworks.__init__)
    for name, known in (("law", LAWS), ("tessellation", TESSELLATIONS), ("clip", CLIPS)):
        assert set(get_args(given[name])) == set(known)


def test_berea_has_the_permeability_of_an_independent_solver(in_process, reference_data, tmp_path):
    file = reference_data / "porenetworks" / "Berea_link1.dat"
    if not file.exists():
        pytest.skip(f"the reference data hold no network of Berea sandstone: {file}")
    metrics = solved(in_process, file, tmp_path / "run")
    assert metrics["permeability_darcy"] == pytest.approx(1.1114, rel=1e-4, abs=0)
    assert metrics["pressure_error"] < 1e-8
