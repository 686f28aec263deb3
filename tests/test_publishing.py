"""Publishing: the workflow, the buttons that lead to the repository, the copies for Colab, the environment for Binder."""

import copy
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from sphinx.errors import ConfigError

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "support"))
import colab  # noqa: E402
import repository  # noqa: E402

ADDRESS = "https://github.com/owner/name"
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text(encoding="utf-8"))
BINDER = ROOT / ".binder"

NO_ADDRESS = [
    "git@github.com:owner/name",
    "file:///owner/name",
    "https://github.com",
    "https://github.com/owner",
    "https://user:secret@github.com/owner/name",
    'https://github.com/owner/na"me',
    "https://github.com/owner/name; ls",
    "https://github.com/owner/$(ls)",
    "https://github.com/owner/name\n",
    "--upload-pack=ls",
]


# The workflow


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_which_version_that_is(path):
    uses = re.findall(r"uses: *(.+)", path.read_text(encoding="utf-8"))
    assert uses
    assert [action for action in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []


def test_the_workflow_runs_every_chapter_under_colabs_versions_and_at_the_lower_bounds():
    job = WORKFLOW["jobs"]["versions"]
    (command,) = [step["run"] for step in job["steps"] if "run" in step]
    assert command == "make chapters-under VERSIONS=.ci/${{ matrix.versions }}.txt"
    ran = {entry["versions"]: entry["python"] for entry in job["strategy"]["matrix"]["include"]}
    assert ran == {"colab": "3.13", "lowest": "3.11"}
    assert WORKFLOW["jobs"]["pages"]["needs"] == WORKFLOW["jobs"]["colab"]["needs"] == ["book", "versions"]


def test_what_is_published_was_made_with_everything_to_carry_away():
    steps = WORKFLOW["jobs"]["book"]["steps"]
    runs = [step.get("run", step.get("uses", "").partition("@")[0]).rstrip() for step in steps]
    assert runs.index("make test") < next(k for k, run in enumerate(runs) if run.endswith("make carry")) < len(runs) - 1
    assert runs[-1] == "actions/upload-pages-artifact"
    (packages,) = re.findall(r"install --no-install-recommends (texlive-xetex.*)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert packages.split() == re.search(r"no-install-recommends(.*)\n *make carry", "\n".join(runs), re.DOTALL)[1].replace("\\", "").split()


def bounds(lines):
    return dict(re.match(r"([\w-]+)[=>]=([\d.]+)", line).groups() for line in lines if re.match(r"[\w-]+[=>]=", line))


def test_the_lowest_versions_are_the_lower_bounds_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lower = bounds([*project["dependencies"], *sum(project["optional-dependencies"].values(), [])])
    lowest = bounds((ROOT / ".ci" / "lowest.txt").read_text(encoding="utf-8").splitlines())

    def number(version):
        return tuple(map(int, f"{version}.0.0".split(".")[:3]))

    assert {name: number(version) for name, version in lowest.items()} == {name: number(v) for name, v in lower.items()}


def test_colabs_versions_are_within_the_bounds_of_the_package():
    colab_has = bounds((ROOT / ".ci" / "colab.txt").read_text(encoding="utf-8").splitlines())
    lowest = bounds((ROOT / ".ci" / "lowest.txt").read_text(encoding="utf-8").splitlines())
    assert set(lowest) <= set(colab_has)
    assert all([*map(int, colab_has[name].split("."))] >= [*map(int, low.split("."))] for name, low in lowest.items())


def test_the_package_does_not_refuse_the_next_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"


# make


def recipes():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.lstrip("\t@!- ") for line in makefile.splitlines() if line.startswith("\t")]


def test_recipes_name_their_programs_in_full_since_an_old_make_does_not_export_its_path():
    ours = re.compile(r"(?:^|[|&;]\s*)(pip|python3?|pytest|jupyter(?:-book)?)\s")
    assert len(recipes()) > 15
    assert [line for line in recipes() if ours.search(line)] == []


def test_the_workflow_builds_and_tests_as_a_reader_does_with_small_wheels():
    job = WORKFLOW["jobs"]["book"]
    assert {"make book", "make test"} < {step.get("run") for step in job["steps"]}
    assert job["env"]["TORCH_INDEX_URL"] == "https://download.pytorch.org/whl/cpu"


def test_the_workflow_may_write_only_after_the_tests_passed_and_never_for_a_pull_request():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    writing = {name: job for name, job in WORKFLOW["jobs"].items() if "permissions" in job}
    assert {name: job["permissions"] for name, job in writing.items()} == {
        "pages": {"pages": "write", "id-token": "write"},
        "colab": {"contents": "write"},
    }
    assert all("book" in job["needs"] and job["if"] == "github.event_name != 'pull_request'" for job in writing.values())


def test_the_workflow_takes_the_address_from_the_repository_that_runs_it():
    assert WORKFLOW["env"] == {
        "BOOK_REPOSITORY": "${{ github.server_url }}/${{ github.repository }}",
        "BOOK_BRANCH": "${{ github.event.repository.default_branch }}",
        "BOOK_SITE": "https://${{ github.repository_owner }}.github.io/${{ github.event.repository.name }}/",
    }


def test_the_workflow_pushes_the_copies_as_a_branch_without_history(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        return subprocess.run(["git", *identity, *arguments], cwd=clone, check=True, capture_output=True, text=True).stdout

    clone, remote = tmp_path / "clone", tmp_path / "remote"
    (clone / "book" / "support").mkdir(parents=True)
    support = [ROOT / "book" / "support" / f"{name}.py" for name in ("cells", "colab", "copies")]
    for path in [*NOTEBOOKS[:2], *support, ROOT / "book" / "references.bib", ROOT / "_toc.yml"]:
        (clone / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    git("init", "--quiet", "--bare", str(remote))
    git("init", "--quiet")
    git("remote", "add", "origin", str(remote))
    git("add", ".")
    git("commit", "--quiet", "--message", "the book")
    (script,) = [step["run"] for step in WORKFLOW["jobs"]["colab"]["steps"] if "run" in step]
    env = os.environ | {"BOOK_REPOSITORY": ADDRESS, "RUNNER_TEMP": str(tmp_path), "GITHUB_SHA": "0" * 40}
    subprocess.run(["bash", "-e", "-c", script], cwd=clone, env=env, check=True)
    branch = f"origin/{repository.COLAB_BRANCH}"
    git("fetch", "--quiet")
    assert git("ls-tree", "-r", "--name-only", branch).split() == [str(path.relative_to(ROOT)) for path in NOTEBOOKS[:2]]
    assert git("rev-list", "--count", branch).strip() == "1"
    assert ADDRESS in git("show", f"{branch}:book/{NOTEBOOKS[0].name}")


# The buttons


@pytest.fixture
def options(monkeypatch):
    """options(address): what the theme is told."""

    def options(address):
        monkeypatch.setenv("BOOK_REPOSITORY", address)
        config = SimpleNamespace(html_theme_options={"repository_url": ""})
        repository.add_options(None, config)
        return config.html_theme_options

    return options


def test_outside_of_github_com_there_is_the_repository_button_alone(options):
    told = options("https://git.example.org/group/owner/name/")
    assert told["repository_url"] == "https://git.example.org/group/owner/name"
    assert told["use_repository_button"] and "launch_buttons" not in told


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_what_is_no_address_stops_the_build_and_says_so(options, address):
    with pytest.raises(ConfigError, match="BOOK_REPOSITORY: a repository's address looks like https://github.com/owner/name"):
        options(address)


# The copies for Colab


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_copy_is_the_stored_notebook_after_one_more_cell(path):
    stored = json.loads(path.read_text(encoding="utf-8"))
    prepared = colab.prepare(copy.deepcopy(stored), ADDRESS)
    nbformat.validate(nbformat.from_dict(prepared))
    assert prepared["cells"][1:] == stored["cells"]  # which copies.py has written out before
    assert {key: prepared[key] for key in prepared if key != "cells"} == {key: stored[key] for key in stored if key != "cells"}
    assert ADDRESS in prepared["cells"][0]["source"] and ADDRESS not in str(stored)


@pytest.fixture
def run_first_cell(monkeypatch, tmp_path):
    """run_first_cell(installed): the commands that it runs, in an empty folder, without running them."""
    (cell, *_) = colab.prepare({"cells": []}, ADDRESS)["cells"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run_first_cell(installed):
        commands = []
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed and name == "vae_edu" else None)
        monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append([str(part) for part in command]))
        exec(cell["source"], {})
        return commands

    return run_first_cell


def test_where_the_package_is_there_the_first_cell_does_nothing(run_first_cell, tmp_path):
    before = list(sys.path)
    assert run_first_cell(installed=True) == []
    assert sys.path == before and list(tmp_path.iterdir()) == []


def test_on_colab_the_first_cell_fetches_the_book_and_installs_its_package(run_first_cell, tmp_path):
    folder = str(tmp_path / "name")
    assert run_first_cell(installed=False) == [
        ["git", "clone", "--quiet", "--depth=1", ADDRESS, folder],
        [sys.executable, "-m", "pip", "install", "--quiet", "--editable", f"{folder}[book]"],
    ]
    assert sys.path[-1] == folder


def test_after_an_install_that_failed_the_first_cell_can_run_again(run_first_cell, tmp_path):
    (tmp_path / "name").mkdir()
    assert [command[0] for command in run_first_cell(installed=False)] == [sys.executable]


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_no_copy_is_made_for_what_is_no_address(address):
    with pytest.raises(ValueError, match="a repository's address looks like"):
        colab.prepare({"cells": []}, address)


def test_what_the_chapters_import_is_what_the_extra_book_installs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    installed = {re.match(r"[\w-]+", line)[0] for line in [*project["dependencies"], *sum(extras.values(), [])]}
    cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    imported = {name for cell in cells for name in re.findall(r"^\s*(?:from|import) (\w+)", cell.source, re.MULTILINE)}
    names = importlib.metadata.packages_distributions()
    assert {names[name][0] for name in imported - sys.stdlib_module_names - {"vae_edu"}} - installed == set()
    assert extras["book"][0] == f"vae-edu[{','.join(name for name in extras if name != 'book')}]"


# The environment for Binder


def test_binder_installs_the_same_pins_from_cpu_wheels_and_the_package():
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        f"--extra-index-url {WORKFLOW['jobs']['book']['env']['TORCH_INDEX_URL']}",
        "-c ../requirements.txt",
        "-c ../constraints.txt",
        *["numpy", "torch", "tqdm", "matplotlib", "scikit-learn", "scipy", "ipywidgets", "jupyterlab_myst"],
    ]
    assert os.access(BINDER / "postBuild", os.X_OK)
    assert "pip install --no-cache-dir --no-deps --editable ." in (BINDER / "postBuild").read_text(encoding="utf-8")


def test_binder_runs_a_python_that_the_workflow_tests():
    version = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert version in WORKFLOW["jobs"]["book"]["strategy"]["matrix"]["python"]
