"""Standard streams that are closed, full or left by their reader: no traceback, no second sentence, the right code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCIML = f"{sys.executable} -m sciml"
CASES = {  # shell command: exit code, sentences on standard error
    "closed output": (f"{SCIML} list methods >&-", 0, 0),
    "closed streams": (f"{SCIML} --version <&- >&- 2>&-", 0, 0),
    "closed errors": (f"{SCIML} list nothing 2>&-", 2, 0),
    "early reader of a table": (f"{SCIML} list methods | head -0", 141, 0),
    "early reader of a help page": (f"{SCIML} --help | head -0", 141, 0),
    "full output": (f"{SCIML} list methods > /dev/full", 1, 1),
    "full output of a failure": (f"{SCIML} list nothing > /dev/full", 2, 1),
    "full errors": (f"{SCIML} list nothing 2> /dev/full", 2, 0),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("name", CASES)
def test_a_stream_that_takes_nothing_is_no_traceback(name: str) -> None:
    shell, code, sentences = CASES[name]
    command = ["bash", "-c", f"set -o pipefail; {shell}"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert (answer.returncode, answer.stderr.count("\n")) == (code, sentences)
    assert "Traceback" not in answer.stderr and "Exception" not in answer.stderr


def test_a_file_that_is_written_never_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    command = ["bash", "-c", f"{SCIML} mesh make square -o a.vtu >&- 2>&-; {SCIML} mesh make square -o b.vtu"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=3600, check=True)
    assert (tmp_path / "a.vtu").read_bytes() == (tmp_path / "b.vtu").read_bytes()


def test_a_working_directory_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = ["bash", "-c", f"cd {gone}; rmdir {gone}; {Path(sys.executable).parent}/sciml list methods"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "sciml: the working directory does not exist any more; change into another one\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_is_no_text_can_be_printed(tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / os.fsdecode(b"\xff \xe2\x80\xa8")
    folder.mkdir()
    path = folder / os.fsdecode(b"\xfe.vtu")
    command = [sys.executable, "-m", "sciml", "mesh", "make", "square", "-o", path]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    answer = subprocess.run(command, capture_output=True, timeout=3600, check=False, env=environment)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert b"\\udcfe.vtu" in answer.stdout and path.is_file()
