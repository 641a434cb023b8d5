"""Generated folders of shot records depend on the seed alone, and are what the solver says of the maps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml.data import convert, generate, open_dataset
from sciml.data.formats.openfwi import ShotFolder
from sciml.data.generators import GENERATORS, generator_of
from sciml.data.outputs import PER_FILE
from sciml.errors import DataFormatError, InputError, MissingExtraError
from sciml.reference.layered_maps import FAMILIES, layered_map
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.run_folder import FolderLock
from tests.data import shot_folders


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    """The options of a generator with a small acquisition."""
    path = tmp_path / "acquisition.json"
    path.write_text(json.dumps(shot_folders.acquisition().as_dict()))
    return {"acquisition": str(path)}


@pytest.fixture
def few_per_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write files of three maps."""
    monkeypatch.setattr("sciml.data.outputs.PER_FILE", 3)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder and what is in them."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_there_is_a_generator_for_each_family() -> None:
    kinds = {name: kind for name, kind in GENERATORS.items() if name.startswith("openfwi-")}
    assert list(kinds) == [f"openfwi-{family}" for family in FAMILIES] and "shots" in GENERATORS
    assert len({kind.summary for kind in kinds.values()}) == len({kind.__name__ for kind in kinds.values()}) == 10
    assert PER_FILE == 500


@pytest.mark.usefixtures("few_per_file")
def test_a_folder_holds_the_maps_of_the_family_and_their_records(tmp_path: Path, options: dict[str, str]) -> None:
    about = generate("openfwi-curvefault-b", 7, tmp_path / "maps", options=options, seed=5)
    assert (about.trajectories, about.seed, about.part) == (7, 5, None)
    assert sorted(contents(tmp_path / "maps")) == [
        *(f"data/data{number}.npy" for number in (1, 2, 3)),
        "manifest.json",
        *(f"model/model{number}.npy" for number in (1, 2, 3)),
    ]
    assert [np.load(tmp_path / f"maps/data/data{number}.npy").shape for number in (1, 3)] == [
        (3, 2, 20, 6),
        (1, 2, 20, 6),
    ]
    folder = ShotFolder(tmp_path / "maps")
    expected = np.stack([layered_map("curvefault-b", number, 5, (8, 9)) for number in range(7)])
    assert np.array_equal(folder.maps(range(7))[:, 0], expected)
    records = WaveSolver(shot_folders.acquisition())(torch.from_numpy(expected)).numpy()
    assert np.array_equal(folder.records(range(7)), records) and np.abs(records).max() > 0
    assert folder.damage() == [] and folder.acquisition.as_dict() == shot_folders.acquisition().as_dict()
    manifest = json.loads((tmp_path / "maps" / "manifest.json").read_text())
    assert manifest["command"].startswith("sciml data generate openfwi-curvefault-b engine=numba acquisition=")
    assert not (tmp_path / "maps.parts").exists()


@pytest.mark.usefixtures("few_per_file")
def test_the_bytes_depend_on_neither_jobs_nor_executors(tmp_path: Path, options: dict[str, str]) -> None:
    generate("openfwi-style-a", 8, tmp_path / "one", options=options)
    generate("openfwi-style-a", 8, tmp_path / "two", options=options, jobs=2)
    with ThreadPoolExecutor(3) as executor:
        generate("openfwi-style-a", 8, tmp_path / "three", options=options, executor=executor)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "three")
    generate("openfwi-style-a", 8, tmp_path / "other", options=options, seed=1)
    assert contents(tmp_path / "other") != contents(tmp_path / "one")


@pytest.mark.usefixtures("few_per_file")
def test_shards_are_folders_that_join_to_one_file(tmp_path: Path, options: dict[str, str]) -> None:
    generate("openfwi-flatvel-b", 7, tmp_path / "whole", options=options)
    shards = [tmp_path / "second", tmp_path / "first"]
    for number, shard in ((2, shards[0]), (1, shards[1])):
        about = generate("openfwi-flatvel-b", 7, shard, options=options, shard=(number, 2))
        assert about.part == ((3, 7, 7) if number == 2 else (0, 3, 7))
    for sources, name in ((shards, "joined.h5"), ([tmp_path / "whole"], "whole.h5")):
        convert(sources, tmp_path / name)
    with open_dataset(tmp_path / "joined.h5") as joined, open_dataset(tmp_path / "whole.h5") as whole:
        assert joined.description.trajectories == 7 and joined.description.part is None
        for name in ("velocity", "shots"):
            assert all(np.array_equal(joined.read(name, k), whole.read(name, k)) for k in range(7))
    with pytest.raises(InputError, match="parts must follow one another"):
        convert([tmp_path / "second"] * 2, tmp_path / "wrong.h5")


KILLED = """
import os, signal
from sciml.data import generate, generation, outputs
made, write_part = [], generation.write_part
outputs.PER_FILE = 3
def killed(plan, first, stop, part):
    if len(made) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    made.append(part)
    return write_part(plan, first, stop, part)
generation.write_part = killed
generate("openfwi-flatvel-a", 8, "maps", options={"acquisition": "acquisition.json"})
"""


