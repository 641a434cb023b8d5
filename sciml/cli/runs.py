"""Options, header, progress bar and final table of the verbs that run a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sciml.cli.streams import one_line, printable, say
from sciml.commands import command_line

if TYPE_CHECKING:
    from sciml.training.config import Config
    from sciml.training.task import Task

RUNS = Path("runs")
FIELDS, FILM = "fields.xdmf", "animation.gif"
CHECKPOINT = ".ckpt"

ConfigArgument = Annotated[
    Path,
    typer.Argument(
        help="YAML file, name of a shipped config (`sciml list configs`), or a run's folder (--resume).",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", help=f"Folder of the run; {RUNS}/NAME-OF-CONFIG by default.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint in the folder.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Use a folder that is not empty.")]
PrintConfigOption = Annotated[
    bool, typer.Option("--print-config", help="Print the whole config, defaults included, and exit.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
ModuleOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--module",
        metavar="FILE.py",
        help="Python file whose classes the config names, as my_problem.MyProblem; repeatable. It is executed: give "
        "only files that you trust.",
    ),
]


def run_config(
    verb: Literal["train", "solve"],
    config: Path,
    changes: list[str],
    output: Path | None,
    *,
    modules: list[Path],
    resume: bool,
    overwrite: bool,
    print_config: bool,
    json: bool,
) -> None:
    """Train or solve as a config says, and write checkpoints, metrics and the result into a folder.

    Parameters
    ----------
    verb : what the user called; ``solve`` refuses a task that learns from data
    config, changes, output, modules, resume, overwrite, print_config, json : the words of the command line
    """
    from sciml.cli.output import print_json
    from sciml.cli.progress import TrainingBar

    if print_config:
        _refuse_idle({"--resume": resume, "--overwrite": overwrite, "--json": json})
    is_run = (config / "config.yaml").is_file()
    folder = _folder(verb, config, output, resume=resume, overwrite=overwrite)
    from sciml.training.config import load_config

    file = config / "config.yaml" if is_run else config
    checked = load_config(file, changes, modules=modules, stored=is_run)
    if verb == "solve":
        _check_solvable(checked)
    if print_config:
        say(shown_config(checked), end="")
        return

    from lightning.pytorch.utilities import rank_zero_only

    from sciml.training import run

    leads = rank_zero_only.rank == 0  # of several processes one speaks
    speaks = leads and not json
    then = "fields and figures" if checked.task_class.solves() else ""
    with TrainingBar(_unit(checked), then=then, enabled=None if leads else False) as bar:
        begun = False

        def announce(task: Task) -> None:
            nonlocal begun
            begun = True
            if speaks:
                bar.print(header(task, checked, folder))

        try:
            result = run.train(
                checked, folder, resume=resume, overwrite=overwrite, progress=bar, started=announce, stage=bar.stage
            )
        except KeyboardInterrupt as stopped:
            again = command_line(verb, folder, "--resume", *_options(modules))
            words = [f"{bar.reached}; resume with `{again}`"] if begun else []
            raise type(stopped)(*words) from None
    if speaks and not begun:
        say(f"{folder} has finished already.", flush=True)
    if not leads:
        return
    if json:
        print_json(result)
        return
    metrics = result["metrics"]
    if checked.training.is_own:  # the numbers of the last step are in the folder
        metrics = {name: value for name, value in metrics.items() if not name.startswith("loss/")} or metrics
    print_metrics(metrics, checked)
    for remark in checked.task_class.remarks(result["metrics"]):
        say(f"note: {remark}")
    say(f"{result['status']} after {_told_seconds(result)}{_what_now(folder, modules)}")


def shown_config(config: Config) -> str:
    """Return a config as YAML that means the same; what a terminal would not show as it is, is written in escapes."""
    from sciml import strict_yaml

    text = strict_yaml.dump(config.values)
    return text if printable(text) == text else strict_yaml.dump(config.values, ascii_only=True)


def _options(modules: Sequence[Path]) -> list[str | Path]:
    """Return the options that give these files again, for a command that a sentence proposes."""
    return [word for path in modules for word in ("--module", path)]


def _told_seconds(result: Mapping[str, Any]) -> str:
    """Return the wall time of a run, and the part of it that it trained or stepped."""
    training = result.get("training_seconds")  # older runs have one number
    return f"{result['seconds']:.1f} s" + ("" if training is None else f" ({training:.1f} s without start and output)")


def _refuse_idle(options: dict[str, bool]) -> None:
    """Refuse options, by name, that have no effect on a config that is only printed."""
    from sciml.errors import InputError

    given = [name for name, is_given in options.items() if is_given]
    if given:
        raise InputError(f"--print-config prints a config and runs nothing; leave {', '.join(given)} out.")


def _what_now(folder: Path, modules: Sequence[Path]) -> str:
    """Return where the fields of a solution are, or the command that evaluates a trained task; and the pictures."""
    if (folder / FIELDS).is_file():
        told = f"\nfields, for ParaView: {folder / FIELDS}"
    else:
        told = f"; to measure it, `{command_line('evaluate', folder, *_options(modules))}`"
    pictures = sorted(str(path) for path in folder.glob("figures/*.png"))
    films = [str(folder / FILM)] if (folder / FILM).is_file() else []
    return told + (f"\npictures: {', '.join([*pictures, *films])}" if pictures or films else "")


def _folder(verb: str, config: Path, output: Path | None, *, resume: bool, overwrite: bool) -> Path:
    """Return the folder of the run; options that exclude each other are refused early, before the slow imports.

    Whether the folder holds a run already is asked later: a mistake in the config is told first.
    """
    from sciml.errors import InputError

    if resume and overwrite:
        raise InputError("--resume continues a run and --overwrite starts it anew; leave one of the two out.")
    is_run = (config / "config.yaml").is_file()
    if resume and config.is_dir() and not is_run:
        raise InputError(f"{config} has no config.yaml, expected the folder of a run.")
    if is_run and output is not None and output.resolve() != config.resolve():
        again = command_line(verb, config / "config.yaml", "-o", output)
        raise InputError(f"{config} is a run already; leave -o {output} out, or start a new run with `{again}`.")
    return config if is_run else output or RUNS / config.stem


def _check_solvable(config: Config) -> None:
    """Refuse a task that has no solution to write."""
    from sciml.errors import InputError

    if not config.task_class.solves():
        raise InputError(
            f"{config.source} has the task {config.task_class.__name__}, which learns from data and has no solution of "
            "its own; use 'sciml train'."
        )


def _unit(config: Config) -> str:
    """Return the name of an epoch: a task that updates its weights itself makes steps."""
    return "step" if config.training.is_own else "epoch"


def header(task: Task, config: Config, folder: Path) -> str:
    """Return a few lines about the run that begins: its task, parameters, training and device."""
    import torch

    from sciml.tables import counted

    parameters = sum(weight.numel() for weight in task.parameters())
    trained = f"{counted(parameters, 'parameter')}, " if parameters else ""
    accelerator = config.trainer["accelerator"]
    if accelerator != "cpu" and torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        threads = torch.get_num_threads()
        named = accelerator not in ("auto", "cpu")
        device = accelerator if named else f"the CPU with {counted(threads, 'thread')}"
    phases = ", then ".join(
        f"{counted(phase.epochs, 'epoch')} of {phase.optimizer}" for phase in config.training.phases
    )
    if config.training.is_own:
        phases = counted(config.training.epochs, "step")
    data = config.values["data"]
    about = task.describe() or ("draws its own points" if data is None else f"learns from {_short(data)}")
    return (
        f"{one_line(config.title)}\n"
        f"  {type(task).__name__}, {trained}{about}\n"
        f"  {phases}; seed {config.seed}; {config.trainer['precision']} on {device}; into {folder}"
    )


def find_run(name: str | Path) -> Path:
    """Return a run folder, a checkpoint or a weights file, given by its path or as the name of shipped weights.

    Raises
    ------
    InputError
        If there is no such thing; the sentence names the nearest.
    """
    from sciml import weights
    from sciml.checks import did_you_mean
    from sciml.errors import InputError

    path = Path(name)
    if path.is_dir():
        if not (path / "config.yaml").is_file():
            raise InputError(f"{path} has no config.yaml, expected the folder of a run of `sciml train`.")
        return path
    if path.is_file() and path.suffix in (weights.ENDING, CHECKPOINT):
        return path
    if path.exists():
        raise InputError(
            f"{path} is not a run: expected the folder of a run, one of its checkpoints ({CHECKPOINT}), or exported "
            f"weights ({weights.ENDING})."
        )
    if (shipped := weights.find_shipped(path)) is not None:
        return shipped
    beside = [other.parent.name for other in sorted(path.parent.glob("*/config.yaml"))]
    if near := get_close_matches(path.name, beside, 1):
        raise InputError(f"{path} does not exist; did you mean {path.with_name(near[0])}?")
    known = weights.shipped()
    near = did_you_mean(str(path), [*known, *(file.stem for file in known.values())])
    listed = "" if near or not known else f"; there are {', '.join(known)}"
    raise InputError(f"{path} is neither the folder of a run nor shipped weights{listed}{near or '.'}")


def print_metrics(metrics: Mapping[str, float], config: Config, title: str | None = None) -> None:
    """Print numbers beside those of the paper, and its claim under them, unless the problem is another one.

    Parameters
    ----------
    metrics : by name
    config : of the run
    title : above the table
    """
    from sciml.cli.output import print_table
    from sciml.overrides import of_the_problem

    paper = config.paper or {}
    others = of_the_problem(config.values, config.task_class.states_problem) if paper else []
    theirs = {} if others else paper.get("metrics") or {}
    names = list(dict.fromkeys([*metrics, *theirs]))
    columns = {"ours": metrics, "paper": theirs, "unit": config.task_class.units_of(names)}
    columns = {title: values for title, values in columns.items() if values}
    print_table(
        ["quantity", *columns], [(name, *(values.get(name) for values in columns.values())) for name in names], title
    )
    if others:
        say(f"paper: no numbers for this problem (changed: {', '.join(others)})")
    elif paper:
        say(f"paper: {paper['claim']} ({paper['source']})")


def _short(section: Mapping[str, Any]) -> str:
    """Return the name of a class without its package."""
    return section["class_path"].rpartition(".")[2]
