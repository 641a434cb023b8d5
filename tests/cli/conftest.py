"""What the tests of the verbs share."""

from __future__ import annotations

import signal

import pytest

from sciml.cli import main


@pytest.fixture
def command(folder, monkeypatch, capsys):
    """Run ``sciml`` in this process, in the ``folder`` of the test file; exit code, standard output, standard error."""
    monkeypatch.chdir(folder)
    handler = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(list(map(str, words)))
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    yield call
    signal.signal(signal.SIGTERM, handler)
