"""Overridden values of a config: they are in its title and its file, and take the numbers of a paper away."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import yaml

from sciml.cli import main
from sciml.cli.runs import print_metrics
from sciml.insr import TimeStepping
from sciml.lpinn import SpaceTimeFitting
from sciml.overrides import KEY, of_the_problem, recorded, shown_title
from sciml.training import load_field
from sciml.training.config import config_from_values, load_config
from sciml.training.run import train

CONFIG = "lpinn/convection_paper_cpu"
SPEED, WIDTH = "task.init_args.problem.init_args.speed=2", "task.init_args.labels=32"

EPOCHS = "training.phases.0.epochs="


def test_the_title_has_the_parameters_that_were_changed() -> None:
    plain = load_config(CONFIG).title
    assert load_config(CONFIG, [SPEED, WIDTH]).title == f"{plain} (changed: problem.speed=2, labels=32)"
    assert load_config(CONFIG, ["training.phases.0.epochs=5"]).title == f"{plain} (changed: training.phases.0.epochs=5)"


def test_what_is_no_parameter_or_no_change_is_not_in_the_title() -> None:
    plain = load_config(CONFIG)
    others = ["seed=3", "trainer.accelerator=cpu", "task.init_args.output.times=3", "task.init_args.labels=64"]
    changed = load_config(CONFIG, others)
    assert plain.title == changed.title and KEY not in plain.values and KEY not in changed.values


@pytest.mark.parametrize(
    ("config", "key", "same", "other"),
    [
        (
            "cgs/mutag_cpu",
            "data.init_args.path",
            ["tu/MUTAG/MUTAG.txt", "tu/MUTAG"],
            ["tu/NCI1.txt", "tu/NCI1", "NCI1.txt"],
        ),
        ("cgs/berea_cpu", "task.init_args.network", ["rocks/Berea_node1.dat"], ["rocks/C1_node1.dat"]),
    ],
)
def test_where_a_file_lies_is_no_change_and_another_file_is(config: str, key: str, same: list, other: list) -> None:
    plain = load_config(config).title
    for path in same:
        moved = load_config(config, [f"{key}={path}"])
        assert (moved.title, KEY in moved.values) == (plain, False)
    for path in other:
        assert load_config(config, [f"{key}={path}"]).values[KEY] == [f"{key}={path}"]


def test_overrides_are_in_the_values_and_come_back_with_them() -> None:
    changed = load_config(CONFIG, [SPEED])
    assert changed.values["title"] == load_config(CONFIG).title  # it would be changed twice
    again = config_from_values(yaml.safe_load(yaml.safe_dump(changed.values)), "config.yaml")
    assert again.title == changed.title and again.values == changed.values


def test_a_changed_config_that_is_changed_again_keeps_both_and_the_later_of_one_key(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(load_config(CONFIG, [SPEED, EPOCHS + "1"]).values))
    again = load_config(tmp_path / "config.yaml", [WIDTH, EPOCHS + "2"])
    assert again.values[KEY] == [SPEED, EPOCHS + "2", WIDTH]
    assert recorded({}, ["data.a=1", "task.b=2", "data.a=3"]) == ["data.a=3", "task.b=2"]


@pytest.mark.parametrize(
    ("override", "is_another"),
    [
        (SPEED, True),
        ("task.init_args.problem={class_path: sciml.lpinn.StandardBurgers}", True),
        ("data.init_args.path=other.h5", True),
        ("task.init_args={problem: null}", True),
        ("task={class_path: sciml.lpinn.PublishedLagrangian}", True),
        ("task.class_path=sciml.lpinn.SpaceTimeFitting", False),
        (WIDTH, False),
        ("task.init_args.problems=1", False),
        ("training.phases.0.epochs=5", False),
        ("seed=1", False),
    ],
)
def test_the_numbers_of_a_paper_are_for_its_problem_whatever_solves_it(override: str, is_another: bool) -> None:
    assert bool(of_the_problem({KEY: [override]}, SpaceTimeFitting.states_problem)) is is_another


def test_the_end_of_a_run_in_steps_is_a_part_of_the_problem() -> None:
    for key in ("steps", "time_step"):
        assert of_the_problem({KEY: [f"task.init_args.{key}=2"]}, TimeStepping.states_problem) == [f"{key}=2"]
    assert not of_the_problem({KEY: ["task.init_args.points.count=2"]}, TimeStepping.states_problem)


def test_a_table_has_the_papers_column_for_the_papers_problem_alone(capsys) -> None:
    def told(*overrides: str) -> str:
        config = load_config(CONFIG, overrides)
        print_metrics({"relative_spectral": 0.16}, config)
        return capsys.readouterr().out

    assert "0.045" in told() and "paper: relative L2 error 4.5e-2 with speed 30" in told()
    assert "0.045" in told(WIDTH)
    assert "0.045" not in told(SPEED) and "relative L2 error 4.5e-2" not in told(SPEED)
    assert "paper: no numbers for this problem (changed: problem.speed=2)" in told(SPEED)


@pytest.mark.parametrize("wrong", [3, "seed=1", {"seed": 1}, [1]])
def test_a_record_that_is_none_is_refused_and_never_a_title(wrong: object) -> None:
    values = load_config(CONFIG).values
    with pytest.raises(ValueError, match=KEY):
        config_from_values({**values, KEY: wrong}, "config.yaml")
    assert shown_title({"title": "a", KEY: wrong}) == "a"


def test_a_run_keeps_its_overrides_for_evaluate_and_for_resume(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sciml.lpinn.readout.error_norms.EVALUATION", {1: (16, 3)})
    small = ["training.phases=[{epochs: 1}]", "training.updates_per_batch=1", "task.init_args.adds_label=true"]
    small += ["task.init_args.output={grid: [8], times: 2, animation: false}", "task.init_args.labels=16"]
    folder = tmp_path / "run"
    train(load_config(CONFIG, [SPEED, *small]), folder)
    assert yaml.safe_load((folder / "config.yaml").read_text())[KEY][0] == SPEED
    assert train(load_config(folder / "config.yaml"), folder, resume=True)["status"] == "finished"
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        main(["evaluate", str(folder)])
    signal.signal(signal.SIGTERM, handler)
    said = capsys.readouterr().out
    assert not left.value.code and "paper: no numbers for this problem (changed: problem.speed=2)" in said
    # More epochs are allowed to a run that is resumed, and its record follows.
    longer = load_config(folder / "config.yaml", [EPOCHS + "2"])
    assert train(longer, folder, resume=True)["epochs"] == 2
    assert yaml.safe_load((folder / "config.yaml").read_text())[KEY] == [SPEED, *small[:3], small[4], EPOCHS + "2"]
    assert load_field(folder).title.endswith("training.phases.0.epochs=2)")
