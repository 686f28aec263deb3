"""Bugs that VAE code really ships with, each put into the program of chapter 9 by one changed line: checkup names it."""

import pathlib
import re

import nbformat
import pytest
import torch
from torch.distributions import Normal

from vae_edu import data
from vae_edu.adapted import adapt
from vae_edu.checkup import checkup

BOOK = pathlib.Path(__file__).parents[1] / "book"
SHOWN = [cell.source for cell in nbformat.read(BOOK / "09_vae.ipynb", as_version=4).cells if cell.cell_type == "code"]
PROGRAM = "\n\n\n".join(next(cell for cell in SHOWN if start in cell and not cell.startswith("starts")) for start in ("def network(", "class TinyVAE", "def train("))
X = data.digits().x[:300]

BUGS = {  # a line's part, what stands there instead, and what the report says of it
    "squared error averaged over pixels": ("self.decoder(z)) ** 2).sum(-1)", "self.decoder(z)) ** 2).mean(-1)", "loss", "A mean over 64 pixels"),
    "KL averaged over latents": ("- 2 * log_s - 1).sum(-1)", "- 2 * log_s - 1).mean(-1)", "loss", "the KL a mean over 8 latents"),
    "no ½ in the KL": ("kl = 0.5 * (mu**2", "kl = (mu**2", "loss", "a ½ missing in the KL"),
    "no ½ before the squared error": ("squares / (2 * self.sigma**2)", "squares / self.sigma**2", "loss", "a ½ missing before the squared"),
    "no ½ before μ²": ("(mu**2 + (2", "(2 * mu**2 + (2", "loss", "the ½ before ‖μ‖² is missing"),
    "log-std as log-variance in the KL": ("(2 * log_s).exp() - 2 * log_s", "log_s.exp() - log_s", "loss", "a log-std for a log-variance"),
    "log-variance as log-std in the KL": ("(2 * log_s).exp() - 2 * log_s", "(4 * log_s).exp() - 4 * log_s", "loss", "a log-variance for a log-std"),
    "m for 2": ("- 2 * log_s - 1", "- self.m * log_s - 1", "loss", "m = 8 where 2 belongs"),
    "KL subtracted": ("kl = 0.5", "kl = -0.5", "loss", "wrong sign"),
    "KL left out": ("kl = 0.5", "kl = 0.0", "loss", "The KL is not in it"),
    "KL summed over the batch": ("- 1).sum(-1)", "- 1).sum()", "loss", "summed over the batch of 256"),
    "σ left at 1": ("sigma=0.15", "sigma=1.0", "loss", "more than the data have in any direction"),
    "no draw": ("z = mu + log_s.exp() * epsilon", "z = mu + 0 * epsilon", "draw", "always the mean"),
    "variance as standard deviation": ("z = mu + log_s.exp()", "z = mu + (2 * log_s).exp()", "draw", "A variance is used as a standard"),
    "exp forgotten": ("z = mu + log_s.exp()", "z = mu + log_s", "draw", "exp is forgotten"),
    "uniform noise": ("epsilon = torch.randn(", "epsilon = torch.rand(", "draw", "uniform"),
    "one ε for the batch": ("torch.randn(mu.shape, ", "torch.randn(self.m, ", "draw", "shared by the whole batch"),
    "the same ε at each call": ("generator=generator)\n        z", "generator=torch.Generator().manual_seed(0))\n        z", "draw", "frozen"),
    "z detached": ("* epsilon  #", "* epsilon; z = z.detach()  #", "draw", "teaches the encoder nothing"),
    "a ReLU behind the encoder": (
        "mu, log_s = self.encoder(x)", "mu, log_s = self.encoder(x).relu()", "mean of q", "ends with a ReLU"),
}  # fmt: skip


def examined(program, x=X, epochs=4, seed=0):
    space = {"__name__": "alone"}
    exec(program, space)
    torch.manual_seed(seed)
    vae = space["TinyVAE"](64, 8)
    space["train"](vae, x, epochs)
    relu = ".relu()" in program
    q = lambda x: (vae.encoder(x).relu() if relu else vae.encoder(x)).chunk(2, -1)  # noqa: E731
    generator = torch.Generator().manual_seed(1)
    loss = lambda x: sum(vae.terms(x, generator)).mean()  # noqa: E731
    model = adapt(vae, q, lambda z: Normal(vae.decoder(z), vae.sigma), spread="log_std", shape=(64,))
    return {finding.name: finding for finding in checkup(model, x, loss=loss, generator=generator)}


def test_the_program_as_it_is_has_no_fault():
    found = examined(PROGRAM, epochs=30)
    assert [str(finding) for finding in found.values() if finding.verdict in {"wrong", "undecided"}] == []
    assert "an ELBO with σ = 0.15." in found["loss"].meaning


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_of_one_line_is_named(bug):
    line, instead, name, words = BUGS[bug]
    assert PROGRAM.count(line) == 1
    finding = examined(PROGRAM.replace(line, instead))[name]
    assert finding.verdict in {"wrong", "note"} and re.search(words, str(finding)), finding


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("epochs", [1, 4])
def test_a_forgotten_exp_is_told_from_a_variance_whatever_the_weights(seed, epochs):
    for bug in ("exp forgotten", "variance as standard deviation"):
        line, instead, name, words = BUGS[bug]
        assert re.search(words, str(examined(PROGRAM.replace(line, instead), epochs=epochs, seed=seed)[name]))


def test_pixels_up_to_16_are_named_before_anything_else():
    assert examined(PROGRAM, 255 * X, epochs=1)["scale of x"].verdict == "wrong"


def test_the_museum_in_the_book_has_the_same_program():
    cells = nbformat.read(BOOK / "16_when_it_goes_wrong.ipynb", as_version=4).cells
    assert PROGRAM in next(cell.source for cell in cells if cell.source.startswith("program = "))
