"""``sciml data``: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from sciml.cli.frame import run
from sciml.data import open_dataset
from tests.data import foreign

HEAT = ["generate", "heat", "size=16", "dimension=1", "steps=3"]


@pytest.fixture
def sciml(capsys, tmp_path: Path, monkeypatch):
    """Run ``sciml data`` in an empty folder; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)  # the process is that of the tests

    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            run(["data", *words])
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return call


def test_generate_info_check_and_convert_follow_one_another(sciml, tmp_path: Path) -> None:
    code, out, _ = sciml(*HEAT, "-n", "4", "-o", "heat.h5", "--seed", "5")
    assert code == 0 and "4 trajectories of u (4, 3, 16)" in out
    code, out, _ = sciml("info", "heat.h5", "--json")
    found = json.loads(out)
    assert code == 0 and found["trajectories"] == 4 and found["seed"] == 5 and found["layout"] == "sciml"
    assert found["fields"]["u"]["shape"] == [4, 3, 16] and found["boundary"] == {"x": "periodic"}
    with open_dataset("heat.h5") as data:
        values = np.stack([data.read("u", k) for k in range(4)]).astype(np.float64)
    assert found["fields"]["u"]["deviation"] == pytest.approx(values.std())
    code, out, _ = sciml("info", "heat.h5")
    assert code == 0 and "4x3x16" in out and "sciml data generate heat size=16" in out
    code, out, _ = sciml("convert", "heat.h5", "small.h5", "--compress")
    assert code == 0
    code, out, _ = sciml("info", "small.h5", "--json")
    assert json.loads(out)["fields"]["u"]["sha256"] == found["fields"]["u"]["sha256"]
    assert sciml("check", "small.h5")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["heat.h5", "small.h5"]


def test_the_command_in_a_file_makes_the_file_again(sciml, tmp_path: Path) -> None:
    sciml(*HEAT, "-n", "3", "-o", "heat.h5", "--seed", "5")
    words = open_dataset("heat.h5").description.generator.split()
    assert words[:2] == ["sciml", "data"]
    assert sciml(*words[2:], "-o", "again.h5")[0] == 0
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "heat.h5").read_bytes()


def test_shards_are_joined_to_the_whole(sciml, tmp_path: Path) -> None:
    sciml(*HEAT, "-n", "5", "-o", "whole.h5")
    for number in ("1", "2"):
        assert sciml(*HEAT, "-n", "5", "-o", f"{number}.h5", "--shard", f"{number}/2")[0] == 0
    assert "trajectories 2 to 4 of 5" in sciml("info", "2.h5")[1]
    assert sciml("convert", "2.h5", "1.h5", "joined.h5")[0] == 0
    assert (tmp_path / "joined.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_check_finds_a_changed_byte_and_a_nan_and_says_where(sciml, tmp_path: Path) -> None:
    sciml(*HEAT, "-n", "4", "-o", "heat.h5")
    with h5py.File("heat.h5") as file:
        place = file["t0_fields/u"].id.get_chunk_info(2).byte_offset
    content = bytearray(Path("heat.h5").read_bytes())
    content[place + 9] ^= 16
    Path("heat.h5").write_bytes(content)
    code, _, err = sciml("check", "heat.h5")
    assert code == 2 and "heat.h5" in err and "t0_fields/u" in err and "trajectory 2" in err
    code, out, _ = sciml("check", "heat.h5", "--json")
    assert code == 2 and json.loads(out)["sound"] is False
    foreign.pdebench_tensor(tmp_path / "nan.h5")
    with h5py.File("nan.h5", "a") as file:
        file["tensor"][1, 1, 1] = np.nan
    code, _, err = sciml("check", "nan.h5")
    assert code == 2 and "'u' has 1 values that are not finite" in err


def test_a_foreign_file_is_converted(sciml, tmp_path: Path) -> None:
    expected = foreign.pdebench_fluid(tmp_path / "theirs.h5")
    assert sciml("convert", "theirs.h5", "ours.h5")[0] == 0
    found = json.loads(sciml("info", "ours.h5", "--json")[1])
    assert found["layout"] == "sciml" and "theirs.h5 (pdebench_fluid)" in found["generator"]
    assert found["fields"]["density"]["mean"] == pytest.approx(expected["density"].astype(float).mean())


def test_the_generators_are_listed_with_their_options(sciml) -> None:
    code, out, _ = sciml("generators")
    assert code == 0 and all(word in out for word in ("poisson", "burgers", "viscosity=0.02"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["info", "missing.h5"], "no file missing.h5"),
        (["generate", "weather", "-n", "1", "-o", "a.h5"], "poisson"),
        ([*HEAT, "width=3", "-n", "1", "-o", "a.h5"], "width"),
        ([*HEAT, "steps", "-n", "1", "-o", "a.h5"], "KEY=VALUE"),
        ([*HEAT, "-n", "0", "-o", "a.h5"], "at least 1"),
        ([*HEAT, "-n", "1", "-o", "a.h5", "--shard", "2"], "I/N"),
        ([*HEAT, "-n", "1", "-o", "no/a.h5"], "folder no"),
        (["convert", "a.h5"], "alone"),
    ],
)
def test_wrong_usage_ends_with_a_sentence(sciml, tmp_path: Path, words: list[str], says: str) -> None:
    code, out, err = sciml(*words)
    assert code == 2 and says in err and "Traceback" not in err and out == ""
    assert list(tmp_path.iterdir()) == []


def test_info_and_check_know_the_meshes_of_each_sample(sciml, tmp_path: Path) -> None:
    words = ["generate", "pore_networks", "fewest=5", "most=12", "-n", "3", "-o", "net.h5"]
    code, out, _ = sciml(*words)
    assert code == 0 and "pressure (3, 1, *)" in out
    found = json.loads(sciml("info", "net.h5", "--json")[1])
    with open_dataset("net.h5") as data:
        points = [data.place("network", number).n_points for number in range(3)]
        cells = [data.place("network", number).n_cells for number in range(3)]
    for what, counts in (("points", points), ("cells", cells)):
        assert found["sizes"]["network"][what] == [min(counts), sorted(counts)[1], max(counts)]
    assert found["fields"]["pressure"]["shape"] == [3, 1, None]
    code, out, _ = sciml("info", "net.h5")
    assert code == 0 and f"{min(points)} to {max(points)}, median" in out and "groups: inlet, outlet" in out
    assert sciml("convert", "net.h5", "small.h5", "--compress")[0] == 0
    assert sciml("check", "small.h5")[0] == 0
    with h5py.File("net.h5", "a") as file:
        file["places/network/cells/line"][-1] = 10**6
    code, out, error = sciml("check", "net.h5")
    assert code == 2 and "place 'network', trajectory 2" in error
