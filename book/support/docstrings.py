"""Sphinx extension for the page of the package: its docstrings, with links to the equations that they name."""

import re


def link_equations(app, what, name, obj, options, lines):
    """`Book: (label)` in a docstring leads to the equation."""
    for i, line in enumerate(lines):
        if "Book:" in line:
            lines[i] = re.sub(r"Book: \(([a-z0-9-]+)\)", r"Book: :eq:`\1`", line)


def skip(app, what, name, obj, skipped, options):
    """Fields of named tuples, which their class's docstring tells, and what PyTorch says of forward."""
    return skipped or name == "forward" or type(obj).__name__ == "_tuplegetter"


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.config.autodoc_default_options = {"members": True, "member-order": "bysource"}
    app.config.autodoc_typehints = "none"
    app.config.add_module_names = False
    app.connect("autodoc-process-docstring", link_equations)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
