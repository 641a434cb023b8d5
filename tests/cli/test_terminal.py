"""No name and no text of a file makes a terminal obey it, and proposed commands run what they say and nothing else."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import unicodedata
from pathlib import Path

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sciml
from sciml.cli.runs import _what_now, find_run
from sciml.cli.streams import one_line, printable
from sciml.commands import command_line
from sciml.data.formats.native import DESCRIPTION
from sciml.strict_yaml import parse

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.\u2066\x7f"
HOSTILE = [
    "runs/good; touch PWN; true",
    "$(touch PWN)",
    "`touch PWN`",
    "a 'b' \"c\"",
    "-rf",
    "--overwrite",
    "x\ny",
    "*",
]
PACKAGE = Path(sciml.__file__).parent


def shows(text: str) -> bool:
    """Return whether a text only shows: no character in it is obeyed by a terminal or changes the order of others."""
    return not any(unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") and each not in "\n\t" for each in text)


@given(st.text())
def test_text_on_a_terminal_shows_and_does_nothing_else(text):
    assert shows(printable(text)) and shows(one_line(text)) and "\n" not in one_line(text)
    if shows(text):
        assert printable(text) == text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_a_proposed_command_is_read_by_a_shell_as_the_words_that_were_meant(name):
    words = shlex.split(command_line("solve", Path(name), "--resume"))
    path = words[2]
    assert [words[0], words[1], words[3]] == ["sciml", "solve", "--resume"] and not path.startswith("-")
    assert Path(path) == Path(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_proposed_command_that_is_pasted_runs_nothing_else(tmp_path, name):
    line = f"sciml() {{ printf '%s\\0' \"$@\"; }}; {command_line('evaluate', Path(name), '--module', Path(name))}"
    said = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=3600)
    verb, run, option, module, _ = said.stdout.split("\0")
    assert (verb, option, Path(run), Path(module)) == ("evaluate", "--module", Path(name), Path(name))
    assert not run.startswith("-") and not os.listdir(tmp_path)


def _f_strings(file: Path) -> list[str]:
    """Return the f-strings of a file, each value in them as a brace."""
    return [
        "".join(part.value if isinstance(part, ast.Constant) else "{" for part in node.values)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.JoinedStr)
    ]


def test_no_sentence_puts_a_command_together_by_itself():
    ours = ("sciml bench ", "sciml data generate ")  # what follows are names from our own lists
    for file in PACKAGE.rglob("*.py"):
        for text in _f_strings(file):
            found = {match[0] for match in re.finditer(r"sciml [a-z]+[^`'\n]*?\{", text)}
            assert all(line.startswith(ours) for line in found), f"{file}: {text}; use sciml.commands.command_line"


def test_the_verbs_print_through_the_functions_that_escape():
    for file in (PACKAGE / "cli").glob("*.py"):
        names = [node.func.id for node in ast.walk(ast.parse(file.read_text())) if _is_plain_call(node)]
        assert file.name == "streams.py" or "print" not in names, f"{file}: use say or report of sciml.cli.streams"


def _is_plain_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path


def test_configs_that_hold_escapes_are_shown_by_no_verb_as_they_are(command, folder):
    shipped = next((PACKAGE.parent / "configs" / "insr").glob("advection_1d_cpu.yaml")).read_text()
    titled = re.sub(
        r"^title: .*$", 'title: "T\\\\e]0;owned\\\\a\\\\u202E\\\\x9B31m"', shipped, count=1, flags=re.MULTILINE
    )
    texts = {
        "title": titled,
        "key": shipped + '\n"k\\e]0;owned\\a\\u202E": 1\n',
        "inner": shipped.replace("seed:", '"\\x9B31m\\u2066": 1\nseed:', 1),
        "raw": shipped + "\nu\u202eser: \u2066x\n",
    }
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
        for verb in (["solve", "--print-config"], ["cite"], ["train", "--print-config"], ["evaluate"]):
            code, out, err = command(verb[0], f"{name}.yaml", *verb[1:])
            assert code in (0, 2) and shows(out) and shows(err), (name, verb, out, err)
    code, out, _ = command("solve", "title.yaml", "--print-config")
    assert code == 0 and parse(out, "it")["title"] == "T\x1b]0;owned\x07\u202e\x9b31m"


def test_a_run_whose_title_holds_escapes_shows_them(command, folder):
    shipped = next((PACKAGE.parent / "configs" / "insr").glob("advection_1d_cpu.yaml")).read_text()
    (folder / "own.yaml").write_text(
        re.sub(r"^title: .*$", 'title: "T\\\\e[2J\\\\nsciml: x"', shipped, flags=re.MULTILINE)
    )
    code, out, err = command("solve", "own.yaml", "-o", "a; b", "task.init_args.steps=1")
    assert code == 0, err
    assert shows(out) and shows(err) and out.startswith("T\\x1b[2J sciml: x (changed: steps=1)\n")


def test_the_metrics_the_claim_and_the_source_of_a_paper_are_shown(command, capsys):
    from types import SimpleNamespace

    from sciml.cli.runs import print_metrics

    paper = {"claim": ESCAPE, "source": ESCAPE, "metrics": {ESCAPE: 1.0}}
    task = SimpleNamespace(states_problem=(), units_of=lambda names: {})
    print_metrics({ESCAPE: 2.0}, SimpleNamespace(paper=paper, values={}, task_class=task), title=ESCAPE)
    assert shows(capsys.readouterr().out)


def test_names_in_data_sets_are_shown(command, folder):
    code, _, err = command("data", "generate", "advection", "-n", "2", "-o", "a.h5", "size=16", "steps=2")
    assert code == 0, err
    with h5py.File(folder / "a.h5", "r+") as file:
        about = json.loads(file.attrs[DESCRIPTION])
        file.attrs[DESCRIPTION] = json.dumps({**about, "name": ESCAPE, "generator": ESCAPE})
    for verb in ("info", "check"):
        code, out, err = command("data", verb, "a.h5")
        assert code == 0 and shows(out) and shows(err), (out, err)
        assert verb == "check" or out.count(r"\x1b]0;owned\x07") == 2


def test_names_of_files_are_shown(command, folder):
    name = f"a{ESCAPE}.vtu"
    assert command("mesh", "make", "square", "-o", name)[0] == 0
    for words in (
        ["mesh", "info", name],
        ["mesh", "convert", name, f"b{ESCAPE}.xdmf"],
        ["data", "info", name],
        ["solve", name],
    ):
        code, out, err = command(*words)
        assert code in (0, 2) and shows(out) and shows(err), (words, out, err)
    for words in (
        ["cite", "x", ESCAPE],
        ["mesh", ESCAPE],
        ["precondition", ESCAPE],
        ["list", ESCAPE],
        ["predict", ESCAPE],
    ):
        code, out, err = command(*words)
        assert code == 2 and shows(out) and shows(err), (words, out, err)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_verbs_propose_commands_with_quoted_names(command, folder, name):
    (folder / name).mkdir(parents=True)
    (folder / name / "config.yaml").write_text("title: T\n")
    path = str(Path(name)) if not name.startswith("-") else f"./{name}"
    assert find_run(path)
    said = {
        "evaluate": _what_now(Path(name), [Path(f"{name}.py")]),
        "export": command("precondition", "none.npz", "--method", "dcdm", "--weights", path)[2],
        "solve": command("solve", path, "-o", "elsewhere")[2],
    }
    for verb, sentence in said.items():
        proposed = re.search(r"`(sciml .*)`", sentence, re.DOTALL)
        assert proposed, sentence
        words = shlex.split(proposed[1])
        assert words[:2] == ["sciml", verb], words
        expected = Path(path.replace("\n", " "))  # a sentence is one line
        found = [
            Path(word).parent if verb == "solve" and word.endswith("config.yaml") else Path(word) for word in words
        ]
        assert expected in found or Path(path) in found, words
