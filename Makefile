# make book · slides · sheets · pdf · carry · serve · lab · student · notebooks · test · check · bench · chapters-under · clean
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
READY := .venv/ready
JOBS ?= 2
# For what a recipe's programs start themselves. The recipes name their programs in full: the make of macOS (3.81) looks for
# them in the PATH that it was started with.
export PATH := $(BIN):$(PATH)
# one thread: trained numbers then do not depend on how many cores a machine has
export OMP_NUM_THREADS := 1

.PHONY: book slides sheets pdf tex carry serve lab student notebooks test check bench chapters-under clean

book: $(READY)
	$(BIN)/jupyter-book build --all -W -n --keep-going .  # all: a change of the style sheet alone would not be noticed
	@echo "Open file://$(CURDIR)/_build/html/index.html, or run 'make serve'."

slides: $(READY)  ## the lectures' slides, from the cells that the chapters tag
	$(BIN)/python book/support/slides.py _build/slides

sheets: $(READY)  ## the exercise sheet and the key with exam problems, as PDF
	$(BIN)/python book/support/sheets.py _build/sheets

PDF := variational-autoencoders-checked
pdf: tex $(READY)
	$(BIN)/jupyter-book build --all -W -n --keep-going --builder latex .
	@$(MAKE) -C _build/latex LATEXMKOPTS="-xelatex -quiet -interaction=nonstopmode -halt-on-error" $(PDF).pdf \
	  || { grep -A 8 "^!" _build/latex/$(PDF).log; exit 1; }
	@! grep "^Missing character" _build/latex/$(PDF).log  # a letter that would be invisible
	@echo "Open file://$(CURDIR)/_build/latex/$(PDF).pdf"

TEXFILES := titlesec.sty tcolorbox.sty pzdr.tfm lmroman10-regular.otf texgyrepagella-regular.otf texgyrepagella-math.otf DejaVuSansMono-Oblique.ttf
tex:
	@command -v latexmk >/dev/null && command -v xelatex >/dev/null && kpsewhich $(TEXFILES) >/dev/null \
	  || { echo "make pdf needs XeLaTeX:"; grep "apt install.*xetex" README.md; exit 1; }

carry: $(READY)  ## the site with all that it offers to carry away: PDF, slides, sheet, students' copies, an archive of itself
	BOOK_CARRY=1 $(MAKE) book
	$(MAKE) slides sheets student pdf
	$(BIN)/python book/support/carry.py _build/html/carry

serve: _build/html/index.html
	@echo "Open http://localhost:8000 (Ctrl-C stops)."
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

_build/html/index.html: $(wildcard book/*.ipynb book/*.md book/support/*.py book/support/static/book.*) _config.yml _toc.yml
	@$(MAKE) book

lab: $(READY)
	$(BIN)/jupyter lab book

student: $(READY)  ## the notebooks without their solutions, for a course
	$(BIN)/python book/support/copies.py student
	@echo "The notebooks in student/ have no solutions; their answer cells check as in the book."

notebooks: $(READY)  ## re-execute every chapter, or those named: make notebooks CHAPTERS="book/01_autoencoder.ipynb"
	$(BIN)/python book/support/notebooks.py $(CHAPTERS)

PYTEST := $(BIN)/pytest -n $(JOBS) --dist loadfile --durations 10

# one run for all: while one worker waits for the site to be built, the other does not
test: $(READY)
	$(PYTEST) tests book --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg --no-loadscope-reorder

check: $(READY)  ## the unit tests without those that take seconds: while one works on the package
	$(PYTEST) tests --ignore tests/site -m "not slow"

# Half an hour, with nothing beside it. The peers are installed beside the book's environment, which they see.
bench: $(READY)
	@$(PYTHON) -m venv .venv-bench
	@$(BIN)/python -c "import site; print('import site; site.addsitedir(%r)' % site.getsitepackages()[0])" \
	  > "$$(.venv-bench/bin/python -c 'import site; print(site.getsitepackages()[0])')/book.pth"
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	for name in epoch growth budget pictures; do .venv-bench/bin/python benchmarks/$$name.py || exit 1; done

# Every chapter's code under other versions, in an environment of its own: make chapters-under VERSIONS=.ci/lowest.txt
VERSIONS ?= .ci/lowest.txt
OTHER := .venv-$(basename $(notdir $(VERSIONS)))
chapters-under:
	@$(PYTHON) -m venv $(OTHER)
	$(OTHER)/bin/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL)) -r $(VERSIONS)
	$(OTHER)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(OTHER)/bin/python .ci/run_chapters.py

# The environment: built when missing, updated when one of these files changes.
# TORCH_INDEX_URL: PyTorch's index of CPU builds; README says when to set it.
$(READY): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python3 -m venv failed: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL)) -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

clean:
	rm -rf _build .venv .venv-* student
