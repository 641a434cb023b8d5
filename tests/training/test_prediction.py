"""Options and progress of ``sciml predict``: what a task declares is what its words are checked against."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from sciml.errors import ConfigError, InputError
from sciml.training.prediction import parse_options, predict_file
from sciml.training.task import PredictionProgress, Task


class Plain(Task):
    """A task that takes a file and nothing else."""

    def predict_file(self, source: Path, output: Path) -> dict[str, float]:
        return {"length": float(len(source.name))}


class Sampler(Task):
    """A task that needs no file, with an option of each kind, one of them required."""

    def predict_file(
        self,
        source: Path | None,
        output: Path,
        *,
        prompt: str,
        time: float | None = None,
        samples: int = 1,
        kind: Literal["ode", "sde"] = "ode",
        box: list[float] = [0.0, 1.0],  # noqa: B006 - never changed
        progress: PredictionProgress | None = None,
    ) -> dict[str, float]:
        for sample in range(samples):
            if progress is not None:
                progress(sample / samples, f"sample {sample + 1} of {samples}")
        self.given = (source, prompt, time, kind, box)
        return {"samples": float(samples)}


OUT = Path("out.h5")


def test_a_task_without_options_is_called_with_the_two_files():
    assert predict_file(Plain(), Path("ab"), OUT, progress=print) == {"length": 2.0}
    with pytest.raises(ConfigError, match=r"runs/a: there is no option 'time'; this task has no options\."):
        predict_file(Plain(), Path("ab"), OUT, ["time=1"], name="runs/a")
    for word in ("members=4", "seed=0"):
        name = word.partition("=")[0]
        with pytest.raises(ConfigError, match=rf"runs/a: the task draws no samples, so it takes no {name}; leave -n"):
            predict_file(Plain(), Path("ab"), OUT, [word], name="runs/a")
    with pytest.raises(InputError, match=r"Plain is applied to a file; give its name after runs/a\."):
        predict_file(Plain(), None, OUT, name="runs/a")


def test_options_have_the_types_that_the_task_declares():
    task, seen = Sampler(), []
    words = ["prompt=a jet: fast, 1e-3", "time=1", "samples=2", "kind=sde", "box=[1e-1, 2]"]
    numbers = predict_file(task, None, OUT, words, progress=lambda done, state: seen.append((done, state)))
    assert numbers == {"samples": 2.0}
    assert seen == [(0.0, "sample 1 of 2"), (0.5, "sample 2 of 2")]
    assert task.given == (None, "a jet: fast, 1e-3", 1.0, "sde", [0.1, 2.0])
    assert isinstance(task.given[2], float)
    predict_file(task, Path("a.vtu"), OUT, ["prompt=null", "time=null"])
    assert task.given == (Path("a.vtu"), "null", None, "ode", [0.0, 1.0])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["promt=a"], r"r: there is no option 'promt' \(did you mean 'prompt'\?\); the options are prompt \(text; req"),
        (["prompt=a", "x"], r"'x' is not an option, expected KEY=VALUE; .*time \(a number or null; default null\)"),
        (["prompt=a", "x=1"], r"there is no option 'x'; the options are .*kind \(one of ode, sde; default 'ode'\)"),
        (["time=1"], r"prompt is missing, expected text\."),
        (["prompt=a", "time=soon"], r"time is 'soon', expected a number or null\."),
        (["prompt=a", "samples=1.5"], r"samples is 1\.5, expected a whole number\."),
        (["prompt=a", "samples=null"], r"samples is null, expected a whole number\."),
        (["prompt=a", "kind=sdee"], r"kind is 'sdee', expected one of ode, sde; did you mean 'sde'\?"),
        (["prompt=a", "box=[a]"], r"box is \['a'\], expected a list \(a number each\)\."),
        (["prompt=a", "prompt=b"], r"the option prompt is given twice; give it once\."),
        (["prompt=a", "progress=1"], r"there is no option 'progress'"),
        (["prompt=a", "time=[1"], r"the value of 'time=\[1', line 1.* invalid YAML"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused_in_a_sentence_that_lists_the_options(words, sentence):
    with pytest.raises(ConfigError, match=sentence):
        parse_options(Sampler.predict_file, words, "r")
