"""Sphinx extension: repository, Colab and Binder buttons, where the build is told the repository's address.

BOOK_REPOSITORY is the address and BOOK_BRANCH the branch; the publishing workflow sets them. Without them no button appears.
"""

import os

import colab
from sphinx.errors import ConfigError

COLAB_BRANCH = "colab"  # where the workflow puts what colab.py writes


def add_options(app, config):
    """Tell the theme the address. Colab and Binder know repositories on github.com."""
    address = os.environ.get("BOOK_REPOSITORY", "").rstrip("/")
    if not address:
        return
    try:
        colab.parse(address)
    except ValueError as error:
        raise ConfigError(f"BOOK_REPOSITORY: {error}") from error
    config.html_theme_options |= {
        "repository_url": address,
        "repository_branch": os.environ.get("BOOK_BRANCH", "main"),
        "repository_provider": "github",  # also where GitHub runs under another name
        "use_repository_button": True,
    }
    if address.startswith("https://github.com/"):
        config.html_theme_options["launch_buttons"] = {
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
            "notebook_interface": "jupyterlab",
        }


def open_prepared_copy(app, pagename, templatename, context, doctree):
    """Colab's button opens the copy that installs the package first."""
    branch = app.config.html_theme_options.get("repository_branch")
    for button in [button for group in context["header_buttons"] for button in group.get("buttons", [])]:
        if button["text"] == "Colab":
            button["url"] = button["url"].replace(f"/blob/{branch}/", f"/blob/{COLAB_BRANCH}/")


def setup(app):
    app.connect("config-inited", add_options)
    app.connect("html-page-context", open_prepared_copy, priority=900)  # after the theme's
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
