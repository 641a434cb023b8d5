"""Tables in plain text are aligned, and leave out what is not known."""

from __future__ import annotations

from sciml.tables import summary


def test_values_start_in_one_column_and_further_lines_of_a_value_are_below_its_first():
    lines = summary("Solver", {"frame": "Ale", "rounds": 3, "problem": "Convection\nspeed 50"}).splitlines()
    assert lines[0] == "Solver" and len(lines) == 5
    assert {line.index(word) for line, word in zip(lines[1:], ("Ale", "3", "Conv", "speed"), strict=True)} == {12}


def test_numbers_are_rounded_flags_are_words_and_rows_without_a_value_are_left_out():
    text = summary("A", {"value": 0.1234567891, "periodic": True, "convex": False, "unknown": None, "text": ""})
    assert text == "A\n  value      0.123457\n  periodic   yes\n  convex     no\n  text"
