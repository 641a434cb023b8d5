"""Put hostile files through the verbs of ``sciml`` in one process, under an audit hook; print what happened as JSON.

The verbs first see files that are right, so that all that they need is imported. From then on the hook records what a
config must never cause: another module, a program, a connection, a file that is written, text of the file compiled.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from sciml import strict_yaml
from sciml.cli import main
from sciml.training.checkpoints import read_checkpoint, write_checkpoint
from sciml.training.run import LAST

PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty")
REACHES = ("socket.connect", "socket.bind", "urllib.Request", "ctypes.dlopen", "ftplib.connect", "webbrowser.open")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MARK = "CANARY"
OUTPUTS = ("out.npz", "exported.")
PRECONDITION = ("precondition", "system.npz", "--method", "dcdm", "--maxiter", "1", "--weights")

seen: list[str] = []
checkpoints: dict[str, dict[str, Any]] = {}  # of the good runs
watching = False


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Record what a file that is only read must not cause; the output that the words name may be prepared."""
    if not watching or any(str(value).startswith(OUTPUTS) for value in arguments[:1]):
        return
    if event in PROGRAMS + REACHES + CHANGES:
        seen.append(f"{event} {arguments!r:.200}")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        seen.append(f"open {arguments!r:.200}")
    elif event == "import" and arguments[0].partition(".")[0] != "sciml":
        seen.append(f"import {arguments[0]}")
    elif event in ("compile", "exec") and MARK in repr(arguments):
        seen.append(f"{event} {arguments!r:.200}")


def call(words: list[str]) -> dict[str, Any]:
    """Return the exit code, what was said and what the hook saw."""
    global watching
    seen.clear()
    out, err = io.StringIO(), io.StringIO()
    code: Any = "left without an exit code"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        watching = True
        try:
            main(words)
        except SystemExit as left:
            code = left.code
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test reports it
            code = f"traceback: {error!r:.300}"
        finally:
            watching = False
    return {"code": code, "err": err.getvalue(), "seen": list(seen)}


def prepare(folder: Path) -> None:
    """Make a run and weights of each kind, and let every verb see a file that is right."""
    for name, verb in (("learn", "train"), ("solve", "solve")):
        for words in (
            [verb, f"{name}.yaml", "-o", f"{name}_run"],
            [verb, f"{name}.yaml", "--print-config"],
            ["evaluate", f"{name}_run"],
            ["export", f"{name}_run", "-o", f"{name}_good.safetensors"],
            ["evaluate", f"{name}_good.safetensors"],
            ["predict", f"{name}_good.safetensors", "-o", "out.npz"],
            [verb, f"{name}_run", "--resume"],
            [verb, "wrong.yaml", "-o", "other"],
        ):
            done = call(words)
            print(words, done["code"], done["err"][:200], file=sys.stderr)
    checkpoints.update({kind: read_checkpoint(folder / f"{kind}_run" / LAST) for kind in ("learn", "solve")})
    call([*PRECONDITION, "learn_good.safetensors"])
    call(["data", "generate", "heat", "-n", "1", "-o", "heat.h5", "size=12", "steps=2"])
    (folder / "out.npz").unlink(missing_ok=True)


def verbs(kind: str, text: str, folder: Path) -> dict[str, list[str]]:
    """Write the hostile config where each verb finds one, and return the words of the verbs."""
    (folder / "x.yaml").write_text(text)
    shutil.copy(folder / "x.yaml", folder / f"{kind}_run" / "config.yaml")
    write_checkpoint({**checkpoints[kind], "sciml_config": text}, folder / f"{kind}_run" / LAST)  # the two agree
    shutil.copy(folder / f"{kind}_good.safetensors", folder / "x_card.safetensors")
    good = strict_yaml.read(folder / f"{kind}_good.yaml")
    card = {"sha256": good["sha256"]}
    indented = "\n".join(f"  {line}" for line in text.splitlines())
    (folder / "x_card.yaml").write_text(f"{strict_yaml.dump(card)}config:\n{indented}\n")
    verb = "train" if kind == "learn" else "solve"
    return {
        verb: [verb, "x.yaml", "-o", "new"],
        "--print-config": [verb, "x.yaml", "--print-config"],
        "--resume": [verb, f"{kind}_run", "--resume"],
        "evaluate of a run": ["evaluate", f"{kind}_run"],
        "evaluate of a card": ["evaluate", "x_card.safetensors"],
        "predict of a run": ["predict", f"{kind}_run", "-o", "out.npz"],
        "predict of a card": ["predict", "x_card.safetensors", "-o", "out.npz"],
        "export": ["export", f"{kind}_run", "-o", "exported.safetensors"],
        "precondition": [*PRECONDITION, "x_card.safetensors"],
    }


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def run(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what happened by the name of the case and of the verb."""
    cases = json.loads((folder / "cases.json").read_text())
    prepare(folder)
    found: dict[str, dict[str, Any]] = {}
    for name, case in cases.items():
        words_of = case["words"] if "words" in case else verbs(case["kind"], case["text"], folder)
        before = files_in(folder)
        found[name] = {verb: call(words) for verb, words in words_of.items()}
        for path in ("exported.safetensors", "exported.yaml"):
            (folder / path).unlink(missing_ok=True)
        found[name]["files"] = [path for path in files_in(folder) if path not in before]
        shutil.rmtree("new", ignore_errors=True)
    return found


if __name__ == "__main__":
    sys.addaudithook(watch)
    os.chdir(sys.argv[1])
    Path("answer.json").write_text(json.dumps(run(Path("."))))
