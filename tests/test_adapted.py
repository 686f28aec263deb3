"""VAEs of other styles, adapted: the same numbers as the book's own, and errors that name the mistake."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Categorical, Independent, LowRankMultivariateNormal, Normal

from vae_edu import VAE, Decoder, GaussianEncoder, data, evaluation
from vae_edu.adapted import adapt

M, N = 3, 12


def seed(n=0):
    return torch.Generator().manual_seed(n)


@pytest.fixture
def x():
    return data.digits().x[:N]


@pytest.fixture
def own():
    g = seed()
    return VAE(GaussianEncoder(64, M, (16,), generator=g), Decoder(M, 64, (16,), sigma_dec=0.3, generator=g))


class LogVar(nn.Module):
    """The book's VAE in the style of many repositories: encode gives (mu, logvar), images are (N, 1, 8, 8)."""

    def __init__(self, own):
        super().__init__()
        self.encoder, self.decoder = own.encoder, own.decoder

    def encode(self, images):
        mean, log_std = self.encoder(images.flatten(1))
        return [mean, 2 * log_std]

    def decode(self, z):
        return self.decoder(z).reshape(-1, 1, 8, 8)


def both(model, x):
    return evaluation.elbos(model, x, 20, seed(1)), evaluation.log_likelihoods(model, x, 20, seed(2))


