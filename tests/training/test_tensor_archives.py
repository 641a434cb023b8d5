"""Archives of tensors: read as torch reads them, but without an unpickler, and bounded by the size of the file."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
import zipfile
from collections import Counter, OrderedDict
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.training.tensor_archives import read_archive


def read(data: bytes) -> Any:
    return read_archive(io.BytesIO(data), len(data))


def saved(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def archive(pickled: bytes, **records: bytes) -> bytes:
    """An archive with a pickle, in the language of pickles, and the bytes of its storages."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("archive/data.pkl", b"\x80\x02" + pickled + b".")
        for key, content in records.items():
            target.writestr(f"archive/data/{key}", content)
    return file.getvalue()


def text(word: str) -> bytes:
    return b"X" + len(word).to_bytes(4, "little") + word.encode()


def number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return (a.dtype, a.shape, a.stride()) == (b.dtype, b.shape, b.stride()) and torch.equal(a, b)
    if isinstance(a, dict):
        return type(a) is type(b) and list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex128, torch.complex64, torch.int64]
DTYPES += [torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool]


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_of_each_type_are_read_as_torch_reads_them(dtype):
    whole = torch.arange(24).to(dtype).reshape(2, 3, 4)
    values = [whole, whole[1, :, ::2], whole.transpose(0, 2), whole[0, 0, 0], whole[:0], whole.new_ones(1).expand(5)]
    found = read(saved(values))
    assert same(found, values) and same(found, torch.load(io.BytesIO(saved(values)), weights_only=True))
    if dtype.is_floating_point:
        found[0][1, 0, 0] = 7  # what shared its numbers still does
        assert found[1][0, 0] == 7


def test_modules_optimizers_and_schedules_are_read_as_they_were():
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(module.parameters())
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    module(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    state = {"state_dict": module.state_dict(), "o": [optimizer.state_dict()], "s": schedule.state_dict()}
    state["p"] = torch.nn.Parameter(torch.ones(3))
    found = read(saved(state))
    assert same(found, state) and found["state_dict"]._metadata == module.state_dict()._metadata
    assert isinstance(found["p"], torch.nn.Parameter) and isinstance(found["s"]["milestones"], Counter)


plain = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text()
keys = st.none() | st.booleans() | st.integers(-(2**61), 2**61) | st.text()


def nested(inner: st.SearchStrategy) -> st.SearchStrategy:
    mappings = st.dictionaries(keys, inner, max_size=4)
    return st.lists(inner, max_size=4) | st.tuples(inner, inner, inner, inner) | mappings | mappings.map(OrderedDict)


@settings(max_examples=60, deadline=None)
@given(st.recursive(plain, nested, max_leaves=20))
def test_plain_values_come_back(value):
    assert same(read(saved(value)), value)


STORAGE = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + number(4) + b"tQ"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE


def tensor(offset: int = 0, size: bytes = number(4) + b"\x85", stride: bytes = number(1) + b"\x85") -> bytes:
    return TENSOR + number(offset) + size + stride + b"\x89ccollections\nOrderedDict\n)RtR"


DOUBLED = b"".join(b"q%ch%ch%c\x86" % (k, k, k) for k in range(30))
FOUR = bytes(16)
HOSTILE = {
    "a list in itself": (b"]q\0h\0a", {}),
    "a dictionary in itself": (b"}q\0" + text("a") + b"h\0s", {}),
    "pairs of pairs": (b")" + DOUBLED, {}),
    "pairs of pairs as a key": (b"})" + DOUBLED + b"Ns", {}),
    "pairs of pairs as a key of a counter": (b"ccollections\nCounter\n})" + DOUBLED + b"Ns\x85R", {}),
    "copies of copies": (
        b"(ccollections\nCounter\n}q\0("
        + b"".join(b"K%cN" % k for k in range(200))
        + b"u\x85R"
        + b"ccollections\nCounter\nh\0\x85R" * 500
        + b"t",
        {},
    ),
    "a very deep list": (b"]" * 10**5 + b"a" * (10**5 - 1), {}),
    "many zeros": (b"c__builtin__\nbytearray\n" + number(3 * 10**9) + b"\x85R", {}),
    "a call": (b"cos\nsystem\n" + text("true") + b"\x85R", {}),
    "a name": (b"ccollections\nOrderedDict\n", {}),
    "an empty storage of torch": (b"ctorch.storage\nUntypedStorage\n" + number(10**12) + b"\x85R", {}),
    "a mark": (b"(\x85", {}),
    "attributes": (b"ccollections\nOrderedDict\n)R}" + text("a") + b"Nsb", {}),
    "a short record": (tensor(), {"0": FOUR[:-1]}),
    "a long record": (tensor(), {"0": FOUR + b"a"}),
    "no record": (tensor(), {}),
    "a tensor beyond its storage": (tensor(size=number(5) + b"\x85"), {"0": FOUR}),
    "an offset beyond the storage": (tensor(offset=1), {"0": FOUR}),
    "a negative stride": (tensor(stride=number(-1) + b"\x85"), {"0": FOUR}),
    "a number without end": (tensor(size=number(2**40) + b"\x85", stride=number(0) + b"\x85"), {"0": FOUR}),
    "many axes": (tensor(size=b"(" + number(1) * 10**5 + b"t", stride=b"(" + number(1) * 10**5 + b"t"), {"0": FOUR}),
    "nothing": (b"", {}),
    "an unknown memo": (b"h\7", {}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_run_writes_is_refused_at_once(name):
    pickled, records = HOSTILE[name]
    with pytest.raises((ValueError, LookupError, TypeError)):
        read(archive(pickled, **records))


def test_the_pieces_of_the_hostile_archives_are_right():
    assert torch.equal(read(archive(tensor(), **{"0": FOUR})), torch.zeros(4))
    assert read(archive(b")" + DOUBLED[:14])) == (((), ()), ((), ()))


def test_hostile_archives_take_neither_memory_nor_steps(tmp_path):
    """In a process of its own, which may take half a gigabyte."""
    for place, (pickled, records) in enumerate(HOSTILE.values()):
        (tmp_path / f"{place}.ckpt").write_bytes(archive(pickled, **records))
    program = """
import sys, resource
from pathlib import Path
from sciml.training.tensor_archives import read_archive
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29),) * 2)
for path in Path(sys.argv[1]).iterdir():
    try:
        read_archive(path.open("rb"), path.stat().st_size)
    except (ValueError, LookupError, TypeError):
        print(path)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=3600, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == len(HOSTILE)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*b"()]}NKXcQRbtaesu\x85\x86\x87\x88\x89hqjr.\0\1\2"]), max_size=60).map(bytes))
def test_any_instructions_are_refused_or_give_plain_values(pickled):
    try:
        value = read(archive(pickled))
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    assert isinstance(value, None | bool | int | float | str | list | tuple | dict | torch.Tensor)
