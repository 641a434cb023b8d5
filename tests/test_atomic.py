import errno
import os
import stat
from pathlib import Path

import pytest

from sciml.atomic import AtomicFile, append_text, make_folder, write_bytes, write_text
from sciml.errors import InputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("options", [{}, {"keep_name": True}])
def test_a_file_gets_its_name_only_when_it_is_complete(tmp_path, options):
    path = tmp_path / "a.vtu"
    path.write_text("old")
    with AtomicFile(path, **options) as file:
        file.part.write_text("new")
        assert path.read_text() == "old" and file.part.parent.is_relative_to(tmp_path)
        assert (file.part.suffix == ".vtu") == ("keep_name" in options)
    assert path.read_text() == "new" and names(tmp_path) == ["a.vtu"]


@pytest.mark.parametrize("options", [{}, {"keep_name": True}])
def test_an_error_removes_the_part_and_leaves_the_file_before(tmp_path, options):
    path = tmp_path / "a.vtu"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), AtomicFile(path, **options) as file:
        file.part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and names(tmp_path) == ["a.vtu"]


@pytest.mark.parametrize("options", [{}, {"keep_name": True}])
def test_a_rename_that_fails_removes_the_part(tmp_path, options):
    with pytest.raises(OSError), AtomicFile(tmp_path / "a", **options) as file:
        file.part.write_text("new")
        (tmp_path / "a").mkdir()  # a file cannot replace a folder
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
    slow = AtomicFile(tmp_path / "a")
    slow.part.write_text("half of ")
    write_text(tmp_path / "a", "fast")
    with slow.part.open("a") as file:
        file.write("slow")
    assert (tmp_path / "a").read_text() == "fast"
    slow.commit()
    assert (tmp_path / "a").read_text() == "half of slow" and names(tmp_path) == ["a"]


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


def test_the_error_of_a_full_disk_names_the_file(tmp_path, small_files):
    (tmp_path / "a").write_text("old")
    small_files(2)
    with pytest.raises(OSError) as caught:
        write_text(tmp_path / "a", "new")
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "a"))
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


def test_nothing_is_written_through_a_link_under_the_name(tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("old")
    (tmp_path / "a").symlink_to(mine)
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    for name in ("a", "dangling"):
        with pytest.raises(InputError, match="is a symbolic link to"):
            write_text(tmp_path / name, "new")
    assert mine.read_text() == "old" and names(tmp_path) == ["a", "dangling", "mine"]


def test_pipes_devices_and_folders_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, kind in {tmp_path / "pipe": "a pipe", tmp_path / "folder": "a folder", "/dev/null": "a device"}.items():
        with pytest.raises(InputError, match=kind):
            AtomicFile(name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and names(tmp_path) == ["folder", "pipe"]


def test_text_is_appended_to_a_file_and_not_through_a_link(tmp_path):
    (tmp_path / "a").write_text("one\n")
    append_text(tmp_path / "a", "two\n")
    assert (tmp_path / "a").read_text() == "one\ntwo\n"
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("link", "missing"):
        with pytest.raises(OSError) as caught:
            append_text(tmp_path / name, "three\n")
        assert caught.value.filename == str(tmp_path / name)
    assert (tmp_path / "a").read_text() == "one\ntwo\n" and names(tmp_path) == ["a", "link"]


def test_a_folder_of_a_run_is_never_a_link(tmp_path):
    assert make_folder(tmp_path / "figures") == make_folder(tmp_path / "figures")
    (tmp_path / "states").symlink_to(tmp_path / "figures")
    with pytest.raises(InputError, match="expected a folder of its own"):
        make_folder(tmp_path / "states")
