"""The page of ``sciml demo``: whole in itself, safe, and readable without its pictures."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from sciml.bench.chapters import Picture, Story, Table
from sciml.cli.demo_report import Entry, report_page

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOSTILE = """<script>alert("x & 'y'")</script>"""
ENVIRONMENT = {"command": f"sciml demo {HOSTILE}", "cores": 2, "sciml": "0.1", "packages": {"numpy": "2", "tbb": None}}
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Tags with their attributes, the text, and whether every tag is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def story(tmp_path) -> Story:
    path = tmp_path / 'a "quoted" <b>.png'
    path.write_bytes(PNG)
    return Story(
        summary=f"An error of 8.7e-07 after 3 s {HOSTILE}",
        text=["Nothing of run-1e-5x is a number."],
        tables=[Table(("method", "error"), [(HOSTILE, "1.5e-08"), ("theirs", 0.25)], "A table")],
        pictures=[Picture(path, f"A picture {HOSTILE}", "Its caption")],
        commands={f"sciml demo '{HOSTILE}' task.tolerance=1e-12": "repeats it"},
        files={path: "the picture"},
    )


def page_of(*entries: Entry) -> str:
    return report_page(entries, ENVIRONMENT, 130.0)


def test_the_page_asks_for_nothing_outside_of_itself(story):
    page = page_of(Entry("one", "One", "About", story))
    reader = Reader(page)
    assert "http" not in page and "url(" not in page and "@import" not in page
    assert {"link", "script", "iframe", "object"}.isdisjoint(tag for tag, _ in reader.tags)
    assert [image["src"] for image in reader.all("img")] == ["data:image/png;base64," + base64.b64encode(PNG).decode()]
    assert all(link["href"].startswith("#") for link in reader.all("a"))


def test_names_and_texts_stay_text_whatever_is_in_them(story):
    reader = Reader(page_of(Entry("one", HOSTILE, HOSTILE, story, HOSTILE)))
    assert not reader.all("script") and not reader.all("b")
    assert reader.text.count(HOSTILE) >= 7
    assert reader.all("img")[0]["alt"] == f"A picture {HOSTILE}"


def test_the_page_can_be_read_without_looking_at_it(story):
    reader = Reader(page_of(Entry("one", "One", "About", story), Entry("two", "Two", "About", problem="It broke.")))
    assert reader.all("html")[0]["lang"] == "en"
    assert all(image["alt"] for image in reader.all("img"))
    headings = [int(tag[1]) for tag, _ in reader.tags if tag in ("h1", "h2", "h3")]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert {attributes["scope"] for attributes in reader.all("th")} == {"col", "row"}
    assert [link["href"] for link in reader.all("a")] == ["#one", "#two"]
    assert {section["id"] for section in reader.all("section")} == {"one", "two"}


def test_powers_of_ten_are_set_as_such_in_prose_and_left_alone_in_commands(story):
    reader = Reader(page_of(Entry("one", "One", "About", story)))
    assert "8.7 × 10−7" in reader.text and "1.5 × 10−8" in reader.text
    assert "run-1e-5x" in reader.text and "tolerance=1e-12" in reader.text
    assert len(reader.all("sup")) == 3, "the summary stands in the contents, too"


def test_a_chapter_that_failed_says_why_and_is_counted(story):
    page = page_of(Entry("one", "One", "About", story), Entry("two", "Two", "About", problem="RuntimeError: no luck"))
    text = Reader(page).text
    assert "1 of 2 chapters, 2 min 10 s of wall time on 2 cores." in text
    assert text.count("RuntimeError: no luck") == 2
    assert "Two" in text


def test_provenance_leaves_out_packages_that_are_not_there():
    text = Reader(page_of()).text
    assert "numpy 2" in text and "tbb" not in text
