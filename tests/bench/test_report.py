"""Numbers are written as they are, failures are called so, and a page is made of its parts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.bench.report import Check, Part, Section, check_table, error_shown, memory_shown, shown, span, times_shown
from sciml.bench.results import Results, middle, smallest


def test_a_range_is_shown_only_where_the_values_differ_as_printed() -> None:
    assert shown([0.1, 0.3, 0.2], "{:.1f}".format) == "0.2 (0.1 to 0.3)"
    assert shown([0.11, 0.12], "{:.1f}".format) == "0.1"
    assert shown([1.0, math.inf, 2.0], "{:g}".format) == "2 (1 to failed)"
    assert shown([math.inf], "{:.2f}x".format) == "failed"
    assert shown([math.inf], lambda value: "not reached" if math.isinf(value) else "") == "not reached"
    assert shown([]) == "–"


@given(st.floats(1e-4, 1e6))
def test_a_ratio_has_two_digits_whatever_its_size(ratio: float) -> None:
    text = times_shown(ratio)
    assert text.endswith("x") and float(text[:-1].replace(",", "")) == pytest.approx(ratio, rel=0.051)
    assert len(text.rstrip("x").replace(",", "").replace(".", "").strip("0")) <= 2


def test_ratios_and_errors_are_short() -> None:
    assert list(map(times_shown, (0.0144, 0.2, 3.25, 12_345.0, 0.0, math.inf))) == [
        "0.014x",
        "0.20x",
        "3.2x",
        "12,000x",
        "0x",
        "–",
    ]
    assert list(map(error_shown, (3.4e-2, 1.0, 2.5e-13, 4e12))) == ["3.4e-2", "1.0e0", "2.5e-13", "4.0e+12"]
    assert [memory_shown(size) for size in (None, 12.0, 3.6e6)] == ["–", "12 B", "3.6 MB"]
    assert [span(values) for values in ([], [3], [0, 1, 2])] == ["none", "3", "0 to 2"]


def test_columns_without_entries_are_left_out_and_limits_only_if_they_are_asked_for() -> None:
    lower = Check("speed", "≥ 2x", "", [Part([2.5], 2.0, None)], seconds=[0.5])
    upper = Check("error", "≤ 1", "0.5", [Part([1.5], 1.0, 0.5, most=True)], paper="3")
    table = check_table([lower, upper]).splitlines()
    assert table[0] == "| quantity | must | goal | paper | measured: median (range) | met | CPU time [s] |"
    assert table[2] == "| speed | ≥ 2x | – | – | 2.5 | yes | 0.5 |"
    assert table[3] == "| error | ≤ 1 | 0.5 | 3 | 1.5 | **no** | – |"
    assert (
        check_table([lower], limits=False).splitlines()[0] == "| quantity | measured: median (range) | CPU time [s] |"
    )


def test_a_section_has_its_note_as_a_sentence_on_a_page_and_in_line_in_the_terminal() -> None:
    section = Section("Growth", "| a |", "iterations at twice the size")
    assert section.on_page() == "## Growth\n\nIterations at twice the size.\n\n| a |"
    assert section.text() == "**Growth**: iterations at twice the size\n\n| a |"
    assert Section("Growth", "| a |").on_page() == "## Growth\n\n| a |"


def test_results_are_selected_by_their_properties_and_ranked_by_their_medians() -> None:
    jobs = {
        f"{name}/{seed}": {
            "group": "g",
            "method": name,
            "kind": kind,
            "title": name,
            "error": error,
            "seed": seed,
        }
        for name, kind, errors in (
            ("a", "classical", (1.0, 5.0, 3.0)),
            ("b", "classical", (2.0, 2.0, 9.0)),
            ("c", "ours", (0.1, 0.1, 0.1)),
            ("d", "classical", (None, None, None)),
        )
        for seed, error in enumerate(errors)
    }
    results = Results({"jobs": jobs, "plan": {}}, {"a/0": "A"})
    assert [run["seed"] for run in results.runs("g", "b")] == [0, 1, 2]
    assert results.select("g", seed=0, kind="ours") == [jobs["c/0"]] and results.select("h") == []
    assert results.best("g", ("error",))[0]["method"] == "b"
    assert results.best("g", ("error",), limit=lambda runs: runs[0]["method"] != "b")[0]["title"] == "A"
    assert results.best("g", ("error",), kind="peer") == [] and smallest([], ("error",)) == []
    assert middle([]) == math.inf