@pytest.mark.usefixtures("few_per_file")
def test_a_process_that_is_killed_goes_on_from_its_finished_files_and_parts(
    tmp_path: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    assert child.returncode == -signal.SIGKILL
    assert sorted(contents(tmp_path / "maps")) == ["data/data1.npy", "manifest.json", "model/model1.npy"]
    with pytest.raises(DataFormatError, match="holds 3 of 8 maps; make it again, or go on with the command"):
        ShotFolder(tmp_path / "maps")
    before = (tmp_path / "maps" / "data" / "data1.npy").stat().st_mtime_ns
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="holds another data set, made by 'sciml data generate openfwi-flatvel-a"):
        generate("openfwi-flatvel-a", 8, "maps", options={"acquisition": "acquisition.json"}, seed=1)
    generate("openfwi-flatvel-a", 8, "maps", options={"acquisition": "acquisition.json"})
    assert (tmp_path / "maps" / "data" / "data1.npy").stat().st_mtime_ns == before
    generate("openfwi-flatvel-a", 8, "whole", options={"acquisition": "acquisition.json"})
    assert contents(tmp_path / "maps") == contents(tmp_path / "whole")
    assert sorted(os.listdir()) == ["acquisition.json", "maps", "whole"]


def test_a_complete_data_set_is_left_as_it_is_when_resumed_and_refused_else(
    tmp_path: Path, options: dict[str, str], in_process
) -> None:
    for name, output in (("openfwi-flatvel-a", "maps"), ("heat", "heat.h5")):
        words = [f"acquisition={options['acquisition']}"] if output == "maps" else ["size=16", "dimension=1"]
        command = ["data", "generate", name, "-n", "3", "-o", tmp_path / output, *words]
        assert in_process(*command)[0] == 0
        made = (tmp_path / output).stat().st_mtime_ns
        assert in_process(*command)[0] == 2
        code, said, _ = in_process(*command, "--resume")
        assert code == 0 and "3 trajectories" in said and (tmp_path / output).stat().st_mtime_ns == made
        assert in_process(*command, "--resume", "--seed", "1")[0] == 2
    (tmp_path / "link").symlink_to(tmp_path / "maps")
    with pytest.raises(InputError, match="link is a symbolic link"):
        generate("openfwi-flatvel-a", 3, tmp_path / "link", options=options, resume=True)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").touch()
    with pytest.raises(InputError, match="taken exists; choose another name"):
        generate("openfwi-flatvel-a", 3, tmp_path / "taken", options=options, resume=True)


def test_a_call_that_is_refused_while_another_one_is_at_work_writes_nothing(
    tmp_path: Path, options: dict[str, str]
) -> None:
    with FolderLock(tmp_path / "maps.parts"), pytest.raises(InputError, match="in use by a run"):
        generate("openfwi-flatvel-a", 3, tmp_path / "maps", options=options)
    assert not (tmp_path / "maps").exists()


def test_parts_that_a_kill_at_the_very_end_leaves_are_removed(tmp_path: Path, options: dict[str, str]) -> None:
    generate("openfwi-flatvel-a", 3, tmp_path / "maps", options=options)
    before = contents(tmp_path / "maps")
    (tmp_path / "maps.parts").mkdir()
    (tmp_path / "maps.parts" / "000000000-000000001.h5").touch()
    generate("openfwi-flatvel-a", 3, tmp_path / "maps", options=options, resume=True)
    assert contents(tmp_path / "maps") == before and not (tmp_path / "maps.parts").exists()


@pytest.mark.parametrize("shape", [(5, 1, 8, 9), (5, 8, 9)])
def test_records_of_a_users_maps_come_in_their_order(tmp_path: Path, options: dict[str, str], shape: tuple) -> None:
    maps, _ = shot_folders.arrays(5)
    np.save(tmp_path / "mine.npy", maps.reshape(shape).astype(np.float64))
    generate(
        "shots", 4, tmp_path / "genuine", options={**options, "maps": str(tmp_path / "mine.npy"), "engine": "host"}
    )
    folder = ShotFolder(tmp_path / "genuine")
    assert np.array_equal(folder.maps(range(4)), maps[:4])
    host = WaveSolver(shot_folders.acquisition(), engine="host")
    with torch.no_grad():
        expected = host(torch.from_numpy(maps[:4, 0])).numpy()
    assert np.array_equal(folder.records(range(4)), expected) and np.abs(expected).max() > 0


def test_a_run_whose_maps_have_changed_is_not_resumed(tmp_path: Path, options: dict[str, str]) -> None:
    maps, _ = shot_folders.arrays(5)
    np.save(tmp_path / "mine.npy", maps)
    options["maps"] = str(tmp_path / "mine.npy")
    generate("shots", 4, tmp_path / "out", options=options)
    np.save(tmp_path / "mine.npy", maps + 1)
    with pytest.raises(InputError, match=r"the maps have changed since .*out was begun"):
        generate("shots", 4, tmp_path / "out", options=options, resume=True)


