"""Text files of labelled graphs: what is read, and that no damaged file gives more than a sentence."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.data import labelled_graphs
from sciml.data.labelled_graphs import read_folds, read_labelled_graphs, stratified_folds
from sciml.errors import DataFormatError, InputError

# A triangle with a tail and a single node, then a single edge.
TEXT = "2\n5 7\n3 2 1 2\n3 2 0 2\n-1 3 0 1 3\n3 1 2\n9 0\n2 -4\n3 1 1\n3 1 0\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "graphs.txt"


def test_a_file_gives_tags_both_directions_of_edges_and_classes(file: Path) -> None:
    file.write_text(TEXT)
    found = read_labelled_graphs(file)
    assert found.tags == (-1, 3, 9) and found.classes == (-4, 7)
    np.testing.assert_array_equal(found.labels, [1, 0])
    first, second = found.graphs
    np.testing.assert_array_equal(first.tags, [1, 1, 0, 1, 2])
    assert set(zip(*first.edges.tolist(), strict=True)) == {
        (0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1), (2, 3), (3, 2)
    }  # fmt: skip
    np.testing.assert_array_equal(first.edges[1], np.sort(first.edges[1]))
    np.testing.assert_array_equal(second.tags, [1, 1])
    assert second.edges.tolist() == [[1, 0], [0, 1]]


def test_a_folder_stands_for_the_file_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "NAME"
    folder.mkdir()
    with pytest.raises(DataFormatError, match=r"NAME is a folder without NAME\.txt; give the file"):
        read_labelled_graphs(folder)
    (folder / "NAME.txt").write_text(TEXT)
    assert [len(graph.tags) for graph in read_labelled_graphs(folder).graphs] == [5, 2]


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "  \n"])
def test_line_ends_of_other_systems_are_read_alike(file: Path, line_end: str) -> None:
    file.write_bytes(TEXT.replace("\n", line_end).encode())
    assert [len(graph.tags) for graph in read_labelled_graphs(file).graphs] == [5, 2]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("2\n5 7", "3\n5 7", "ends after line 10, expected a number of nodes and a class; the file is cut"),
        ("2\n5 7", "1\n5 7", "has 3 more lines after its 1 graphs"),
        ("2\n5 7", "0\n5 7", "line 1 .* 0 graphs, expected at least 1"),
        ("5 7", "900000000000000000 7", "line 2 .* 900000000000000000 nodes, and 8 lines follow"),
        ("5 7", "-5 7", "line 2 .* -5 nodes"),
        ("5 7", "5", "line 2 .* is '5', expected a number of nodes and a class"),
        ("3 2 1 2", "3 3 1 2", "line 3 .* 3 neighbours, and names 2"),
        ("3 2 1 2", "3 2 1 5", "line 3 .* names neighbour 5 in a graph of 5 nodes, expected 0 to 4"),
        ("3 2 1 2", "3 2 1 -2", "line 3 .* names neighbour -2"),
        ("3 2 1 2", "3 2 1 1", "line 3 .* names a neighbour twice"),
        ("3 2 1 2", "3 2 1 1e0", "line 3 .* expected a tag, a degree and as many neighbours"),
        ("3 2 1 2", "3 2 1 2 0.5", "line 3"),
        ("3 2 1 2", "3", "line 3"),
        ("3 2 1 2", "3 2 1 1_0", "line 3"),
        ("3 2 1 2", "3 2 1 " + "9" * 5000, r"line 3 .* \.\.\., expected"),
        ("3 2 1 2", "\u0663 2 1 2", "line 3"),
        ("9 0", "9 1 0", "line 2 .* has 0 as a neighbour of 4, and not 4 as one of 0"),
        ("\n9 0", "\n\n9 0", "line 7 .* is ''"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence_that_names_the_line(file: Path, old: str, new: str, words: str) -> None:
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(DataFormatError, match=words) as caught:
        read_labelled_graphs(file)
    assert len(str(caught.value)) < 400 + len(str(file))


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x01")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("binary", "not a text file"),
        ("absent", "No such file"),
        ("pipe", "a pipe"),
        (".", "a folder"),
    ):
        with pytest.raises(DataFormatError, match=words):
            read_labelled_graphs(tmp_path / name)


@settings(max_examples=300)
@given(st.data())
def test_mutated_files_give_valid_graphs_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, data) -> None:
    content = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        drop = data.draw(st.integers(0, 3))
        content[place : place + drop] = data.draw(st.sampled_from([b"", b"-", b" ", b"\n", b"0", b"7", b"99", b"\x00"]))
    file = tmp_path_factory.getbasetemp() / "mutated.txt"
    file.write_bytes(content)
    try:
        found = read_labelled_graphs(file)
    except DataFormatError:
        return
    for graph in found.graphs:
        assert 0 <= graph.tags.min() <= graph.tags.max() < len(found.tags)
        assert 0 <= graph.label < len(found.classes)
        edges = set(zip(*graph.edges.tolist(), strict=True))
        assert edges == {(j, i) for i, j in edges} and len(edges) == graph.edges.shape[1]
        assert all(0 <= i < len(graph.tags) for edge in edges for i in edge)


@pytest.mark.parametrize("cut", range(len(TEXT) - 1))
def test_a_file_that_is_cut_anywhere_never_passes_for_a_whole_one(file: Path, cut: int) -> None:
    file.write_text(TEXT[:cut])
    with pytest.raises(DataFormatError):
        read_labelled_graphs(file)


def write_folds(folder: Path, folds: list[tuple[list, list]]) -> None:
    for number, parts in enumerate(folds, 1):
        for name, part in zip(("train", "test"), parts, strict=True):
            (folder / f"{name}_idx-{number}.txt").write_text("\n".join(map(str, part)) + "\n")


def test_folds_are_read_until_a_number_is_missing(tmp_path: Path) -> None:
    write_folds(tmp_path, [([2, 1], [0]), ([0, 2], [1])])
    found = read_folds(tmp_path, 3)
    assert [(fold.train.tolist(), fold.test.tolist()) for fold in found] == [([1, 2], [0]), ([0, 2], [1])]


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        ([], "no file test_idx-1.txt"),
        ([([0, 1], [1])], "fold 1 .* graph 1 2 times"),
        ([([0, 1], [3])], "line 1 of .*test_idx-1.txt names graph 3, expected 0 to 2"),
        ([([0], [1])], "fold 1 .* graph 2 0 times"),
        ([([0, 1], [2]), ([0, 1], [2])], "the tests in .* hold graph 2 2 times"),
        ([([0, 1, "x"], [2])], "line 3 of .*train_idx-1.txt is 'x'"),
    ],
)
def test_wrong_folds_are_refused(tmp_path: Path, folds: list, words: str) -> None:
    write_folds(tmp_path, folds)
    with pytest.raises(DataFormatError, match=words):
        read_folds(tmp_path, 3)


def test_a_fold_without_its_training_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_idx-1.txt").write_text("0\n")
    with pytest.raises(DataFormatError, match=r"train_idx-1\.txt cannot be read"):
        read_folds(tmp_path, 1)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.integers(2, 10), st.integers(0, 9))
def test_stratified_folds_test_each_graph_once_and_share_out_each_class(labels: list, folds: int, seed: int) -> None:
    if folds > len(labels):
        with pytest.raises(InputError, match="the number of folds"):
            stratified_folds(labels, folds, seed)
        return
    found = stratified_folds(labels, folds, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in found])), np.arange(len(labels)))
    for train, test in found:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    for label in set(labels):
        counts = [sum(labels[i] == label for i in fold.test) for fold in found]
        assert max(counts) - min(counts) <= 1


def test_stratified_folds_depend_on_the_seed() -> None:
    labels = np.arange(40) % 2
    first, again, other = (stratified_folds(labels, 4, seed)[0].test for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_reference_sets_have_their_known_sizes(reference_data: Path) -> None:
    known = {"MUTAG": (188, 7, {0: 63, 1: 125}, 17.93, 39.59), "PROTEINS": (1113, 3, {0: 663, 1: 450}, 39.06, 145.63)}
    for name, (count, tags, classes, nodes, edges) in known.items():
        folder = reference_data / "tu" / name
        found = read_labelled_graphs(folder / f"{name}.txt")
        assert (len(found.graphs), len(found.tags)) == (count, tags)
        assert {label: int((found.labels == label).sum()) for label in classes} == classes
        assert np.mean([len(graph.tags) for graph in found.graphs]) == pytest.approx(nodes, abs=0.01)
        assert np.mean([graph.edges.shape[1] for graph in found.graphs]) == pytest.approx(edges, abs=0.01)
        folds = read_folds(folder / "10fold_idx", count)
        assert len(folds) == 10 and 0.95 * count < sum(len(fold.test) for fold in folds) <= count


def test_reading_takes_a_few_times_the_size_of_the_file(tmp_path: Path) -> None:
    nodes, near = 1000, (1, 2, 3, -1, -2, -3)
    ring = "".join(f"{i % 5} 6 {' '.join(str((i + step) % nodes) for step in near)}\n" for i in range(nodes))
    (tmp_path / "rings.txt").write_text("20\n" + f"{nodes} 0\n{ring}" * 20)
    tracemalloc.start()
    try:
        graphs = read_labelled_graphs(tmp_path / "rings.txt").graphs
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(graphs) == 20 and graphs[7].edges.shape == (2, 6 * nodes)
    assert peak < 12 * (tmp_path / "rings.txt").stat().st_size


def test_a_line_of_many_megabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled_graphs, "LARGEST_LINE", 100)
    (tmp_path / "long.txt").write_text("1\n1 0\n0 " + "9" * 200 + "\n")
    with pytest.raises(DataFormatError, match=r"line 3 of .*long\.txt has 202 characters, expected at most 100"):
        read_labelled_graphs(tmp_path / "long.txt")
