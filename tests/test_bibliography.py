"""The bibliography: uniform entries, each of them cited, each citation known."""

import pathlib
import re
from collections import Counter

import nbformat
from pybtex.database import parse_file

BOOK = pathlib.Path(__file__).parents[1] / "book"
ENTRIES = parse_file(str(BOOK / "references.bib")).entries
UNLINKED = {"hoffman2016"}  # a workshop without proceedings


def cited():
    pages = [path.read_text(encoding="utf-8") for path in BOOK.glob("*.md")]
    for path in BOOK.glob("[!.]*.ipynb"):
        pages += [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    keys = re.findall(r"\{cite:[pt]\}`([^`]+)`", "\n".join(pages))
    return {key.strip() for group in keys for key in group.split(",")}


def test_what_is_cited_is_listed_and_what_is_listed_is_cited():
    assert cited() == set(ENTRIES)


def test_every_entry_leads_to_a_place_on_the_net():
    assert {key for key, entry in ENTRIES.items() if not {"doi", "eprint", "url"} & set(entry.fields)} == UNLINKED


def test_entries_are_of_one_form():
    for key, entry in ENTRIES.items():
        assert re.match(r"[a-z]+\d{4}", key) and entry.fields["year"] == re.search(r"\d{4}", key)[0], key
        assert entry.persons["author"] and "note" not in entry.fields, key
        assert ("eprint" in entry.fields) == ("archiveprefix" in entry.fields), key
        assert re.fullmatch(r"\d{4}\.\d{4,5}", entry.fields.get("eprint", "1312.6114")), key
        assert re.fullmatch(r"10\.\d{4,}/\S+", entry.fields.get("doi", "10.1000/x")), key
    assert [doi for doi, n in Counter(entry.fields.get("doi") for entry in ENTRIES.values()).items() if doi and n > 1] == []
