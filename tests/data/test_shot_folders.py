"""Folders of shot records: genuine ones and ours read alike, and what does not fit is refused in a sentence."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from sciml.data import convert, open_dataset
from sciml.data.formats import damaged_files
from sciml.data.formats.openfwi import ShotFolder
from sciml.data.formats.shot_manifest import Manifest, read_manifest
from sciml.errors import DataFormatError, InputError
from sciml.reference.waves import Acquisition
from tests.data import shot_folders


@pytest.mark.parametrize("faults", [False, True])
def test_maps_and_records_come_in_the_order_of_the_numbers(tmp_path: Path, faults: bool) -> None:
    maps, records = shot_folders.write(tmp_path, (3, 2), faults)  # files 9 and 10: not the order of their names
    folder = ShotFolder(tmp_path)
    assert (folder.count, folder.map_shape, folder.record_shape) == (5, (8, 9), (2, 20, 6))
    chosen = [4, 0, 2, 3, 3]
    assert np.array_equal(folder.maps(chosen), maps[chosen]) and folder.maps([1]).dtype == np.float32
    assert np.array_equal(folder.records(chosen), records[chosen])
    again = pickle.loads(pickle.dumps(folder))
    assert np.array_equal(again.records(range(5)), records)
    assert folder.maps([]).shape == (0, 1, 8, 9)
    for wrong in ([5], [-1], [0.5]):
        with pytest.raises(InputError):
            folder.maps(wrong)


def test_several_groups_of_faults_and_other_files_are_told_apart(tmp_path: Path) -> None:
    maps, _ = shot_folders.arrays(2)
    for name in ("vel3_1_0.npy", "vel2_1_33.npy"):
        np.save(tmp_path / name, maps * (2 if "3_1" in name else 1))
        np.save(tmp_path / name.replace("vel", "seis"), np.zeros((2, 2, 20, 6), np.float32))
    (tmp_path / "vel3_1_0.npy.part").write_bytes(b"")
    (tmp_path / "README.md").write_text("genuine")
    assert np.array_equal(ShotFolder(tmp_path).maps([1, 2])[:, 0], np.stack([maps[1, 0], 2 * maps[0, 0]]))


def test_arrays_are_mapped_into_memory_not_read(tmp_path: Path) -> None:
    """Twenty gigabytes that the disk never holds."""
    for name, shape in (("data", (500, 5, 1000, 1000)), ("model", (500, 1, 70, 70))):
        (tmp_path / name).mkdir()
        with (tmp_path / name / f"{name}1.npy").open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.seek(4 * int(np.prod(shape)) - 4, os.SEEK_CUR)
            file.write(np.float32(1).tobytes())
    last = ShotFolder(tmp_path).records([499])
    assert last[..., -1, -1, -1] == 1.0 and np.count_nonzero(last) == 1


def test_a_folder_is_a_data_set_that_can_be_inspected_and_converted(tmp_path: Path, in_process) -> None:
    maps, records = shot_folders.write(tmp_path / "set")
    shot_folders.write_manifest(tmp_path / "set")
    with open_dataset(tmp_path / "set") as data:
        about = data.description
        assert (about.trajectories, about.layout, about.generator) == (5, "openfwi", "sciml data generate")
        assert about.shape("velocity") == (5, 1, 8, 9) and about.shape("shots") == (5, 1, 2, 20, 6)
        assert np.array_equal(data.read("velocity", 4)[0], maps[4, 0])
        assert np.array_equal(data.read("shots", 3)[0], records[3])
    convert([tmp_path / "set"], tmp_path / "set.h5")
    with open_dataset(tmp_path / "set.h5") as data:
        assert np.array_equal(data.read("shots", 3)[0, 1], records[3, 1])
    code, said, _ = in_process("data", "info", tmp_path / "set")
    assert code == 0 and "velocity" in said and "openfwi" in said
    assert in_process("data", "check", tmp_path / "set")[0] == 0


def test_the_acquisition_is_that_of_the_manifest_or_of_openfwi(tmp_path: Path) -> None:
    shot_folders.write(tmp_path / "ours")
    with pytest.raises(DataFormatError, match=r"no manifest.json, and its records of shape \(2, 20, 6\) over maps"):
        ShotFolder(tmp_path / "ours").acquisition  # noqa: B018 - the property raises
    shot_folders.write_manifest(tmp_path / "ours")
    assert ShotFolder(tmp_path / "ours").acquisition.as_dict() == shot_folders.acquisition().as_dict()
    known = Acquisition.openfwi()
    for name, shape in (("data", known.record_shape), ("model", (1, *known.shape))):
        (tmp_path / "genuine" / name).mkdir(parents=True)
        np.save(tmp_path / "genuine" / name / f"{name}1.npy", np.full((1, *shape), 2000, np.float32))
    assert ShotFolder(tmp_path / "genuine").acquisition.as_dict() == known.as_dict()


def test_a_changed_byte_is_found_on_request(tmp_path: Path, in_process) -> None:
    shot_folders.write(tmp_path)
    shot_folders.write_manifest(tmp_path)
    assert damaged_files(open_dataset(tmp_path)) == []
    with (tmp_path / "data" / "data10.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    (sentence,) = damaged_files(open_dataset(tmp_path))
    assert re.search(r"data10\.npy has changed since it was written: its sha256 is \w{12}\.\.\., expected", sentence)
    with pytest.raises(DataFormatError, match=r"data10\.npy has changed"):
        ShotFolder(tmp_path).verify()
    for words in (("check", tmp_path), ("convert", tmp_path, tmp_path / "set.h5")):
        code, _, said = in_process("data", *words)
        assert code == 2 and "data10.npy has changed" in said
    assert not (tmp_path / "set.h5").exists()


def _resave(path: Path, change) -> None:
    np.save(path, change(np.load(path)))


DAMAGE = {
    "without a partner": lambda folder: (folder / "model" / "model9.npy").unlink(),
    "model11.npy without a partner": lambda folder: np.save(folder / "model" / "model11.npy", np.zeros(3)),
    "data9.npy.*damaged or not complete": lambda folder: (folder / "data" / "data9.npy").write_bytes(
        (folder / "data" / "data9.npy").read_bytes()[:-5]
    ),
    "data9.npy.*pickled objects are never loaded": lambda folder: np.save(
        folder / "data" / "data9.npy", np.array([[[[{}]]]], dtype=object), allow_pickle=True
    ),
    "model10.npy is an array of complex64": lambda folder: _resave(
        folder / "model" / "model10.npy", lambda array: array.astype(np.complex64)
    ),
    "data10.npy has 1 records and model/model10.npy 2 maps": lambda folder: _resave(
        folder / "data" / "data10.npy", lambda array: array[:1]
    ),
    r"has shape \(2, 2, 8, 9\), expected \(maps, 1, nz, nx\)": lambda folder: _resave(
        folder / "model" / "model10.npy", lambda array: array.repeat(2, axis=1)
    ),
    r"has arrays of shape \(2, 20, 5\), those before it \(2, 20, 6\)": lambda folder: _resave(
        folder / "data" / "data10.npy", lambda array: array[..., :5]
    ),
}


def test_what_is_no_folder_of_shots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("absent", "file"):
        with pytest.raises(DataFormatError, match=f"there is no folder .*{name}, expected one of shot records"):
            ShotFolder(tmp_path / name)
    with pytest.raises(DataFormatError, match=r"is a folder without shot records, expected data/dataN\.npy and"):
        ShotFolder(tmp_path)


@pytest.mark.parametrize("sentence", DAMAGE)
def test_files_that_do_not_fit_are_refused_in_a_sentence(tmp_path: Path, sentence: str) -> None:
    shot_folders.write(tmp_path)
    DAMAGE[sentence](tmp_path)
    with pytest.raises(DataFormatError, match=sentence):
        ShotFolder(tmp_path)
    with pytest.raises(DataFormatError, match=sentence):
        open_dataset(tmp_path)


def test_arrays_that_contradict_the_acquisition_are_refused(tmp_path: Path) -> None:
    shot_folders.write(tmp_path)
    shot_folders.write_manifest(tmp_path)
    for number in (9, 10):
        _resave(tmp_path / "data" / f"data{number}.npy", lambda array: np.moveaxis(array, 1, -1))
    with pytest.raises(DataFormatError, match=r"\(\.\.\., 2, 20, 6\); exchange their axes"):
        ShotFolder(tmp_path)
    other = {**shot_folders.acquisition().as_dict(), "steps": 21, "wavelet": None}
    shot_folders.write_manifest(tmp_path, acquisition=other)
    with pytest.raises(DataFormatError, match=r"expected \(\.\.\., 2, 21, 6\)"):
        ShotFolder(tmp_path)
    shot_folders.write_manifest(tmp_path, acquisition={"shape": [8, 9]})
    with pytest.raises(DataFormatError, match=r"manifest\.json: an acquisition has no spacing"):
        ShotFolder(tmp_path)
    shot_folders.write(tmp_path)
    for number in (9, 10):
        _resave(tmp_path / "model" / f"model{number}.npy", lambda array: np.moveaxis(array, 2, -1))
    shot_folders.write_manifest(tmp_path)
    with pytest.raises(DataFormatError, match=r"shape \(9, 8\), its acquisition \(8, 9\); depth comes first"):
        ShotFolder(tmp_path)


def test_genuine_records_with_exchanged_axes_are_refused(tmp_path: Path) -> None:
    for name, shape in (("data", (1, 1000, 70, 5)), ("model", (1, 1, 70, 70))):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / f"{name}1.npy", np.zeros(shape, np.float32))
    with pytest.raises(DataFormatError, match="exchange their axes"):
        ShotFolder(tmp_path)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            lambda v: v / 1000,
            r"map 3 has velocities from 1\.\d+ to 4\.\d+, expected metres per second; these look like km/s",
        ),
        (lambda v: v * np.nan, "map 3 has velocities from nan to nan m/s, expected positive finite"),
        (lambda v: 0 * v, "map 3 has velocities from 0 to 0 m/s, expected positive finite"),
        (lambda v: v.astype(float) * 1e300, "map 3 has velocities from inf to inf m/s, expected positive finite"),
    ],
)
def test_velocities_that_cannot_be_are_refused_by_the_number_of_the_map(tmp_path: Path, value, sentence: str) -> None:
    shot_folders.write(tmp_path)
    _resave(tmp_path / "model" / "model10.npy", value)
    folder = ShotFolder(tmp_path)
    assert folder.maps([0, 2]).min() > 1000
    with pytest.raises(DataFormatError, match=sentence):
        folder.maps([0, 3])


def test_records_that_are_not_finite_are_refused_by_the_number_of_the_map(tmp_path: Path) -> None:
    shot_folders.write(tmp_path)
    _resave(
        tmp_path / "data" / "data10.npy", lambda array: np.where(np.arange(2)[:, None, None, None] == 1, np.inf, array)
    )
    with pytest.raises(DataFormatError, match="the records of map 4 hold values that are not finite"):
        ShotFolder(tmp_path).records([3, 4])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"maps": 7}, "holds 5 of 7 maps; make it again, or go on with the command"),
        ({"part": (0, 9)}, "says that maps 0 to 8 of 5 are here"),
        ({"version": 2}, "is of version 2, expected 1; update sciml"),
        ({"seed": "one"}, "seed is 'one', expected a whole number"),
        ({"seed": -1}, r"manifest\.json: the seed is -1, expected a whole number from 0 to"),
        ({"maps": 0}, r"the number of maps is 0, expected a whole number from 1 to"),
        ({"maps_sha256": "ab"}, "maps_sha256 is 'ab', expected 64 hexadecimal digits"),
        (
            {"sha256": {"../data9.npy": 64 * "0"}},
            r"the sum of a file '\.\./data9\.npy', expected one of records or maps",
        ),
        ({"sha256": {"data/data9.npy": 64 * "g"}}, r"the sha256 of data/data9\.npy is 'gg.*expected 64 hexadecimal"),
        ({"sha256": {"data/data9.npy": 64 * "0"}}, r"data/data10\.npy is not in the manifest"),
        (
            {"sha256": {f"{n}/{n}{k}.npy": 64 * "0" for n in ("data", "model") for k in (9, 10, 11)}},
            "data11.npy of the .* missing",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_in_a_sentence(tmp_path: Path, changes: dict, sentence: str) -> None:
    shot_folders.write(tmp_path)
    shot_folders.write_manifest(tmp_path, **changes)
    with pytest.raises(DataFormatError, match=sentence):
        ShotFolder(tmp_path)


def test_records_that_are_zero_everywhere_are_refused_by_the_number_of_the_map(tmp_path: Path, in_process) -> None:
    _, records = shot_folders.write(tmp_path / "set")
    records[2] = 0.0
    np.save(tmp_path / "set" / "data" / "data9.npy", records[:3])
    with pytest.raises(DataFormatError, match="the records of map 2 are zero everywhere"):
        ShotFolder(tmp_path / "set").records([1, 2])
    code, _, error = in_process("data", "check", tmp_path / "set")
    assert code == 2 and "map 2 are zero everywhere" in error


def test_a_manifest_reads_as_it_was_written(tmp_path: Path) -> None:
    known = shot_folders.acquisition().as_dict()
    written = Manifest("made", 3, 5, known, (1, 5), 64 * "a", {"data/data1.npy": 64 * "0"})
    written.write(tmp_path)
    found = read_manifest(tmp_path)
    assert found == written and found.shot_by().as_dict() == shot_folders.acquisition().as_dict()
    assert read_manifest(tmp_path / "elsewhere") is None


ODD = (-1, 0, 2**64, 1e308, 0.5, True, None, "", "\0", "a/../b", [], [1], [0, 0], {}, {"x": 1}, [[[]]])


def test_a_manifest_with_any_value_in_any_place_is_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    """Each value of the manifest and of what it holds replaced by each of several that it cannot be, or may be."""
    shot_folders.write(tmp_path)
    shot_folders.write_manifest(tmp_path, part=[0, 5], maps_sha256=64 * "0")
    file = tmp_path / "manifest.json"
    original = json.loads(file.read_text())
    refused, read = [], 0
    for outer in original:
        inside = list(original[outer]) if isinstance(original[outer], dict) else [None]
        for inner, odd in product(inside, ODD):
            changed = copy.deepcopy(original)
            if inner is None:
                changed[outer] = odd
            else:
                changed[outer][inner] = odd
            file.write_text(json.dumps(changed))
            try:
                found = ShotFolder(tmp_path).manifest
            except DataFormatError as error:
                refused.append(str(error))
                continue
            read += 1
            assert type(found.seed) is int and found.seed >= 0 and found.bounds == (0, found.maps) == (0, 5)
            assert all(len(each) == 64 for each in found.sums.values()) and isinstance(found.command, str)
    assert len(refused) > 10 * read > 0
    assert all(str(tmp_path) in sentence for sentence in refused)


def test_mutated_folders_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    """300 mutations of one file each: bytes changed, inserted, cut off."""
    shot_folders.write(tmp_path, (1, 1))
    shot_folders.write_manifest(tmp_path, maps=2)
    files = [tmp_path / name for name in ("manifest.json", "data/data9.npy", "model/model10.npy")]
    contents = {file: file.read_bytes() for file in files}
    random, refused = np.random.default_rng(0), []
    for number in range(300):
        file = files[number % 3]
        content = bytearray(contents[file])
        place = int(random.integers(len(content) if number % 2 else min(len(content), 200)))
        kind = random.integers(4)
        if kind == 0:
            del content[place:]
        elif kind == 1:
            content[place:place] = random.bytes(3)
        else:
            content[place] = int(random.integers(256))
        file.write_bytes(content)
        try:
            folder = ShotFolder(tmp_path)
            assert folder.maps(range(folder.count)).shape[1:] == (1, 8, 9)
            assert np.isfinite(folder.records(range(folder.count))).all()
        except DataFormatError as error:
            refused.append(str(error))
        file.write_bytes(contents[file])
    assert len(refused) > 100
    assert all(len(sentence) < 2000 and str(tmp_path) in sentence for sentence in refused)
    assert ShotFolder(tmp_path).count == 2
