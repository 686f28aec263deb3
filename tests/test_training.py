"""fit: it learns, repeats itself, keeps what is frozen, and says what is wrong in the reader's terms."""

import copy
import math
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
import tqdm.notebook
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from torch import nn

from vae_edu import VAE, Autoencoder, Decoder, Encoder, GaussianEncoder, MapLatent, VariationalLatent, data, fit
from vae_edu.training import History

ROOT = pathlib.Path(__file__).parents[1]
STAGES = [Autoencoder, MapLatent, VariationalLatent, VAE]
any_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def build(stage, x, m=2, hidden=(16,), sigma_dec=0.2, **options):
    """A stage for the data x (N, d)."""
    generator, d = seeded(), x.shape[1]
    decoder = Decoder(m, d, hidden, sigma_dec=sigma_dec, generator=generator, **options)
    if stage in (MapLatent, VariationalLatent):
        return stage(decoder, len(x), generator=generator)
    return stage((Encoder if issubclass(stage, Autoencoder) else GaussianEncoder)(d, m, hidden, generator=generator), decoder)


def squared_error(x, rebuilt):
    return ((x - rebuilt.detach()) ** 2).sum(-1).mean().item()


def parameters(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same(before, after):
    return all(torch.equal(before[name], after[name]) for name in before)


X = data.curve_toy(20, 0.1, seeded())[0]  # (20, 2)


class Probe(nn.Module):
    """Stands in for a stage. Every gradient is 1, so that Adam's step is the learning rate; the loss is the mean of x."""

    loss_label = "probe"

    def __init__(self, n_points):
        super().__init__()
        self.decoder = Decoder(1, 1, sigma_dec=1.0, generator=seeded())
        self.z, self.n_points = nn.Parameter(torch.zeros(1)), n_points
        self.batches, self.latent, self.bias = [], [], []  # as the loss meets them

    def loss(self, x, index, generator):
        assert torch.equal(x[:, 0], index.float())  # row i holds the number i
        self.batches.append(index)
        self.latent.append(self.z.item())
        self.bias.append(self.decoder.net[0].bias.item())
        ones = self.z.sum() + self.decoder.net[0].bias.sum()
        return x.mean() + ones - ones.detach()


def numbered(n):
    return torch.arange(n, dtype=torch.float32)[:, None]


# It learns


@any_stage
def test_every_stage_learns_the_digits(stage):
    x = data.digits().x
    model = build(stage, x, m=8, hidden=(64,))
    history = fit(model, x, epochs=12, batch_size=64, lr=5e-3)
    mean_image = squared_error(x, x.mean(0))
    assert history.loss[-1] < history.loss[0]
    assert squared_error(x, model.reconstruct(x)) < 0.7 * mean_image


@pytest.mark.slow
def test_a_vae_finds_the_noise_and_the_curve_that_the_toy_was_drawn_from():
    sigma = 0.1
    x, z = data.curve_toy(1000, sigma, seeded(100))
    model = build(VAE, x, m=1, hidden=(64, 64), sigma_dec=0.3, learn_sigma=True)
    fit(model, x, epochs=200, batch_size=100, lr=2e-2)
    truth = data.curve(torch.linspace(-1.5, 1.5, 301)[:, None])
    with torch.no_grad():
        curve = model.decode(torch.linspace(-3, 3, 2001)[:, None])
        codes, _ = model.encode(x)
    assert model.decoder.log_sigma.exp().item() == pytest.approx(sigma, rel=0.15)
    assert torch.cdist(truth, curve).min(1).values.max() < 0.7 * sigma
    assert abs(spearmanr(codes[:, 0], z[:, 0]).statistic) > 0.99  # the code is z, up to its direction


def test_a_linear_autoencoder_reaches_the_dropped_eigenvalues_of_pca():
    x, m = data.digits().x, 2
    model = build(Autoencoder, x, m=m, hidden=())
    loss = fit(model, x, epochs=500, batch_size=len(x), lr=5e-2).loss[-1]
    variances = PCA(svd_solver="full").fit(x.numpy()).explained_variance_  # divided by N - 1, the loss by N
    assert loss == pytest.approx(variances[m:].sum() * (len(x) - 1) / len(x), rel=0.01)


def test_held_out_data_get_fresh_latents_under_a_frozen_decoder():
    train, test = data.split(data.digits())
    decoder = build(MapLatent, train.x).decoder.requires_grad_(False)
    before, model = parameters(decoder), MapLatent(decoder, len(test.x), generator=seeded(1))
    z = model.z.detach().clone()
    history = fit(model, test.x, epochs=5)
    assert same(before, parameters(decoder))
    assert (model.z != z).any(-1).all()
    assert history.loss[-1] < history.loss[0]


@pytest.mark.parametrize("stage", [MapLatent, VariationalLatent])
def test_frozen_latents_stay_while_the_decoder_learns(stage):
    model = build(stage, X)
    tables = [p.requires_grad_(False) for p in model.parameters(recurse=False)]
    before, weight = [p.clone() for p in tables], model.decoder.net[0].weight.detach().clone()
    fit(model, X, epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(before, tables, strict=True))
    assert not torch.equal(model.decoder.net[0].weight, weight)


def test_sigma_dec_is_learned_only_on_demand():
    x, _ = data.curve_toy(50, 0.1, seeded())
    for learn_sigma in (False, True):
        model = build(VAE, x, learn_sigma=learn_sigma)
        before = model.decoder.log_sigma.item()
        fit(model, x, epochs=1)
        assert (model.decoder.log_sigma.item() != before) == learn_sigma


# The loop


@any_stage
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(stage):
    x, _ = data.curve_toy(60, 0.1, seeded())
    runs = []
    for seed in (0, 0, 1):
        model, state = build(stage, x), torch.get_rng_state()
        losses = fit(model, x, epochs=3, batch_size=16, seed=seed).loss
        assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone
        runs.append((losses, parameters(model)))
    (losses, first), (again, second), (_, other) = runs
    assert losses == again
    assert same(first, second)
    assert not same(first, other)


def test_an_epoch_visits_every_data_point_once_in_a_fresh_order():
    model = Probe(10)
    fit(model, numbered(10), epochs=3, batch_size=4)
    assert [len(index) for index in model.batches] == 3 * [4, 4, 2]
    orders = [torch.cat(model.batches[k : k + 3]).tolist() for k in (0, 3, 6)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert orders[0] != orders[1] != orders[2]


def test_history_holds_the_mean_over_the_data_points_of_each_epoch():
    history = fit(Probe(10), numbered(10), epochs=3, batch_size=4)
    assert history.label == "probe"
    assert history.loss == pytest.approx([4.5, 4.5, 4.5])


def test_the_learning_rate_falls_along_half_a_cosine_and_a_latent_moves_as_far_in_an_epoch_as_in_one_step_a_batch():
    model, lr, epochs, batches = Probe(10), 1e-2, 5, 3
    fit(model, numbered(10), epochs=epochs, batch_size=4, lr=lr)
    steps = -np.diff([*model.bias, model.decoder.net[0].bias.item()])
    expected = [lr * math.cos(math.pi * t / (2 * epochs * batches)) ** 2 for t in range(epochs * batches)]  # = lr (1 + cos) / 2
    np.testing.assert_allclose(steps, expected, atol=1e-6)
    np.testing.assert_allclose(-np.diff([*model.latent, model.z.item()]), batches * steps, atol=1e-6)


@any_stage
def test_a_model_in_double_precision_trains_on_data_in_double_precision(stage):
    x = data.curve_toy(20, 0.1, seeded())[0].double()
    model = build(stage, x).double()
    history = fit(model, x, epochs=2)
    assert len(history.loss) == 2
    assert all(p.dtype == torch.float64 and p.isfinite().all() for p in model.parameters())


@any_stage
def test_history_plots_the_loss_under_its_label(stage):
    x, _ = data.curve_toy(20, 0.1, seeded())
    history = fit(build(stage, x), x, epochs=3)
    ax = history.plot()
    (line,) = ax.get_lines()
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == history.loss
    assert ax.get_ylabel() == stage.loss_label
    assert ax.get_xlabel() == "epoch"
    assert History("nats", [2.0, 1.0]).plot(ax) is ax


SMALL = "float('5e-324') * float('1')"


@pytest.mark.slow
def test_importing_the_package_and_fitting_leave_denormal_numbers_alone():
    fitted = TWO_FITS.replace("epochs=3)", "epochs=3, progress=False)")
    for code in ("import vae_edu", fitted):
        assert python(f"{code}\nprint({SMALL} > 0, end='')")[0] == "True"


def test_while_fitting_denormal_numbers_are_flushed_to_zero():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormal numbers")
    torch.set_flush_denormal(False)
    x, _ = data.curve_toy(20, 0.1, seeded())
    model, seen = build(VAE, x), []
    loss = model.loss
    model.loss = lambda *arguments: seen.append((torch.tensor(1e-30) * torch.tensor(1e-10)).item()) or loss(*arguments)
    fit(model, x, epochs=1, progress=False)
    assert seen == [0.0]
    assert (torch.tensor(1e-30) * torch.tensor(1e-10)).item() > 0


@any_stage
def test_an_interrupted_fit_keeps_the_model_and_the_history(stage, capsys):
    x, _ = data.curve_toy(20, 0.1, seeded())
    model, whole = build(stage, x), build(stage, x)
    calls, loss = iter(range(100)), model.loss

    def interrupted(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return loss(*arguments)

    model.loss = interrupted
    history = fit(model, x, epochs=5, batch_size=20, progress=False)
    assert capsys.readouterr().out == "stopped after 2 epochs; the model keeps what it has learned\n"
    assert history.loss == fit(whole, x, epochs=5, batch_size=20, progress=False).loss[:2]
    assert not all(torch.equal(p, q) for p, q in zip(model.parameters(), build(stage, x).parameters(), strict=True))


# Progress


def python(code, **env):
    """stdout and stderr of code in a fresh interpreter, without TQDM_DISABLE unless it is given."""
    env = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"} | env
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=True, timeout=120)
    return result.stdout.decode(), result.stderr.decode()  # every carriage return as it is


TWO_FITS = """
import sys, torch
from vae_edu import Autoencoder, Decoder, Encoder, fit
generator = torch.Generator().manual_seed(0)
model = Autoencoder(Encoder(2, 1, generator=generator), Decoder(1, 2, sigma_dec=1.0, generator=generator))
fit(model, torch.zeros(4, 2), epochs=3, progress=False)
print("then", end="", file=sys.stderr)
fit(model, torch.zeros(4, 2), epochs=3)
"""


@pytest.mark.slow
def test_a_progress_bar_runs_on_stderr_unless_told_otherwise_and_leaves_no_line_behind():
    stdout, stderr = python(TWO_FITS)
    silent, bar = stderr.split("then")
    assert stdout == silent == ""
    assert "0/3" in bar
    assert "\n" not in bar
    assert bar.rstrip("\r").split("\r")[-1].strip() == ""  # the last thing written is blanks over the bar


@pytest.mark.slow
def test_the_environment_can_switch_the_progress_bar_off():
    assert python(TWO_FITS, TQDM_DISABLE="1") == ("", "then")


def test_the_environment_decides_in_a_notebook_too(monkeypatch, capsys):
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm.notebook.tqdm)  # what a notebook gets; it overlooks TQDM_DISABLE by itself
    monkeypatch.setenv("TQDM_DISABLE", "1")
    fit(build(VAE, X), X, epochs=1)
    assert capsys.readouterr().out == ""
    monkeypatch.delenv("TQDM_DISABLE")
    fit(build(VAE, X), X, epochs=1)
    assert "0/1" in capsys.readouterr().out


# Errors at the door

WITH_NAN = X.clone()
WITH_NAN[13, 1] = math.nan
WITH_INFINITY = X.clone()
WITH_INFINITY[4, 0] = math.inf


@pytest.mark.parametrize(("x", "message"), [
    (X.T, r"x must be \(N, 2\), got \(2, 20\): did you transpose it\?"),
    (torch.zeros(20, 3), r"x must be \(N, 2\), got \(20, 3\)$"),
    (torch.zeros(20), r"x must be \(N, 2\), got \(20,\)$"),
    (torch.zeros(5, 2, 2), r"x must be \(N, 2\), got \(5, 2, 2\)$"),
    (torch.zeros(0, 2), "x holds no data points"),
    (X.numpy(), r"x must be a torch tensor, got ndarray: use torch\.as_tensor\(x\)"),
    (X.double(), r"x is torch\.float64 but the model is torch\.float32: use x\.to\(torch\.float32\)"),
    (X.to(torch.uint8), r"x is torch\.uint8 but the model is torch\.float32"),
    (WITH_NAN, "x holds NaN or infinite values, the first in row 13$"),
    (WITH_INFINITY, "x holds NaN or infinite values, the first in row 4$"),
], ids=["transposed", "columns", "flat", "3-D", "empty", "numpy", "double", "integers", "NaN", "infinity"])  # fmt: skip
@any_stage
def test_data_that_cannot_work_are_refused(stage, x, message):
    with pytest.raises(ValueError, match=message):
        fit(build(stage, X), x, epochs=1)


@pytest.mark.parametrize("stage", [MapLatent, VariationalLatent])
def test_a_table_wants_one_row_for_each_data_point(stage):
    with pytest.raises(ValueError, match="x has 19 rows but the model holds latents for 20 data points"):
        fit(build(stage, X), X[:-1], epochs=1)


@pytest.mark.parametrize(("setting", "message"), [
    ({"epochs": 0}, "epochs must be a positive integer, got 0"),
    ({"epochs": 2.5}, "epochs must be a positive integer, got 2.5"),
    ({"epochs": 1, "batch_size": -8}, "batch_size must be a positive integer, got -8"),
    ({"epochs": 1, "batch_size": None}, "batch_size must be a positive integer, got None"),
    ({"epochs": 1, "lr": 0.0}, "lr must be positive and finite, got 0.0"),
    ({"epochs": 1, "lr": -1e-3}, "lr must be positive and finite, got -0.001"),
    ({"epochs": 1, "lr": math.nan}, "lr must be positive and finite, got nan"),
    ({"epochs": 1, "lr": math.inf}, "lr must be positive and finite, got inf"),
], ids=str)  # fmt: skip
def test_settings_that_cannot_work_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        fit(build(Autoencoder, X), X, **setting)


@any_stage
def test_a_model_without_free_parameters_is_refused(stage):
    with pytest.raises(ValueError, match="nothing to fit: every parameter of the model is frozen"):
        fit(build(stage, X).requires_grad_(False), X, epochs=1)


@any_stage
def test_refused_data_leave_the_model_alone(stage):
    model = build(stage, X)
    before = parameters(model)
    with pytest.raises(ValueError, match="NaN"):
        fit(model, WITH_NAN, epochs=1)
    assert same(before, parameters(model))


class Breaking(Autoencoder):
    """An autoencoder whose loss turns bad in the second batch of the third epoch, five batches each."""

    value, calls = math.nan, 0

    def loss(self, x, index=None, generator=None):
        self.calls += 1
        if self.calls == 11:
            self.before = copy.deepcopy(self.state_dict())
        return super().loss(x) * (self.value if self.calls == 12 else 1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_stops_being_finite_ends_the_fit_and_gives_the_parameters_before_that_epoch_back(value):
    model = build(Breaking, X)
    model.value = value
    with pytest.raises(FloatingPointError, match=r"in epoch 3 of 9; .* epoch\. The largest \|x\| is 1\.52: try a smaller lr \(now 0\.003\)$"):  # no sigma in a squared error
        fit(model, X, epochs=9, batch_size=4)
    assert model.calls <= 15  # not one epoch more
    assert same(model.before, model.state_dict())


def test_a_tiny_sigma_dec_overflows_in_the_first_epoch():
    model = build(VAE, X, sigma_dec=1e-30)
    before = parameters(model)
    with pytest.raises(FloatingPointError, match="the loss became inf in epoch 1 of 2.*sigma_dec"):
        fit(model, X, epochs=2)
    assert same(before, parameters(model))


def test_an_infinite_gradient_behind_a_finite_loss_is_an_error_too():
    class Cliff(Autoencoder):
        def loss(self, x, index=None, generator=None):
            return self.decoder.net[0].bias.sum().sub(self.decoder.net[0].bias.sum().detach()).sqrt()  # 0, with an infinite slope

    g = torch.Generator().manual_seed(0)
    model = Cliff(Encoder(5, 2, generator=g), Decoder(2, 5, sigma_dec=0.5, generator=g))
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(FloatingPointError, match="infinite in its gradients in epoch 1"):
        fit(model, torch.zeros(8, 5), epochs=2, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("settings", [{}, {"lr": 3e-5}])
def test_pixels_from_0_to_255_are_named_with_what_they_do_to_q_and_how_to_scale_them(settings):
    x, g = 255 * torch.rand(200, 64, generator=torch.Generator().manual_seed(1)).round(), torch.Generator().manual_seed(0)
    model = VAE(GaussianEncoder(64, 2, (128,), generator=g), Decoder(2, 64, (128,), sigma_dec=40.0, generator=g))
    for parameter in model.encoder.parameters():
        parameter.data *= 4
    with pytest.raises(FloatingPointError, match=r"largest \|x\| is 255, the largest log_std of q \d+.*scale x, say \(x - 0\) / 255, "):
        fit(model, x, epochs=2, progress=False, **settings)


def test_what_is_no_stage_no_seed_or_no_tensor_of_its_own_is_handled_at_the_door():
    model, g = build(VAE, X), torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="fit trains a stage, which has a loss and a decoder; Decoder is none"):
        fit(Decoder(2, 5, sigma_dec=0.5, generator=g), X, epochs=1)
    with pytest.raises(ValueError, match="seed must be an integer, got None"):
        fit(model, X, epochs=1, seed=None)
    x = X.clone().requires_grad_()
    with torch.no_grad():  # which is no reason not to learn
        before = parameters(model)
        fit(model, x, epochs=np.int64(1), lr=np.float32(1e-3), progress=False)
    assert x.grad is None and not same(before, parameters(model))
    for wrong in ({"epochs": True}, {"lr": True}):
        with pytest.raises(ValueError, match="got True"):
            fit(model, X, **{"epochs": 1} | wrong)
