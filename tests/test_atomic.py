import errno
import os
from pathlib import Path

import pytest

from sciml.atomic import AtomicFile, write_bytes, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("options", [{}, {"unique": True}, {"keep_name": True}])
def test_a_file_gets_its_name_only_when_it_is_complete(tmp_path, options):
    path = tmp_path / "a.vtu"
    path.write_text("old")
    with AtomicFile(path, **options) as file:
        file.part.write_text("new")
        assert path.read_text() == "old" and file.part.parent.is_relative_to(tmp_path)
        assert (file.part.suffix == ".vtu") == ("keep_name" in options)
    assert path.read_text() == "new" and names(tmp_path) == ["a.vtu"]


@pytest.mark.parametrize("options", [{}, {"unique": True}, {"keep_name": True}])
def test_an_error_removes_the_part_and_leaves_the_file_before(tmp_path, options):
    path = tmp_path / "a.vtu"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), AtomicFile(path, **options) as file:
        file.part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and names(tmp_path) == ["a.vtu"]


@pytest.mark.parametrize("options", [{}, {"keep_name": True}])
def test_a_rename_that_fails_removes_the_part(tmp_path, options):
    (tmp_path / "a").mkdir()  # a file cannot replace a folder
    with pytest.raises(OSError), AtomicFile(tmp_path / "a", **options) as file:
        file.part.write_text("new")
    assert names(tmp_path) == ["a"]


def test_a_writer_that_stays_open_commits_or_discards_by_itself(tmp_path):
    kept, dropped = AtomicFile(tmp_path / "a"), AtomicFile(tmp_path / "b")
    for file in (kept, dropped):
        file.part.write_text("new")
    kept.commit()
    dropped.discard()
    dropped.discard()  # nothing is left to remove
    assert names(tmp_path) == ["a"]


def test_processes_that_write_one_file_at_once_write_different_parts(tmp_path):
    assert str(os.getpid()) in AtomicFile(tmp_path / "a", unique=True).part.name
    assert AtomicFile(tmp_path / "a").part == tmp_path / "a.part"


def test_pieces_follow_one_another_and_text_is_utf8(tmp_path):
    write_bytes(tmp_path / "a", b"12", memoryview(b"34"))
    write_text(tmp_path / "b", "ü\n", durable=True)
    assert (tmp_path / "a").read_bytes() == b"1234" and (tmp_path / "b").read_bytes() == b"\xc3\xbc\n"


@pytest.mark.parametrize("durable", [False, True])
def test_the_disk_is_waited_for_only_where_asked(tmp_path, monkeypatch, durable):
    waits = []
    monkeypatch.setattr(os, "fsync", waits.append)
    write_bytes(tmp_path / "a", b"1", durable=durable)
    assert len(waits) == durable


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_the_error_of_a_full_disk_names_the_file(tmp_path):
    (tmp_path / "a").write_text("old")
    (tmp_path / "a.part").symlink_to("/dev/full")  # every write to it finds the disk full
    with pytest.raises(OSError) as caught:
        write_text(tmp_path / "a", "new")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a"))
    assert (tmp_path / "a").read_text() == "old" and names(tmp_path) == ["a"]


def test_a_new_file_has_the_permissions_that_the_umask_grants(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "1")
        with AtomicFile(tmp_path / "b", keep_name=True) as file:
            file.part.write_text("1")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "ab"] == [0o640, 0o640]
