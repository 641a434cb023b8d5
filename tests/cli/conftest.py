"""What the tests of the verbs share."""

from __future__ import annotations

import pytest


@pytest.fixture
def command(folder, monkeypatch, in_process):
    """Run ``sciml`` in this process, in the ``folder`` of the test file; exit code, standard output, standard error."""
    monkeypatch.chdir(folder)
    return in_process
