"""The examination: each fault is named on a model with exactly that fault, and ten healthy models of ten styles are left in peace."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Categorical, Normal
from torch.nn import functional as F

from vae_edu import VAE, Decoder, GaussianEncoder, data, fit
from vae_edu.adapted import adapt
from vae_edu.checkup import checkup
from vae_edu.fingerprint import fingerprint

X = data.digits().x[:400]
TRAIN, TEST = X[:200], X[200:]


def seed(n=0):
    return torch.Generator().manual_seed(n)


class Mlp(nn.Module):
    """A VAE as one finds it: two heads, a log-variance, a functional decoder."""

    def __init__(self, m=4, h=48, out=64):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(64, h), nn.Linear(h, m), nn.Linear(h, m)
        self.fc3, self.fc4 = nn.Linear(m, h), nn.Linear(h, out)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))


def kl(mu, logvar):
    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()


def draw(mu, logvar):
    return mu + (logvar / 2).exp() * torch.randn_like(mu)


def trained(module, loss, x=TRAIN, epochs=40, lr=3e-3):
    optimizer = torch.optim.Adam(module.parameters(), lr)
    for _ in range(epochs):
        for batch in x[torch.randperm(len(x))].split(50):
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
    return module


@pytest.fixture(scope="module")
def mlp():
    """Trained as it should be, σ = 0.25."""
    torch.manual_seed(0)
    module = Mlp()
    return trained(module, loss_of(module))


def loss_of(v, sse=8.0, divergence=kl, z=draw):
    """sse · ‖x - f‖² + the divergence; 8 is 1/(2σ²) with σ = 0.25."""

    def loss(x):
        mu, logvar = v.encode(x)
        return sse * ((x - v.decode(z(mu, logvar))) ** 2).sum(1).mean() + divergence(mu, logvar)

    return loss


def examined(module, loss, p=None, x=TRAIN, x_test=TEST, **more):
    model = adapt(module, module.encode, p or (lambda z: Normal(module.decode(z), 0.25)), **{"spread": "log_var", "shape": (64,)} | more)
    return {finding.name: finding for finding in checkup(model, x, x_test, loss=loss, generator=seed(1))}


# the fingerprint


@pytest.mark.parametrize(("sse", "weight"), [(8.0, 1.0), (1 / 64, 0.00025), (0.5, 4.0), (256.0, 128.0)])
def test_the_weights_of_a_loss_are_found_to_five_digits(mlp, sse, weight):
    model = adapt(mlp, mlp.encode, lambda z: Normal(mlp.decode(z), 0.25), spread="log_var", shape=(64,))
    found = fingerprint(loss_of(mlp, sse, lambda *a: weight * kl(*a)), model, TRAIN, generator=seed())
    expected = {"‖x - f‖²": sse, "‖μ‖²": weight / 2, "‖s‖²": weight / 2, "Σ log s": -weight}
    assert list(found.weights) == list(expected)
    for term, value in expected.items():
        assert found.weights[term] == pytest.approx(value, rel=1e-4, abs=1e-6 * sse)
        assert abs(found.weights[term] - value) < 6 * found.errors[term] + 1e-5 * abs(value)
    assert found.unexplained < 1e-9 and found.noise.shape == (80, 200, 4)


def test_the_model_is_as_it_was(mlp):
    before = {name: value.clone() for name, value in mlp.state_dict().items()}
    mlp.train()
    examined(mlp, loss_of(mlp))
    assert all(torch.equal(before[name], value) for name, value in mlp.state_dict().items()) and mlp.training


# the faults of a loss, each in words that say what it is


def sampled_kl(mu, logvar, z):
    return (Normal(mu, (logvar / 2).exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1).mean()


FAULTS = {
    "mean over pixels": ({"sse": 1 / 64}, "A mean over 64 pixels: that is σ² = 32, more than .* The KL wins"),
    "both are means": ({"sse": 1 / 64, "divergence": lambda m, v: kl(m, v) / 4}, "64 pixels beside a mean over 4 latents: that is σ² = 8"),
    "KL summed over the batch": ({"sse": 1.0, "divergence": lambda m, v: 200 * kl(m, v)}, "summed over the batch of 200"),
    "no KL": ({"divergence": lambda m, v: 0 * m.sum()}, "The KL is not in it: an autoencoder"),
    "wrong sign of the KL": ({"divergence": lambda m, v: -kl(m, v)}, "wrong sign: q is paid for leaving the prior"),
    "the ELBO itself": ({"sse": -8.0, "divergence": lambda m, v: -kl(m, v)}, "It rewards a bad reconstruction"),
    "no half before μ²": ({"divergence": lambda m, v: kl(m, v) + 0.5 * (m**2).sum(1).mean()}, "½ before ‖μ‖² is missing"),
    "log s half": ({"divergence": lambda m, v: kl(m, v) + v.sum(1).mean() / 4}, "counts 0.5 times .log-variance taken for log-std"),
    "m for 2": ({"divergence": lambda m, v: kl(m, v) - v.sum(1).mean() / 2}, "counts 2 times .m = 4 where 2 belongs"),
    "log s missing": ({"divergence": lambda m, v: kl(m, v) + v.sum(1).mean() / 2}, "log s has the wrong sign, or is missing"),
    "logvar as log-std": (
        {"divergence": lambda m, v: 0.5 * (m**2 + (2 * v).exp() - 2 * v - 1).sum(1).mean()},
        "takes a log-variance for a log-std",
    ),
    "log-std as logvar": (
        {"divergence": lambda m, v: 0.5 * (m**2 + (v / 2).exp() - v / 2 - 1).sum(1).mean()},
        "takes a log-std for a log-variance",
    ),
    "no s²": ({"divergence": lambda m, v: kl(m, v) - 0.5 * v.exp().sum(1).mean()}, "do not make a KL from N.0, I."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_loss_is_named(mlp, fault):
    settings, words = FAULTS[fault]
    finding = examined(mlp, loss_of(mlp, **settings))["loss"]
    assert finding.verdict == "wrong"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(finding.meaning)


def test_what_is_in_no_list_is_undecided_and_not_guessed(mlp):
    free_bits = lambda m, v: torch.clamp(0.5 * (m**2 + v.exp() - v - 1).mean(0), min=1.0).sum()  # noqa: E731
    assert examined(mlp, loss_of(mlp, divergence=free_bits))["loss"].verdict == "undecided"


# the draw

DRAWS = {
    "none": (lambda m, v: m, "z is always the mean"),
    "variance as std": (lambda m, v: m + v.exp() * torch.randn_like(m), r"s to the power (1\.9|2\.0)"),
    "uniform": (lambda m, v: m + (v / 2).exp() * torch.rand_like(m), "between 0 and 1"),
    "shared": (lambda m, v: m + (v / 2).exp() * torch.randn(m.shape[1]), "of two images have the correlation"),
    "doubled": (lambda m, v: m + 2 * (v / 2).exp() * torch.randn_like(m), "has the standard deviation (1.9|2)"),
    "halved": (lambda m, v: m + 0.5 * (v / 2).exp() * torch.randn_like(m), "has the standard deviation 0.(49|5)"),
    "frozen": (lambda m, v: m + (v / 2).exp() * torch.randn(m.shape, generator=seed(5)), "the same at each call"),
    "uniform of the right width": (lambda m, v: m + (v / 2).exp() * (torch.rand_like(m) - 0.5) * math.sqrt(12), "the kurtosis 1.8"),
}


@pytest.mark.parametrize("fault", DRAWS)
def test_a_faulty_draw_is_named_and_the_loss_is_not_blamed(mlp, fault):
    z, words = DRAWS[fault]
    found = examined(mlp, loss_of(mlp, z=z))
    assert found["draw"].verdict == "wrong" and found["loss"].verdict == "fine"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(found["draw"].measured)


# the model


def test_a_collapsed_model_is_told_so():
    torch.manual_seed(0)
    module = Mlp()
    trained(module, loss_of(module, sse=1 / 64), epochs=80, lr=1e-2)
    found = examined(module, loss_of(module, sse=1 / 64))
    assert found["latents"].verdict == "wrong" and "collapsed" in found["latents"].meaning
    assert found["loss"].verdict == "wrong"


def test_pixels_up_to_255_and_where_numbers_overflow_are_named(mlp):
    found = examined(mlp, None, x=255 * TRAIN)
    assert found["scale of x"].verdict == "wrong" and "between 0 and 255" in found["scale of x"].measured
    torch.manual_seed(0)
    module = Mlp()
    module.fc22.weight.data *= 40
    assert "log stds of q go from" in examined(module, None, x=255 * TRAIN)["numbers"].measured
    module.fc4.weight.data[3, 2] = torch.nan
    found = examined(module, None)
    assert found["numbers"].verdict == "wrong" and "behind the layer fc4, Linear" in found["numbers"].measured


def test_a_clamp_dead_latents_and_an_overfitted_network_are_noted(mlp):
    class Clamped(Mlp):
        def encode(self, x):
            mu, logvar = super().encode(x)
            return mu, logvar.clamp(-3, 4)

    module = Clamped()
    module.load_state_dict(mlp.state_dict())
    for head in (module.fc21, module.fc22):
        head.weight.data[0] *= 1e-4
        head.bias.data[0] = 0
    found = examined(module, None)
    assert "% of the log stds are the smallest one, -1.5" in found["std of q"].measured
    assert found["latents"].measured.startswith("3 of 4 latents")
    torch.manual_seed(0)
    module = Mlp(h=128)
    trained(module, loss_of(module, sse=50.0), x=TRAIN[:60], epochs=400)
    assert "by heart" in examined(module, None, x=TRAIN[:60])["held out"].meaning


# ten healthy models: no false alarm


def own(m=4, hidden=(48,), **decoder):
    g = seed()
    model = VAE(GaussianEncoder(64, m, hidden, generator=g), Decoder(m, 64, hidden, **{"sigma_dec": 0.25} | decoder, generator=g))
    fit(model, TRAIN, epochs=40, batch_size=50, lr=5e-3, progress=False)
    return adapt(model), lambda x: model.loss(x, None, seed(torch.randint(10**6, ()).item()))


def usual(sse=8.0, divergence=kl, p=None, out=64, x=TRAIN, **more):
    module = Mlp(out=out)
    loss = loss_of(module, sse, divergence)
    trained(module, loss)
    return adapt(module, module.encode, p or (lambda z: Normal(module.decode(z), 0.25)), spread="log_var", shape=(64,)), loss


def sampled():
    """The KL as log q(z) - log p(z) at the drawn z."""
    module = Mlp()

    def loss(x):
        mu, logvar = module.encode(x)
        z = draw(mu, logvar)
        return 8 * ((x - module.decode(z)) ** 2).sum(1).mean() + sampled_kl(mu, logvar, z)

    trained(module, loss)
    return adapt(module, module.encode, lambda z: Normal(module.decode(z), 0.25), spread="log_var", shape=(64,)), loss


def bernoulli():
    module = Mlp()

    def loss(x):
        mu, logvar = module.encode((x > 0.5).float())
        logits = module.decode(draw(mu, logvar))
        return F.binary_cross_entropy_with_logits(logits, (x > 0.5).float(), reduction="sum") / len(x) + kl(mu, logvar)

    trained(module, loss)
    return adapt(module, module.encode, lambda z: Bernoulli(logits=module.decode(z)), spread="log_var", shape=(64,)), loss


def convolutional():
    class Conv(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU(), nn.Flatten(), nn.Linear(128, 8))
            self.up = nn.Sequential(nn.Linear(4, 128), nn.SiLU(), nn.Unflatten(1, (8, 4, 4)), nn.ConvTranspose2d(8, 1, 4, 2, 1))

        def encode(self, x):
            return self.down(x).chunk(2, 1)

    module = Conv()

    def loss(x):
        mu, logvar = module.encode(x.reshape(-1, 1, 8, 8))
        f = module.up(draw(mu, logvar)).flatten(1)
        return 8 * F.mse_loss(f, x.flatten(1), reduction="sum") / len(x) + kl(mu, logvar)

    trained(module, loss)
    return adapt(module, module.encode, lambda z: Normal(module.up(z), 0.25), spread="log_var", shape=(1, 8, 8)), loss


def predicted_sigma():
    module = Mlp(out=128)

    def p(z):
        f, log_std = module.decode(z).chunk(2, 1)
        return Normal(f, log_std.clamp(-2, 2).exp())

    def loss(x):
        mu, logvar = module.encode(x)
        return -p(draw(mu, logvar)).log_prob(x).sum(1).mean() + kl(mu, logvar)

    trained(module, loss)
    return adapt(module, module.encode, p, spread="log_var", shape=(64,)), loss


def categorical():
    module = Mlp(out=64 * 17)
    p = lambda z: Categorical(logits=module.decode(z).reshape(-1, 64, 17))  # noqa: E731

    def loss(x):
        mu, logvar = module.encode(x)
        return -p(draw(mu, logvar)).log_prob((16 * x).round()).sum(1).mean() + kl(mu, logvar)

    trained(module, loss)
    return adapt(module, lambda x: module.encode(x / 16), p, spread="log_var", shape=(64,)), lambda x: loss(x / 16)


HEALTHY = {
    "the book's": own,
    "linear": lambda: own(hidden=()),
    "deep": lambda: own(hidden=(64, 64)),
    "learned σ": lambda: own(learn_sigma=True),
    "σ per pixel": lambda: own(sigma_dec=torch.full((64,), 0.25), learn_sigma=True),
    "β = 4 on purpose": lambda: usual(32.0, lambda m, v: 4 * kl(m, v)),
    "log-variance": usual,
    "KL of a draw": sampled,
    "Bernoulli": bernoulli,
    "convolutions and batch norm": convolutional,
    "σ predicted": predicted_sigma,
    "categorical": categorical,
}


@pytest.mark.parametrize("style", HEALTHY)
def test_a_healthy_model_is_left_in_peace(style):
    torch.manual_seed(0)
    model, loss = HEALTHY[style]()
    x, x_test = {"Bernoulli": ((TRAIN > 0.5).float(), (TEST > 0.5).float()), "categorical": (16 * TRAIN, 16 * TEST)}.get(style, (TRAIN, TEST))
    findings = checkup(model, x, x_test, loss=loss, generator=seed(1))
    assert [str(finding) for finding in findings if finding.verdict in {"wrong", "undecided"}] == []
    assert {"loss", "draw", "latents", "bound", "held out"} <= {finding.name for finding in findings}


def test_beta_is_read_as_one_knob_with_sigma(mlp):
    finding = examined(mlp, loss_of(mlp, divergence=lambda m, v: 2 * kl(m, v)))["loss"]
    assert finding.verdict == "note" and "an ELBO with σ = 0.354; or, with the σ = 0.25 of p(x|z), with β = 2" in finding.meaning


def test_a_report_names_the_chapter_and_is_printed(mlp, capsys):
    findings = examined(mlp, loss_of(mlp, sse=1 / 64))
    printed = capsys.readouterr().out
    assert printed.splitlines() == [str(finding) for finding in findings.values()]
    assert "Mend: sum over pixels" in printed and "(chapter 10)" in printed
