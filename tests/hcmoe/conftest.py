"""What the tests of runs by experts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def quick() -> Iterator[pytest.MonkeyPatch]:
    """Let runs have one thread and draw no history; yield what undoes further changes at the end of the module."""
    import torch

    from sciml.hcmoe import InverseExperts, SpectralExperts

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for task in (InverseExperts, SpectralExperts):
            patch.setattr(task, "draw_history", lambda task, history, path: None)
        patch.setattr("sciml.plots.training_history", lambda rows, path, **words: None)
        yield patch
    torch.set_num_threads(threads)
