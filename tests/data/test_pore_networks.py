"""Data sets of pore networks: physics of what is generated, and networks that go to a file and come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sciml.data import convert, generate, open_dataset
from sciml.data.pore_networks import PoreNetworks, network_sample, sample_labels, sample_network, write_networks
from sciml.data.samples import Sample, Samples
from sciml.errors import InputError
from sciml.mesh import Grid, Group, Mesh
from sciml.reference.pore_networks import random_network

SMALL = {"fewest": "5", "most": "12"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "whole.h5"
    generate("pore_networks", 20, path, options=SMALL, seed=3)
    return path


def test_pressures_obey_kirchhoff_and_the_permeability_is_that_of_the_flow(whole: Path) -> None:
    with open_dataset(whole) as data:
        for sample in Samples(data, range(20)):
            network, pressure = sample_network(sample), sample.fields["pressure"]
            first, second = network.throats.T
            flux = sample.fields["throat_conductance"] * (pressure[first] - pressure[second])
            net = np.zeros(network.n_pores)
            np.add.at(net, first, flux)
            np.subtract.at(net, second, flux)
            inside = ~(network.inlet | network.outlet)
            assert np.abs(net[inside]).max(initial=0.0) <= 1e-12 * np.abs(flux).max()
            assert (pressure[network.inlet] == 1).all() and (pressure[network.outlet] == 0).all()
            flow = net[network.inlet].sum()
            expected = flow * network.viscosity * network.length / network.area
            assert sample.parameters["permeability"] == pytest.approx(expected, rel=1e-10)


def test_a_sample_is_a_function_of_seed_and_number(whole: Path) -> None:
    with open_dataset(whole) as data:
        for number in (0, 13):
            fields, parameters, places = PoreNetworks(fewest=5, most=12).sample(np.random.default_rng([3, number]))
            assert np.array_equal(data.read("pressure", number)[0], fields["pressure"])
            assert data.description.parameters["permeability"][number] == parameters["permeability"]
            assert np.array_equal(data.place("network", number).points, places["network"].points)
        counts = data.description.sizes()["network"]["points"]
    assert len(set(counts.tolist())) > 5  # the networks differ in size


def test_shards_and_processes_give_the_bytes_of_the_whole(whole: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.h5" for number in (1, 2, 3)]
    for number, path in enumerate(paths, start=1):
        generate("pore_networks", 20, path, options=SMALL, seed=3, shard=(number, 3))
    convert(paths[::-1], tmp_path / "joined.h5")
    assert (tmp_path / "joined.h5").read_bytes() == whole.read_bytes()
    generate("pore_networks", 20, tmp_path / "two.h5", options=SMALL, seed=3, jobs=2)
    assert (tmp_path / "two.h5").read_bytes() == whole.read_bytes()


def test_a_generation_that_was_stopped_goes_on_to_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate("pore_networks", 20, tmp_path / "a.h5", options=SMALL, seed=3, progress=stop)
    parts = list((tmp_path / "a.h5.parts").iterdir())
    assert parts and not (tmp_path / "a.h5").exists()
    parts[0].write_bytes(parts[0].read_bytes()[:1000])  # a part that is cut is made again
    generate("pore_networks", 20, tmp_path / "a.h5", options=SMALL, seed=3)
    assert (tmp_path / "a.h5").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("law", ["hagen_poiseuille", "conduits", "shape_factors"])
@pytest.mark.parametrize("tessellation", ["delaunay", "voronoi"])
def test_networks_of_every_law_come_back_from_a_file(law: str, tessellation: str, tmp_path: Path) -> None:
    from sciml.reference.pore_network_laws import LAWS

    random = np.random.default_rng(0)
    networks = [random_network(tessellation, base, random, LAWS[law]) for base in (9, 14)]
    write_networks(tmp_path / "mine.h5", networks)
    with open_dataset(tmp_path / "mine.h5") as data:
        assert data.description["throat_conductance"].unit == "m^3/(Pa s)"
        for network, sample in zip(networks, Samples(data, range(2)), strict=True):
            again = sample_network(sample)
            for name in ("points", "throats", "inlet", "outlet"):
                assert np.array_equal(getattr(again, name), getattr(network, name))
            for one, other in ((again.pores, network.pores), (again.columns, network.columns)):
                assert list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)
            assert again.permeability() == network.permeability() == sample.parameters["permeability"]


def test_one_permeability_a_network_can_be_the_only_label(tmp_path: Path) -> None:
    about = generate("pore_networks", 2, tmp_path / "a.h5", options={**SMALL, "label": "permeability"})
    assert "pressure" not in [entry.name for entry in about.fields]
    assert (about.parameters["permeability"] > 0).all()


@pytest.mark.parametrize("label", ["pressure", "permeability"])
def test_measured_labels_are_written_for_networks_whose_conductances_nobody_knows(label: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    drawn = [random_network("delaunay", base, random) for base in (9, 14)]
    known = [replace(each, columns={"diameter": each.columns["diameter"]}) for each in drawn]
    by_name = {
        "pressure": [each.pressures() for each in drawn],
        "permeability": [each.permeability() for each in drawn],
    }
    plural = {"pressure": "pressures", "permeability": "permeabilities"}
    write_networks(tmp_path / "mine.h5", known, **{plural[label]: by_name[label]})
    with open_dataset(tmp_path / "mine.h5") as data:
        for number, sample in enumerate(Samples(data, range(2))):
            labels = dict(zip(plural, sample_labels(sample), strict=True))
            assert np.array_equal(labels.pop(label), by_name[label][number]) and list(labels.values()) == [None]
            assert list(sample_network(sample).columns) == ["diameter"]
    with pytest.raises(InputError, match=f"there are 1 {plural[label]}, expected 2"):
        write_networks(tmp_path / "few.h5", known, **{plural[label]: by_name[label][:1]})
    with pytest.raises(InputError, match=f"the {plural[label] if label == 'pressure' else label} of sample 1"):
        write_networks(tmp_path / "wrong.h5", known, **{plural[label]: [by_name[label][0], -1.0 * by_name[label][1]]})
    assert [each.name for each in tmp_path.iterdir()] == ["mine.h5"]


@pytest.mark.parametrize(
    "wrong",
    [{"tessellation": "cubic"}, {"law": "darcy"}, {"fewest": "3"}, {"fewest": "9", "most": "8"}, {"label": "flow"}],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(wrong: dict, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        generate("pore_networks", 1, tmp_path / "a.h5", options=wrong)
    assert list(tmp_path.iterdir()) == []


def test_other_data_are_no_networks(tmp_path: Path) -> None:
    generate("heat", 1, tmp_path / "a.h5", options={"size": "9", "dimension": "1"})
    with open_dataset(tmp_path / "a.h5") as data, pytest.raises(InputError, match="lacks the parameters length"):
        sample_network(Samples(data, [0])[0])
    good = random_network("delaunay", 8, np.random.default_rng(0))
    sizes = {"length": 1.0, "area": 1.0, "viscosity": 1.0}
    for places in ({}, {"network": Grid((3,))}, {"network": Mesh(good.points[:, :2], {"line": good.throats})}):
        with pytest.raises(InputError, match="expected a mesh of lines"):
            sample_network(Sample(0, 0, np.zeros(1), places, {}, sizes))
    for groups in (
        {},
        {"inlet": Group(1, cells=[0]), "outlet": Group(0, facets=[[1]])},  # throat 0, and not pore 0
        {"inlet": Group(1, cells=[good.n_throats - 1]), "outlet": Group(0, facets=[[1]])},  # beyond the pores
        {"inlet": Group(1, facets=[[0, 1]]), "outlet": Group(0, facets=[[2]])},
    ):
        places = {"network": Mesh(good.points, {"line": good.throats}, groups)}
        with pytest.raises(InputError, match="'inlet' in its mesh 'network', expected a group of points"):
            sample_network(Sample(0, 0, np.zeros(1), places, {}, sizes))
    with pytest.raises(InputError, match="no networks"):
        write_networks(tmp_path / "b.h5", [])
    fields, parameters, _ = network_sample(good, pressure=False)
    assert "pressure" not in fields and parameters["permeability"] > 0


@pytest.mark.parametrize(
    ("fields", "parameters", "words"),
    [
        ({"pressure": np.array([1.0, 0.5, np.nan])}, {}, "1 of 3 values of the pressures of sample 4 are not finite"),
        ({"pressure": np.array([1.0, 1e300, 0.0])}, {}, "the pressures of sample 4 have 1e.300"),
        ({"pressure": np.array([1.0, -0.1, 0.0])}, {}, "the pressures of sample 4 have -0.1"),
        ({}, {"permeability": np.float64(np.nan)}, "the permeability of sample 4"),
        ({}, {"permeability": np.float64(-1e-15)}, "the permeability of sample 4"),
        ({}, {"permeability": np.float64(0.0)}, "the permeability of sample 4"),
    ],
    ids=str,
)
def test_labels_that_no_flow_has_are_refused(fields: dict, parameters: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sample_labels(Sample(4, 0, np.zeros(1), {}, fields, parameters))
    assert sample_labels(Sample(4, 0, np.zeros(1), {}, {}, {})) == (None, None)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan])
@pytest.mark.parametrize("name", ["pore_diameter", "throat_diameter", "throat_length", "throat_conductance"])
def test_sizes_that_no_pore_or_throat_has_are_refused(name: str, wrong: float) -> None:
    fields, parameters, places = network_sample(random_network("delaunay", 8, np.random.default_rng(0)))
    sample_network(Sample(4, 0, np.zeros(1), places, fields, parameters))
    fields[name] = np.concatenate([fields[name][:-1], [wrong]])
    with pytest.raises(InputError, match=f"the field '{name}' of sample 4 has"):
        sample_network(Sample(4, 0, np.zeros(1), places, fields, parameters))
