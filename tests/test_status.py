"""`Status`: its members cover every status that the package writes, and each explains itself."""

import ast
import json
import pickle
from itertools import pairwise
from pathlib import Path

import pytest

from sciml.status import Status

ROOT = Path(__file__).parent.parent


def names_a_status(node):
    if isinstance(node, ast.Name):
        return node.id == "status" or node.id.endswith("_status")
    if isinstance(node, ast.Attribute):
        return node.attr == "status"
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and str(node.slice.value).endswith("status")
    return False


def strings(node):
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def bare_statuses(tree):
    """Strings that a module assigns to a status, or compares one with."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value) if any(map(names_a_status, targets)):
                found |= strings(value)
            case ast.keyword(arg="status", value=value):
                found |= strings(value)
            case ast.Compare(left=left, comparators=comparators) if names_a_status(left):
                found = found.union(*map(strings, comparators))
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                own = [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "status"]
                found |= {value.value for value in own if isinstance(value, ast.Constant)}
    return found


def test_no_module_writes_a_status_as_a_bare_string():
    for path in sorted((ROOT / "sciml").rglob("*.py")):
        found = bare_statuses(ast.parse(path.read_text(encoding="utf-8")))
        assert not found, f"{path.relative_to(ROOT)} writes {found}; take the member of sciml.status.Status"


def test_the_search_for_bare_statuses_finds_them():
    source = 'status = "a"\nx.status = "b" if y else "c"\nf(status="d")\nx.status == "e"\nr["white_status"] in ("f",)\n'
    assert bare_statuses(ast.parse(source + 'd = {"status": "g"}')) == set("abcdefg")


def published_statuses(value):
    if isinstance(value, dict):
        own = {text for key, text in value.items() if key.endswith("status") and isinstance(text, str)}
        return own.union(*map(published_statuses, value.values()))
    return set().union(*map(published_statuses, value)) if isinstance(value, list) else set()


def test_every_status_in_the_published_results_is_a_member():
    found = set()
    for path in (ROOT / "datasets" / "results").glob("*.json"):
        found |= published_statuses(json.loads(path.read_text(encoding="utf-8")))
    assert found >= {"converged", "time"}
    assert found <= set(Status)


@pytest.mark.parametrize("status", Status)
def test_each_status_says_in_a_sentence_what_it_means_and_what_to_do(status):
    for sentence in (status.meaning, status.remedy):
        assert sentence[0].isupper() and sentence.endswith(".") and len(sentence.split()) >= 4


def test_a_status_is_written_and_read_as_the_string_it_always_was():
    assert json.dumps({"status": Status.MAXITER}) == '{"status": "maxiter"}'
    assert f"{Status.FALLBACK}" == "fallback" and repr(Status.FALLBACK) == "'fallback'"
    assert Status("diverged") is Status.DIVERGED and pickle.loads(pickle.dumps(Status.TIME)) is Status.TIME
    with pytest.raises(ValueError, match="not a valid Status"):
        Status("fine")


def test_the_worst_of_several_outcomes_is_that_of_the_hardest_failure():
    order = ["converged", "fallback", "stagnated", "maxiter", "diverged"]
    for better, worse in pairwise(order):
        assert Status.worst([worse, better]) is Status.worst([better, worse]) is Status(worse)
    assert Status.worst(["finished"]) is Status.FINISHED


def test_success_is_what_met_the_tolerance_or_ran_to_its_end():
    assert {status for status in Status if status.success} == {"finished", "converged", "fallback"}


def test_no_two_outcomes_have_the_same_meaning_and_failures_have_remedies_of_their_own():
    assert len({status.meaning for status in Status}) == len(Status)
    assert len({status.remedy for status in Status if not status.success}) == sum(not s.success for s in Status)
