"""The conventions of CONTRIBUTING.md that a program can check; each fault is a sentence that names the offender."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sciml

PACKAGE = Path(sciml.__file__).parent
FILE_LINES, FUNCTION_LINES = 450, 70
UNPICKLERS = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def public_definitions(
    node: ast.Module | ast.ClassDef, prefix: str = ""
) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from public_definitions(child, f"{prefix}{child.name}.")


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    return ((ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def keyword(call: ast.Call, name: str) -> object:
    values = [word.value for word in call.keywords if word.arg == name]
    return (
        values[0].value
        if values and isinstance(values[0], ast.Constant)
        else (ast.unparse(values[0]) if values else None)
    )


def too_long(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """Files and functions are short; a docstring does not count as part of its function."""
    if (lines := len(source.splitlines())) > FILE_LINES:
        yield f"{path} has {lines} lines, at most {FILE_LINES} are allowed; split it"
    for node in functions(tree):
        lines = node.end_lineno - node.lineno + 1
        if ast.get_docstring(node) is not None:
            lines -= node.body[0].end_lineno - node.body[0].lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{path}: {node.name} has {lines} lines, at most {FUNCTION_LINES} are allowed; split it"


def undocumented(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """Every file and every public class, function and method has a docstring."""
    if ast.get_docstring(tree) is None:
        yield f"{path} has no docstring"
    for name, node in public_definitions(tree):
        overloaded = any(
            "overload" in ast.unparse(word) or ".setter" in ast.unparse(word) for word in node.decorator_list
        )
        if ast.get_docstring(node) is None and not overloaded:
            yield f"{path}: {name} has no docstring"


def trailing_off(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """The first line of a docstring is a statement that ends on this line."""
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
            first = text.splitlines()[0].rstrip()
            if not first.endswith((".", ":")):
                yield f"{path}: the docstring of {getattr(node, 'name', 'the file')} begins {first!r}; end it there"


def unannotated(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """Every parameter and every result of a public function or method is annotated."""
    for name, node in public_definitions(tree):
        if isinstance(node, ast.ClassDef):
            continue
        given = node.args
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        for parameter in parameters:
            if parameter is not None and parameter.annotation is None and parameter.arg not in ("self", "cls"):
                yield f"{path}: {name} does not annotate {parameter.arg}"
        if node.returns is None:
            yield f"{path}: {name} does not annotate what it returns"


def prints(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """Only the command line prints."""
    if not path.startswith("sciml/cli/"):
        yield from (
            f"{path}:{call.lineno} prints; raise, return or log instead"
            for name, call in calls(tree)
            if name == "print"
        )


def asserts(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """Input is checked by errors with a sentence: an assert says nothing and vanishes under ``python -O``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield f"{path}:{node.lineno} asserts; raise one of sciml.errors with a sentence"


def unpickles(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """No file that is read can run code."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name.split(".")[0] in UNPICKLERS:
                yield f"{path}:{node.lineno} imports {name}; nothing is unpickled here"
    for name, call in calls(tree):
        if name.endswith("torch.load") and keyword(call, "weights_only") is not True:
            yield f"{path}:{call.lineno} calls torch.load without weights_only=True"
        if keyword(call, "allow_pickle") not in (None, False):
            yield f"{path}:{call.lineno} passes allow_pickle={keyword(call, 'allow_pickle')}; nothing is unpickled here"


def chooses_the_device(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """The caller chooses the device: tensors are made beside their inputs, never moved by ``.cuda()``."""
    for name, call in calls(tree):
        if name.endswith(".cuda"):
            yield f"{path}:{call.lineno} calls .cuda(); use .to(device) or device=x.device"


def unfinished(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """What is committed is finished."""
    for number, line in enumerate(source.splitlines(), start=1):
        if found := re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
            yield f"{path}:{number} says {found.group()}; finish it"
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc):
            yield f"{path}:{node.lineno} raises NotImplementedError; finish it or leave it out"


def replaces_files(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """One module writes beside the name and renames."""
    for name, call in calls(tree):
        if name in ("os.replace", "os.rename", "shutil.move") and path != "sciml/atomic.py":
            yield f"{path}:{call.lineno} calls {name}; write through sciml.atomic"


def checks_whole_numbers(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """One module says what a whole number is: an int that is no bool, within bounds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BoolOp) and not path.startswith("sciml/checks/"):
            words = [ast.unparse(value) for value in node.values]
            guards = [word for word in words if re.fullmatch(r"(not )?isinstance\(.+, bool\)", word)]
            kinds = [word for word in words if re.fullmatch(r"(not )?isinstance\(.+, int( \| np\.integer)?\)", word)]
            if guards and kinds:
                yield f"{path}:{node.lineno} checks a whole number; use sciml.checks.whole_number"


