"""Python files of a user's own: what may be one, what is executed, what is recorded, and which classes they give."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.config_errors import Where
from sciml.errors import ConfigError, InputError
from sciml.user_modules import MOST_MODULES, UserModules, blame, check_records, load_modules

WHERE = Where("a.yaml")
SHA = "0" * 64


@pytest.fixture(autouse=True)
def modules_are_forgotten():
    """Let no test find the files of another one in ``sys.modules``."""
    ours = [name for name, module in sys.modules.items() if "pytest-of-" in str(getattr(module, "__file__", ""))]
    for name in ours:
        del sys.modules[name]


def load(*paths: Path, recorded: object = None) -> UserModules:
    return load_modules(paths, recorded, WHERE)


def write(folder: Path, text: str, name: str = "my_problem.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(*paths: Path, kind: type[Exception] = InputError, recorded: object = None) -> str:
    with pytest.raises(kind) as caught:
        load(*paths, recorded=recorded)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_classes_of_the_file_are_listed_under_their_bases_and_imported_ones_are_not(tmp_path):
    text = "from collections import OrderedDict\n\nclass A(dict): pass\n\nclass B(A): pass\n\nclass C: pass\n"
    loaded = load(write(tmp_path, text))
    assert list(loaded.classes(dict)) == ["my_problem.A", "my_problem.B"]
    assert list(loaded.classes(object)) == ["my_problem.A", "my_problem.B", "my_problem.C"]
    assert loaded.classes(dict)["my_problem.B"].__module__ == "my_problem"


def test_the_checksum_is_that_of_what_is_executed_whatever_the_file_says_later(tmp_path):
    """The file replaces itself while it is read: what was hashed, shown and executed is the first version."""
    text = (
        "from pathlib import Path\n\nPath(__file__).write_text('x = 2')\nx = 1\n\n\n"
        "class A:\n    def method(self):\n        raise KeyError('here')\n"
    )
    path = write(tmp_path, text)
    loaded = load(path)
    assert path.read_text() == "x = 2"
    assert loaded.records() == [{"name": "my_problem", "sha256": hashlib.sha256(text.encode()).hexdigest()}]
    assert sys.modules["my_problem"].x == 1
    cls = loaded.classes(object)["my_problem.A"]
    assert "raise KeyError('here')" in inspect.getsource(cls)
    with pytest.raises(KeyError) as caught:
        cls().method()
    assert "raise KeyError('here')" in "".join(traceback.format_exception(caught.value))
    assert blame(caught.value) == f"{path}, line 9, in method: KeyError: 'here'"
    assert not (tmp_path / "__pycache__").exists()


def test_a_file_is_executed_once_per_content(tmp_path):
    path = write(tmp_path, "import sys\nsys.count_of_loads = getattr(sys, 'count_of_loads', 0) + 1\n\nclass A: pass\n")
    try:
        first, second = load(path), load(path)
        assert first is second and sys.count_of_loads == 1
        path.write_text(path.read_text() + "\nclass B: pass\n")
        third = load(path)
        assert sys.count_of_loads == 2 and list(third.classes(object)) == ["my_problem.A", "my_problem.B"]
        assert sys.modules["my_problem"] is third.modules["my_problem"]
        path.write_text(path.read_text().removesuffix("\nclass B: pass\n"))
        assert load(path) is first and sys.count_of_loads == 2
        assert sys.modules["my_problem"] is first.modules["my_problem"]
    finally:
        del sys.count_of_loads


def test_the_same_name_in_two_folders_gives_two_modules(tmp_path):
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        path = write(tmp_path / str(number), f"class A:\n    number = {number}\n")
        assert load(path).classes(object)["my_problem.A"].number == number


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_files_may_import_one_another_in_any_order(tmp_path, order):
    files = [
        write(tmp_path, "class Net: pass\n", "helper.py"),
        write(tmp_path, "from helper import Net\n\nclass Mine:\n    net = Net\n"),
    ]
    loaded = load(*(files[number] for number in order))
    assert sorted(loaded.classes(object)) == ["helper.Net", "my_problem.Mine"]
    assert loaded.classes(object)["my_problem.Mine"].net is loaded.classes(object)["helper.Net"]
    assert [record["name"] for record in loaded.records()] == ["helper", "my_problem"]
    loaded.check_used(WHERE, {"task": {"class_path": "my_problem.Mine"}})  # helper through my_problem
    with pytest.raises(ConfigError, match=r"uses nothing of .*my_problem\.py, which defines my_problem\.Mine;"):
        loaded.check_used(WHERE, {"task": [{"class_path": "helper.Net"}]})


def test_another_file_beside_is_not_imported_unless_it_is_given(tmp_path, monkeypatch):
    write(tmp_path, "class Net: pass\n", "helper.py")
    path = write(tmp_path, "from helper import Net\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert refused(path) == f"{path}, line 1: ModuleNotFoundError: No module named 'helper'."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nclass A\n", ", line 2: SyntaxError: expected ':'."),
        ("x = 1\n\ny = undefined\n", ", line 3: NameError: name 'undefined' is not defined."),
        ("def f():\n    raise ValueError('a\\n b')\n\nf()\n", ", line 2, in f: ValueError: a b."),
        ("raise RuntimeError\n", ", line 1: RuntimeError."),
        ("import sys\nsys.exit(3)\n", ", line 2: SystemExit: 3."),
        ("x = 1\0\n", ": source code string cannot contain null bytes."),
        ("def f():\n  x\n y\n", ", line 3: IndentationError: unindent does not match any outer indentation level."),
        ("from sciml.checks import positive\npositive('x', -1)\n", ", line 2: InputError: x is -1"),
    ],
)
def test_an_exception_in_the_file_is_a_sentence_with_its_line(tmp_path, text, sentence):
    path = write(tmp_path, text)
    said = refused(path)
    assert str(path) in said or sentence.startswith(": source")
    assert sentence.removesuffix(".") in said
    assert "my_problem" not in sys.modules


def test_a_file_nested_too_deeply_is_a_sentence(tmp_path):
    assert "my_problem" in refused(write(tmp_path, "x = " + "(" * 5000 + ")" * 5000 + "\n"))


def test_ctrl_c_passes_and_leaves_no_module(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        load(write(tmp_path, "raise KeyboardInterrupt\n"))
    assert "my_problem" not in sys.modules


def test_a_file_that_fails_leaves_the_former_module(tmp_path):
    path = write(tmp_path, "class A: pass\n")
    loaded = load(path)
    path.write_text("1 / 0\n")
    assert "ZeroDivisionError" in refused(path)
    assert sys.modules["my_problem"] is loaded.modules["my_problem"]


@pytest.mark.parametrize("name", ["my-problem.py", "2d.py", "class.py", "my problem.py", "a.b.py", "__init__.py"])
def test_a_name_that_no_module_can_have_is_refused(tmp_path, name):
    assert "rename the file" in refused(write(tmp_path, "raise SystemExit\n", name))


@pytest.mark.parametrize("name", ["json.py", "torch.py", "numpy.py", "sciml.py", "pyamg.py", "antigravity.py"])
def test_a_name_of_another_module_is_refused_and_nothing_is_imported(tmp_path, name):
    before = set(sys.modules)
    assert "rename the file" in refused(write(tmp_path, "raise SystemExit\n", name))
    assert set(sys.modules) == before


def test_a_file_whose_folder_is_on_the_path_is_no_other_module(tmp_path, monkeypatch):
    path = write(tmp_path, "class A: pass\n", "my_own_problem.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(load(path).classes(object)) == ["my_own_problem.A"]
    (tmp_path / "deeper").mkdir()
    write(tmp_path, "", "my_other_problem.py")
    assert "rename" in refused(write(tmp_path / "deeper", "", "my_other_problem.py"))


def test_only_a_regular_python_file_of_utf_8_is_read(tmp_path):
    assert "does not exist" in refused(tmp_path / "none.py")
    (tmp_path / "folder.py").mkdir()
    assert "expected a regular file" in refused(tmp_path / "folder.py")
    os.mkfifo(tmp_path / "pipe.py")
    assert "expected a regular file" in refused(tmp_path / "pipe.py")
    assert "larger than" in refused(write(tmp_path, "#" * 2**21, "large.py"))
    for name in ("my_problem.txt", "my_problem.pyc", "my_problem.so", "my_problem"):
        assert "expected a Python file" in refused(write(tmp_path, "", name))
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nx = 1\ny = '\xe9'\n")
    assert "latin.py, line 3: this is not UTF-8" in refused(tmp_path / "latin.py")
    marked = tmp_path / "marked.py"
    marked.write_bytes(b"\xef\xbb\xbf" + "name = 'é'\r\n".encode())
    load(marked)
    assert sys.modules["marked"].name == "é"


def test_a_name_is_given_once(tmp_path):
    path = write(tmp_path, "class A: pass\n")
    assert "my_problem.py is given twice" in refused(path, path)
    (tmp_path / "deeper").mkdir()
    assert "both have the name my_problem" in refused(path, write(tmp_path / "deeper", ""))
    with pytest.raises(InputError, match="expected a list of Python files"):
        load_modules(str(path), None, WHERE)


def test_a_file_that_has_changed_is_refused_before_anything_is_executed(tmp_path):
    path = write(tmp_path, "class A: pass\n")
    recorded = load(path).records()
    assert load(path, recorded=recorded).records() == recorded
    path.write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    said = refused(path, recorded=recorded, kind=ConfigError)
    assert "not the file that this was made with" in said and "restore the file, or start a new run" in said
    assert not (tmp_path / "canary").exists()


def test_a_file_that_is_not_given_is_asked_for(tmp_path, monkeypatch):
    path = write(tmp_path, "class A: pass\n")
    recorded = load(path).records()
    sys.modules.pop("my_problem")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    said = refused(recorded=recorded, kind=ConfigError)
    assert said.startswith(f"a.yaml: this was made with classes of my_problem.py (SHA-256 {recorded[0]['sha256'][:12]}")
    assert 'give --module path/to/my_problem.py (in Python, modules=["path/to/my_problem.py"]), if you trust' in said
    assert "my_problem" not in sys.modules


@pytest.mark.parametrize(
    "recorded",
    [
        "my_problem", {}, {"name": "a", "sha256": SHA}, ["my_problem"], [None], [[]], 3, True,
        [{"name": "a"}], [{"sha256": SHA}], [{"name": "a", "sha256": SHA, "path": "/a.py"}],
        [{"name": "os", "sha256": SHA}], [{"name": "../x", "sha256": SHA}], [{"name": "a.b", "sha256": SHA}],
        [{"name": "", "sha256": SHA}], [{"name": 3, "sha256": SHA}], [{"name": ["a"], "sha256": SHA}],
        [{"name": "__main__", "sha256": SHA}], [{"name": "a" * 10**6 + "!", "sha256": SHA}],
        [{"name": "a", "sha256": [SHA]}], [{"name": "a", "sha256": SHA[1:]}], [{"name": "a", "sha256": "g" * 64}],
        [{"name": "a", "sha256": SHA + "\n"}], [{"name": "a", "sha256": 0}], [{"name": "a", "sha256": None}],
        [{"name": "a", "sha256": SHA}] * 2, [{"name": "a", "sha256": SHA}] * 10**6,
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_records_that_are_none_are_refused_in_a_sentence(tmp_path, recorded):
    said = refused(write(tmp_path, "raise SystemExit\n"), recorded=recorded, kind=ConfigError)
    assert said.startswith("a.yaml: modules") and len(said) < 250


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.just(SHA),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "sha256", "path"]), inner),
    )
)
def test_whatever_is_recorded_is_refused_or_is_names_with_checksums(recorded):
    try:
        records = check_records(WHERE, recorded)
    except ConfigError:
        return
    assert len(records) == len(recorded) <= MOST_MODULES
    assert all(name.isidentifier() and sha256 == SHA for name, sha256 in records.items())


def test_a_file_given_by_a_relative_path_is_blamed_from_everywhere(tmp_path, monkeypatch):
    write(tmp_path, "class A:\n    def method(self):\n        return self.b\n")
    monkeypatch.chdir(tmp_path)
    cls = load(Path("my_problem.py")).classes(object)["my_problem.A"]
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(AttributeError) as caught:
        cls().method()
    assert blame(caught.value).startswith(
        "my_problem.py, line 3, in method: AttributeError: 'A' object has no attribute"
    )


def test_an_exception_elsewhere_is_blamed_on_nobody():
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("elsewhere")
    assert blame(caught.value) is None
