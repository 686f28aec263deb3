"""How to cite the book, and what can be carried away."""

import pathlib
import re
import sys
import tomllib
import zipfile

import yaml

import vae_edu

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "support"))
import carry  # noqa: E402

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_has_what_its_format_demands_and_the_books_title_and_version():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(CITATION)
    assert CITATION["title"] == config["title"] and CITATION["authors"] == [{"name": config["author"]}]
    assert CITATION["version"] == project["version"] == vae_edu.__version__
    assert set(CITATION["license"]) == {"MIT", "CC-BY-4.0"}


def test_in_bibtex_it_has_balanced_braces_and_the_address_if_there_is_one():
    entry = carry.bibtex("2026", "https://example.org/book")
    assert entry.count("{") == entry.count("}") and "https://example.org/book" in entry and CITATION["version"] in entry


def test_the_changes_begin_with_the_present_version():
    assert re.findall(r"^## (\S+?),", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)[0] == CITATION["version"]


def test_each_thing_to_carry_away_is_made_by_a_target_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for _, _, command in carry.CARRIED:
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE)


def test_what_was_made_is_gathered_and_the_archive_of_the_site_does_not_contain_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(carry, "ROOT", tmp_path)
    monkeypatch.setattr(carry, "BUILD", tmp_path / "_build")
    files = ["latex/" + carry.PDF, "sheets/sheet.pdf", "html/index.html", "html/carry/old.zip"]
    files += [f"slides/lecture-{lecture}.html" for lecture in (1, 2, 3)]
    for name in [f"_build/{file}" for file in files] + ["student/lab.ipynb"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    carry.main(tmp_path / "_build" / "html" / "carry")
    assert all((tmp_path / "_build/html/carry" / address).is_file() for address, *_ in carry.CARRIED)
    with zipfile.ZipFile(tmp_path / "_build/html/carry/site.zip") as site:
        names = [name for name in site.namelist() if not name.endswith("/")]
    assert names == ["variational-autoencoders-checked/index.html"]