def test_log_variances_and_image_shapes_change_no_number(own, x):
    theirs = adapt(LogVar(own), (vae := LogVar(own)).encode, lambda z: Normal(vae.decode(z), 0.3), spread="log_var", shape=(1, 8, 8))
    for images in (x, x.reshape(N, 1, 8, 8)):
        for ours, adapted in zip(both(own, x), both(theirs, images), strict=True):
            torch.testing.assert_close(adapted, ours, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("spread", ["std", "log_std", None])
def test_a_std_a_log_std_and_a_distribution_do_so_too(own, x, spread):
    def q(x):
        mean, log_std = own.encode(x)
        if spread is None:
            return Independent(Normal(mean, log_std.exp()), 1)
        return mean, log_std.exp() if spread == "std" else log_std

    theirs = adapt(own, q, lambda z: Independent(Normal(own.decoder(z), 0.3), 1), spread=spread, shape=(64,))
    for ours, adapted in zip(both(own, x), both(theirs, x), strict=True):
        torch.testing.assert_close(adapted, ours, rtol=1e-5, atol=1e-4)


def test_a_vae_of_the_book_needs_no_more_words(own, x):
    for ours, adapted in zip(both(own, x), both(adapt(own), x), strict=True):
        torch.testing.assert_close(adapted, ours, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("levels", [2, 17])
def test_bernoulli_and_categorical_decoders_are_torchs_own(own, x, levels):
    whole = (x > 0.5).float() if levels == 2 else (16 * x).round()
    head = nn.Linear(M, 64 * (1 if levels == 2 else 17))
    own.head = head
    p = lambda z: Bernoulli(logits=head(z)) if levels == 2 else Categorical(logits=head(z).reshape(-1, 64, 17))  # noqa: E731
    model, z = adapt(own, own.encode, p, spread="log_std", shape=(64,)), torch.randn(5, N, M, generator=seed())
    expected = torch.stack([p(z[k]).log_prob(whole).sum(-1) for k in range(5)])
    torch.testing.assert_close(model.log_likelihood(whole, z), expected)
    assert evaluation.held_out_log_likelihood(model, whole, 5, seed()).value < 0  # a probability


def test_another_prior_is_put_where_the_estimators_find_it(own, x):
    """A prior N(a, c²), against the same model with that map put into the decoder's first layer."""
    a, c = torch.tensor([0.5, -1.0, 0.2]), torch.tensor([2.0, 0.5, 1.0])
    shifted = adapt(own, own.encode, lambda z: Normal(own.decoder(z), 0.3), spread="log_std", shape=(64,), prior=Normal(a, c))

    def q(x):  # of ζ = (z - a) / c
        mean, log_std = own.encode(x)
        return (mean - a) / c, log_std - c.log()

    standard = adapt(own, q, lambda zeta: Normal(own.decoder(a + c * zeta), 0.3), spread="log_std", shape=(64,))
    for k, n in ((1, 4000), (200, 20)):
        values = [evaluation.log_likelihoods(model, x, k, seed(3), repeats=n) for model in (shifted, standard)]
        torch.testing.assert_close(*values, rtol=1e-4, atol=1e-3)
    elbos = [evaluation.elbos(model, x, 4000, seed(4)).mean() for model in (shifted, standard)]
    assert abs(elbos[0] - elbos[1]) < 0.05


def test_batch_norm_in_training_mode_is_refused_and_in_eval_mode_accepted(own, x):
    own.encoder.net.insert(1, nn.BatchNorm1d(16))
    model = adapt(own)
    with pytest.raises(ValueError, match="BatchNorm1d .* call model.eval"):
        evaluation.elbos(model, x, 2, seed())
    assert evaluation.elbos(model.eval(), x, 2, seed()).isfinite().all()


def test_what_q_and_p_are_not_is_said(own, x):
    p = lambda z: Normal(own.decoder(z), 0.3)  # noqa: E731
    wrong = [
        (own.encode, p, {}, r"say what the second of q's pair is: spread='log_var'"),
        (own.decoder.net[0], p, {"spread": "log_var"}, None),
        (lambda x: own.encode(x)[0], p, {"spread": "log_std"}, r"q\(x\) must be a Normal or a pair \(mean, spread\), got Tensor"),
        (lambda x: LowRankMultivariateNormal(torch.zeros(N, M), torch.ones(N, M, 1), torch.ones(N, M)), p, {}, "one std for each latent"),
        (own.encode, lambda z: Normal(own.decoder(z)[:, :32], 0.3), {"spread": "log_std"}, r"a distribution over \(\d+, 64\)"),
        (own.encode, lambda z: Bernoulli(logits=own.decoder(z)), {"spread": "log_std"}, "impossible under .* Bernoulli; .* binarize"),
    ]
    for q, p_, more, words in wrong:
        if words:
            with pytest.raises(ValueError, match=words):
                evaluation.elbos(adapt(own, q, p_, shape=(64,), **more), x, 2, seed())
    with pytest.raises(ValueError, match="adapt needs q, .* and the shape of one x"):
        adapt(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"x must be \(N, 64\), got \(12, 1, 4, 16\)"):
        evaluation.elbos(adapt(own, own.encode, p, spread="log_std", shape=(1, 8, 8)), x.reshape(N, 1, 4, 16), 2, seed())


def test_log_variance_said_to_be_a_log_std_is_another_number(own, x):
    right, wrong = (
        adapt(LogVar(own), LogVar(own).encode, lambda z: Normal(own.decoder(z).reshape(-1, 1, 8, 8), 0.3), spread=s, shape=(1, 8, 8))
        for s in ("log_var", "log_std")
    )
    assert math.fabs(evaluation.elbos(right, x, 20, seed()).mean() - evaluation.elbos(wrong, x, 20, seed()).mean()) > 0.1


# five styles of well-known repositories, written anew; each is adapted in at most three lines


class Example(nn.Module):
    """Two fully connected heads, a sigmoid at the end, binary images."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22, self.fc3, self.fc4 = (nn.Linear(*s) for s in ((64, 20), (20, M), (20, M), (M, 20), (20, 64)))

    def encode(self, x):
        h = torch.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z))))


class Zoo(nn.Module):
    """Convolutions with batch norm; encode returns the list [mu, log_var]."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.LeakyReLU(), nn.Flatten())
        self.fc_mu, self.fc_var = nn.Linear(64, M), nn.Linear(64, M)
        self.decoder_input = nn.Linear(M, 64)
        self.decoder = nn.Sequential(nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Sigmoid())

    def encode(self, images):
        h = self.encoder(images)
        return [self.fc_mu(h), self.fc_var(h)]

    def decode(self, z):
        return self.decoder(self.decoder_input(z))


class Output(dict):
    __getattr__ = dict.__getitem__


class Benchmark(nn.Module):
    """Encoder and decoder return objects with named fields; images have a channel."""

    def __init__(self):
        super().__init__()
        self.e, self.d = nn.Linear(64, 2 * M), nn.Linear(M, 64)

    def encoder(self, images):
        mean, log_covariance = self.e(images.flatten(1)).chunk(2, 1)
        return Output(embedding=mean, log_covariance=log_covariance)

    def decoder(self, z):
        return Output(reconstruction=self.d(z).reshape(-1, 1, 8, 8))


class Probabilistic(nn.Module):
    """The encoder gives loc and scale, the decoder Bernoulli probabilities, as in probabilistic programming."""

    def __init__(self):
        super().__init__()
        self.encoder_net, self.decoder_net = nn.Linear(64, 2 * M), nn.Linear(M, 64)

    def encoder(self, x):
        loc, scale = self.encoder_net(x).chunk(2, 1)
        return loc, nn.functional.softplus(scale)

    def decoder(self, z):
        return torch.sigmoid(self.decoder_net(z))


class Lightning(nn.Module):
    """One network per direction, distributions inside, a learned log_scale."""

    def __init__(self):
        super().__init__()
        self.encoder, self.fc_mu, self.fc_var, self.decoder = (nn.Linear(*s) for s in ((64, 20), (20, M), (20, M), (M, 64)))
        self.log_scale = nn.Parameter(torch.tensor([-1.0]))

    def q(self, x):
        h = self.encoder(x)
        return Normal(self.fc_mu(h), torch.exp(self.fc_var(h) / 2))


STYLES = {
    "example": lambda: (v := Example(), adapt(v, v.encode, lambda z: Bernoulli(v.decode(z)), spread="log_var", shape=(64,))),
    "zoo": lambda: (v := Zoo().eval(), adapt(v, v.encode, lambda z: Normal(v.decode(z), 0.3), spread="log_var", shape=(1, 8, 8))),
    "benchmark": lambda: (
        v := Benchmark(),
        adapt(v, lambda x: (v.encoder(x).embedding, v.encoder(x).log_covariance),
              lambda z: Normal(v.decoder(z).reconstruction, 0.3), spread="log_var", shape=(1, 8, 8)),
    ),
    "probabilistic": lambda: (v := Probabilistic(), adapt(v, v.encoder, lambda z: Bernoulli(v.decoder(z)), spread="std", shape=(64,))),
    "lightning": lambda: (v := Lightning(), adapt(v, v.q, lambda z: Normal(v.decoder(z), v.log_scale.exp()), shape=(64,))),
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
def test_five_public_styles_give_the_elbo_that_torchs_distributions_give(style, x):
    torch.manual_seed(0)
    module, model = STYLES[style]()
    bits = (x > 0.5).float()
    mean, log_std = model.encode(bits)
    q = Normal(mean, log_std.exp())
    z = torch.stack([mean + log_std.exp() * torch.randn(mean.shape, generator=seed(7)) for _ in range(1)])
    log_p = model.p(z[0]).log_prob(bits.reshape(-1, *model.shape)).flatten(1).sum(1)
    expected = log_p - torch.distributions.kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(evaluation.elbos(model, bits.reshape(-1, *model.shape), 1, seed(7)), expected, rtol=1e-5, atol=1e-4)
    if style == "benchmark":
        torch.testing.assert_close(mean, module.e(bits)[:, :M])
        torch.testing.assert_close(log_std, module.e(bits)[:, M:] / 2)
