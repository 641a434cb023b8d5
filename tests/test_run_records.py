"""The files of a run are read as they were written, or refused in a sentence that says what to do."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.errors import DataFormatError
from sciml.run_folder import RunFolder
from sciml.run_records import read_environment, read_result, read_rows

ROWS = "epoch,update,seconds,val/rms\n1,8,0.5,0.25\n2,16,1.0,nan\n3,24,1.5,\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run")
    folder.finish("finished", {"error": 0.5, "residual": float("nan")}, seed=2**63 - 1, config={"size": 64})
    return folder.path


def test_what_a_run_writes_is_read(run):
    result, environment = read_result(run), read_environment(run)
    assert (result.status, result.metrics) == ("finished", {"error": 0.5, "residual": None})
    assert result.values == json.loads((run / "result.json").read_text())
    assert (environment.resumed, environment.changed) == ([], {})
    assert environment.command == environment.values["command"]


def test_what_is_not_there_is_no_error(tmp_path):
    assert (read_result(tmp_path), read_environment(tmp_path), read_rows(tmp_path / "metrics.csv")) == (None, None, [])


WRONG = [None, 1, -1, 1.5, "a", [], [1], {}, {"a": "b"}, True, 10**19, "ü" * 1000]


@pytest.mark.parametrize("key", ["status", "metrics", "seconds", "version"])
@pytest.mark.parametrize("value", WRONG, ids=lambda value: str(value)[:10])
def test_a_result_with_a_value_of_another_kind_is_refused(run, tmp_path, key, value):
    values = json.loads((run / "result.json").read_text()) | {key: value}
    del values["sha256"]  # as in results of earlier versions
    (tmp_path / "result.json").write_text(json.dumps(values))
    sound = {"metrics": [{}], "seconds": [1, 1.5, 10**19], "version": ["a", "ü" * 1000]}.get(key, [])
    if any(type(value) is type(one) and value == one for one in sound):
        assert read_result(tmp_path).values == values
        return
    with pytest.raises(DataFormatError, match=rf"result.json is damaged: {key}.*; delete it and resume") as caught:
        read_result(tmp_path)
    assert len(str(caught.value)) < 500


def test_each_flipped_bit_of_a_result_is_found_or_changes_no_value(run, tmp_path):
    data, values, read = (run / "result.json").read_bytes(), read_result(run).values, 0
    del values["sha256"]  # a flip in its name leaves the values without a checksum
    for place in range(len(data)):
        for bit in (place % 8, (place + 3) % 8):
            (tmp_path / "result.json").write_bytes(data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :])
            with suppress(DataFormatError):
                found = read_result(tmp_path).values
                assert {name: found.get(name) for name in values} == values, place
                read += 1
    assert 0 < read < len(data) / 5


@pytest.mark.parametrize("key", ["command", "commit", "packages", "threads", "resumed"])
@pytest.mark.parametrize("value", [1, -1.5, True, [1], {"a": 1}, "a"], ids=str)
def test_an_environment_with_a_value_of_another_kind_is_refused(run, tmp_path, key, value):
    values = json.loads((run / "environment.json").read_text()) | {key: value}
    (tmp_path / "environment.json").write_text(json.dumps(values))
    sound = {"command": str, "commit": str, "packages": dict, "threads": dict}.get(key, ())
    if isinstance(value, sound):
        assert read_environment(tmp_path).values == values
        return
    with pytest.raises(DataFormatError, match=r"environment.json is damaged: .*; restore it"):
        read_environment(tmp_path)


@pytest.mark.parametrize("name", ["result.json", "environment.json"])
@pytest.mark.parametrize(
    "data", [b"", b"[1]", b"null", b"\xff\xfe", b'{"status": "fini', b"[" * 10**5, b'{"seconds": 1e400}']
)
def test_a_file_that_is_not_what_a_run_writes_is_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataFormatError, match=f"{name}.*; (delete it and resume|restore it, or delete it)"):
        (read_result if name == "result.json" else read_environment)(tmp_path)


def test_rows_are_read_without_empty_cells_and_without_the_one_that_a_kill_cut_short(tmp_path):
    path = tmp_path / "metrics.csv"
    for end in ("", "4", "4,32,0.1,0.28"):
        path.write_text(ROWS + end)
        rows = read_rows(path)
        assert [row["epoch"] for row in rows] == ["1", "2", "3"]
        assert [row.get("val/rms") for row in rows] == ["0.25", "nan", None]
    for nothing in ("", "epoch,upd", "epoch,update,seconds\n"):
        path.write_text(nothing)
        assert read_rows(path) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", r"line 1, is \['a', 'b'\], expected epoch, update, seconds"),
        ("epoch,update,seconds,x,x\n", "line 1, is"),
        (ROWS + "4,32\n5,40,2.5,0.1,7\n", "line 6, has 5 cells, expected 4"),
        (ROWS + "4,32,2.0,abc\n", "line 5: val/rms is 'abc', expected a number"),
        (ROWS + "3,32,2.0,1\n", "line 5: the epoch is '3', expected a number above 3"),
        (ROWS + "-4,32,2.0,1\n", "line 5: the epoch is '-4'"),
        (ROWS + "4.5,32,2.0,1\n", "line 5: the epoch is '4.5'"),
        (ROWS + "9" * 10 + ",32,2.0,1\n", "line 5: the epoch is"),
        (ROWS + ",32,2.0,1\n", "line 5: the epoch is ''"),
        (ROWS + "\n", "line 5: the epoch is ''"),
        (ROWS + '"4,32,2.0,1\n', "unexpected end of data"),
        (ROWS + "4,32,2.0," + "1" * 200_000 + "\n", "field larger than field limit"),
        (ROWS + "\0,32,2.0,1\n", "line 5: epoch is"),
    ],
)
def test_a_table_that_no_run_writes_is_refused(tmp_path, text, reason):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(DataFormatError, match=reason) as caught:
        read_rows(path)
    assert str(caught.value).endswith("; restore it, or start the run anew.") and len(str(caught.value)) < 400


@given(st.binary(max_size=60), st.integers(0, len(ROWS)))
def test_any_bytes_in_a_table_are_read_as_numbers_or_refused(tmp_path_factory, data, place):
    path = tmp_path_factory.mktemp("rows") / "metrics.csv"
    path.write_bytes(ROWS[:place].encode() + data + ROWS[place:].encode())
    rows = []
    with suppress(DataFormatError):
        rows = read_rows(path)
    assert all(isinstance(float(cell), float) for row in rows for cell in row.values())