def bounds(node: ast.AST, arguments: set[str]) -> Iterator[ast.Compare]:
    """Comparisons by which an argument or an attribute has to be positive, or between two numbers."""
    for child in ast.walk(node):
        if not isinstance(child, ast.Compare) or not all(isinstance(sign, ast.Lt | ast.LtE) for sign in child.ops):
            denied = isinstance(child, ast.UnaryOp) and isinstance(child.op, ast.Not) and child.operand
            above = isinstance(denied, ast.Compare) and isinstance(denied.ops[0], ast.Gt | ast.GtE)
            if above and is_given(denied.left, arguments) and is_number(denied.comparators[0]):
                yield denied
        elif [is_number(child.left), *map(is_number, child.comparators)] == [True, False, True] and is_given(
            child.comparators[0], arguments
        ):
            yield child


def is_number(node: ast.expr) -> bool:
    return bool(re.fullmatch(r"-?\d[\d.e+-]*|-?(\w+\.)?inf|-?float\('inf'\)", ast.unparse(node)))


def is_given(node: ast.expr, arguments: set[str]) -> bool:
    return ast.unparse(node) in arguments or bool(re.fullmatch(r"self\.\w+", ast.unparse(node)))


def checks_numbers(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """One module says what a positive number is: a bool, a string and not-a-number are refused everywhere."""
    for function in functions(tree) if not path.startswith("sciml/checks/") else ():
        given = function.args
        arguments = {argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
        for node in ast.walk(function):
            steps = [ast.unparse(step) for step in node.body] if isinstance(node, ast.If) else []
            if any(re.match(r"raise (InputError|ConfigError)", step) for step in steps):
                for found in bounds(node.test, arguments):
                    yield f"{path}:{found.lineno} checks {ast.unparse(found)}; use sciml.checks.positive or number"


def checks_kinds(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """One module says what an array of numbers is: complex numbers, texts, dates and masks are refused everywhere."""
    exempt = ("sciml/checks/", "sciml/data/formats/", "sciml/linalg/sparse_files.py")  # arrays not yet read; texts
    for node in ast.walk(tree) if not path.startswith(exempt) else ():
        raises = isinstance(node, ast.If) and isinstance(node.body[0], ast.Raise)
        if raises and re.search(r"\.kind not in|issubdtype", ast.unparse(node.test)):
            yield f"{path}:{node.lineno} checks the kind of an array; use sciml.checks.real_array or whole_array"


RULES = [
    too_long,
    undocumented,
    trailing_off,
    unannotated,
    prints,
    asserts,
    unpickles,
    chooses_the_device,
    unfinished,
    replaces_files,
    checks_whole_numbers,
    checks_numbers,
    checks_kinds,
]


def faults(rule, files: dict[str, str]) -> list[str]:
    return [fault for path, source in files.items() for fault in rule(path, source, ast.parse(source))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule) -> None:
    files = {path.relative_to(PACKAGE.parent).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    found = faults(rule, files)
    assert not found, "\n".join([rule.__doc__, *found])


OFFENDERS = {
    too_long: "def f():\n" + "    x = 1\n" * FUNCTION_LINES,
    trailing_off: 'def f():\n    """Return the sum of two numbers,\n    and their product.\n    """',
    undocumented: '"""File."""\nclass C:\n    """C."""\n    def method(self): pass',
    unannotated: "def f(x) -> None: pass",
    prints: "print(1)",
    asserts: "assert x > 0",
    unpickles: "x = np.load(path, allow_pickle=True)",
    chooses_the_device: "x = y.cuda()",
    unfinished: "raise NotImplementedError",
    replaces_files: "os.replace(part, path)",
    checks_whole_numbers: "if isinstance(n, bool) or not isinstance(n, int) or n < 1: pass",
    checks_kinds: "if x.dtype.kind not in 'fiu':\n    raise InputError(x)",
    checks_numbers: "def f(x):\n    if not 0 < x < math.inf:\n        raise InputError(x)",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_finds_its_offender(rule) -> None:
    assert len(faults(rule, {"sciml/offender.py": OFFENDERS[rule]})) == 1


@pytest.mark.parametrize(
    "source", ["import pickle", "from pickle import loads", "torch.load(p)", "torch.load(p, weights_only=flag)"]
)
def test_each_way_to_unpickle_is_found(source: str) -> None:
    assert len(faults(unpickles, {"sciml/offender.py": source})) == 1


@pytest.mark.parametrize(
    ("test", "found"),
    [
        ("not x > 0", 1),
        ("not self.rate > 0.0", 1),
        ("not (isinstance(x, int | float) and 0 <= x < float('inf'))", 1),
        ("not (0 < x < math.inf and 0 < self.share < 1)", 2),
        ("not 0 < other < math.inf", 0),  # computed, not given
        ("not low < x < high", 0),  # a relation between arguments
    ],
)
def test_each_way_to_check_a_number_by_hand_is_found(test: str, found: int) -> None:
    source = f"def f(self, x):\n    other = x\n    if {test}:\n        raise InputError('wrong')"
    assert len(faults(checks_numbers, {"sciml/offender.py": source})) == found


def test_imports_keep_to_the_layers_and_to_the_borders(repository: Path) -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("import-linter is not installed")
    answer = subprocess.run(
        [command, "--no-cache"], capture_output=True, text=True, cwd=repository, timeout=3600, check=False
    )
    assert answer.returncode == 0, answer.stdout


def faults_in_tests(
    repository: Path, rule: Callable[[str, ast.Module], Iterator[str]], names: str = "test_*.py"
) -> list[str]:
    files = sorted((repository / "tests").rglob(names))
    assert len(files) > 100
    return [fault for path in files for fault in rule(path.name, ast.parse(path.read_text()))]


def signals_to_itself(path: str, tree: ast.Module) -> Iterator[str]:
    """A signal that nothing catches kills pytest: processes of their own send it to themselves (tests/training)."""
    for name, call in calls(tree):
        target = ast.unparse(call.args[0]) if call.args else ""
        if name.split(".")[-1] in ("raise_signal", "pthread_kill") or (
            name in ("os.kill", "os.killpg", "kill", "killpg") and re.search(r"getpid|getpgid\(0\)|getpgrp|^0$", target)
        ):
            yield f"{path}:{call.lineno} sends a signal to the process of the tests; start one that does"


def test_no_test_sends_a_signal_to_the_process_of_all_tests(repository: Path) -> None:
    found = faults_in_tests(repository, signals_to_itself)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("signal.raise_signal(2)", 1),
        ("os.kill(os.getpid(), 2)", 1),
        ("signal.pthread_kill(threading.get_ident(), 2)", 1),
        ("os.killpg(0, 2)", 1),
        ("os.kill(process.pid, 2)", 0),
        ("os.killpg(process.pid, 2)", 0),
    ],
)
def test_each_way_to_signal_oneself_is_found(source: str, found: int) -> None:
    assert len(list(signals_to_itself("test_offender.py", ast.parse(source)))) == found


HANG = 3600  # [s], which no test takes on any machine


def depends_on_speed(path: str, tree: ast.Module) -> Iterator[str]:
    """A slow or busy machine fails limits on seconds: tests count work, and a limit on a process is for hangs alone."""
    for name, call in calls(tree):
        for keyword in call.keywords:
            if keyword.arg == "timeout" and isinstance(keyword.value, ast.Constant) and keyword.value.value < HANG:
                yield f"{path}:{call.lineno} gives a process {keyword.value.value} s, expected at least {HANG}"
        if name.split(".")[-1] == "join" and call.args and isinstance(call.args[0], ast.Constant):
            seconds = call.args[0].value
            if isinstance(seconds, int | float) and seconds < HANG:
                yield f"{path}:{call.lineno} waits {seconds} s for a process, expected at least {HANG}"


def test_no_test_depends_on_the_speed_of_the_machine(repository: Path) -> None:
    found = faults_in_tests(repository, depends_on_speed, "*.py")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("subprocess.run(words, timeout=60)", 1),
        ("process.communicate(timeout=600)", 1),
        ("process.join(600)", 1),
        ("process.communicate(timeout=3600)", 0),
        ("process.join()", 0),
        ("', '.join(words)", 0),
    ],
)
def test_each_limit_on_seconds_is_found(source: str, found: int) -> None:
    assert len(list(depends_on_speed("test_offender.py", ast.parse(source)))) == found