@pytest.mark.parametrize(
    ("array", "count", "sentence"),
    [
        (np.full((2, 8, 9), 2000.0), 3, r"mine\.npy holds 2 maps, got -n 3"),
        (np.full((2, 8, 9), 2.0), 2, "velocity map 0 has velocities from 2 to 2, .* look like km/s"),
        (np.full((2, 8, 9), 1e300), 2, r"mine\.npy: velocity map 0 has velocities from inf to inf m/s"),
        (np.full((2, 8, 9), 9000.0), 2, r"mine\.npy: velocity map 0 reaches 9000 m/s"),
        (np.full((2, 9, 8), 2000.0), 2, r"have shape \(9, 8\), expected \(8, 9\); depth comes first"),
        (np.full((2, 3, 3), 2000.0), 2, r"have shape \(3, 3\), expected \(8, 9\); give acquisition="),
        (np.full((2, 2, 8, 9), 2000.0), 2, r"shape \(2, 2, 8, 9\), expected maps \(maps, 1, nz, nx\)"),
        (np.array([{}]), 1, "pickled objects are never loaded"),
    ],
)
def test_maps_that_cannot_be_shot_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, str], array: np.ndarray, count: int, sentence: str
) -> None:
    np.save(tmp_path / "mine.npy", array, allow_pickle=True)
    with pytest.raises((InputError, DataFormatError), match=sentence):
        generate("shots", count, tmp_path / "out", options={**options, "maps": str(tmp_path / "mine.npy")})
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_made_leaves_no_folder_and_no_file_is_taken_for_one(
    tmp_path: Path, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deepwave", None)
    with pytest.raises(MissingExtraError, match="needs the package deepwave"):
        generate("openfwi-flatvel-a", 2, tmp_path / "out", options={**options, "engine": "deepwave"})
    vast = {**shot_folders.acquisition().as_dict(), "shape": [10**6, 10**6]}
    (tmp_path / "vast.json").write_text(json.dumps(vast))
    with pytest.raises(InputError, match=r"has 1e[+]12 values, .* take a smaller rows or columns"):
        generate("openfwi-flatvel-a", 2, tmp_path / "out", options={"acquisition": str(tmp_path / "vast.json")})
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file is a file, expected the name of a folder"):
        generate("openfwi-flatvel-a", 2, tmp_path / "file", options=options)
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "manifest.json.1f3a9c2e.part").write_text("{")  # a process was killed here
    assert generate("openfwi-flatvel-a", 2, tmp_path / "begun", options=options).trajectories == 2


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("shots", {}, "needs velocity maps; give maps=FILE.npy"),
        ("shots", {"maps": "absent.npy"}, "there is no file absent.npy"),
        ("openfwi-flatvel-a", {"engine": "hots"}, "the engine is 'hots', expected one of .*did you mean 'host'"),
        ("openfwi-flatvel-a", {"acquisition": "absent.json"}, "there is no file absent.json"),
        ("openfwi-flatvel-c", {}, "did you mean 'openfwi-flatvel-"),
    ],
)
def test_options_that_make_no_shots_are_refused_in_a_sentence(name: str, options: dict, sentence: str) -> None:
    with pytest.raises((InputError, DataFormatError), match=sentence):
        generator_of(name, options)


def test_an_acquisition_that_is_too_coarse_for_the_family_is_refused_at_once(tmp_path: Path) -> None:
    coarse = {**shot_folders.acquisition().as_dict(), "time_step": 2e-3, "wavelet": None}
    (tmp_path / "coarse.json").write_text(json.dumps(coarse))
    with pytest.raises(InputError, match=r"reaches 4500 m/s, for which velocity times time step over spacing is 0\.9"):
        generate("openfwi-style-b", 2, tmp_path / "out", options={"acquisition": str(tmp_path / "coarse.json")})
    (tmp_path / "wrong.json").write_text("{}")
    with pytest.raises(DataFormatError, match=r"wrong\.json holds no acquisition: an acquisition has no shape"):
        generator_of("openfwi-style-b", {"acquisition": str(tmp_path / "wrong.json")})


def test_what_workers_get_is_small(tmp_path: Path, options: dict[str, str]) -> None:
    import pickle

    maps, _ = shot_folders.arrays(500)
    np.save(tmp_path / "mine.npy", maps)
    generator = generator_of("shots", {**options, "maps": str(tmp_path / "mine.npy")})
    assert len(pickle.dumps(generator)) < 1000
    again = pickle.loads(pickle.dumps(generator))
    assert np.array_equal(again.velocity(0, 77), maps[77, 0])
    layered = generator_of("openfwi-style-a", {**options, "engine": "host"})
    assert layered.shot_by.shape == (8, 9)
    copy = pickle.loads(pickle.dumps(layered))
    assert copy == layered and type(copy) is type(layered) and len(pickle.dumps(layered)) < 1000


def test_openfwi_itself_is_the_default() -> None:
    generator = generator_of("openfwi-curvevel-a")
    assert generator.shot_by.as_dict() == Acquisition.openfwi().as_dict()
    assert generator.describe().shape("shots") == (1, 1, 5, 1000, 70)
    ground = generator.describe().places["ground"]
    assert ground.axes()[0][[0, -1]].tolist() == [0.0, 690.0]
