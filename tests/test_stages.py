"""Each stage's loss against its equation, written out in numpy and scipy one data point at a time."""

import math

import numpy as np
import pytest
import torch
from oracles import finite_differences, numpy_mlp
from scipy.stats import norm

from vae_edu import VAE, Autoencoder, Decoder, Encoder, GaussianEncoder, MapLatent, VariationalLatent

N, D, M = 6, 4, 2
SIGMA = torch.tensor([0.3, 0.7, 1.0, 2.0])
STAGES = [Autoencoder, MapLatent, VariationalLatent, VAE]
FREE, VARIATIONAL = [MapLatent, VariationalLatent], [VariationalLatent, VAE]
any_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def build(stage):
    """A stage in double precision with every parameter away from its initial value."""
    generator = seeded()
    decoder = Decoder(M, D, (5,), sigma_dec=SIGMA, learn_sigma=True, generator=generator)
    if stage in FREE:
        model = stage(decoder, N, generator=generator).double()
    else:
        encoder = Encoder if stage is Autoencoder else GaussianEncoder
        model = stage(encoder(D, M, (5,), generator=generator), decoder).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return model


def data():
    return torch.randn(N, D, generator=seeded(1), dtype=torch.float64)


def reconstruction_term(model, x, z):
    """log p(x|z) = Σ_j log N(x_j; f(z)_j, sigma_j²), one point, in scipy."""
    mean, sigma = numpy_mlp(model.decoder.net, z), np.exp(model.decoder.log_sigma.detach().numpy())
    return sum(norm(mean[j], sigma[j]).logpdf(x[j]) for j in range(D))


def elbo_terms(model, x, seed):
    """E_q[log p(x|z)] from one draw, and KL(q ‖ p), for each point; the draw repeats the generator's noise."""
    noise = torch.randn(N, M, generator=seeded(seed), dtype=torch.float64).numpy()
    likelihood, kl = np.zeros(N), np.zeros(N)
    for i in range(N):
        if isinstance(model, VAE):
            out = numpy_mlp(model.encoder.net, x[i])
            mean, std = out[:M], np.exp(out[M:])
        else:
            mean, std = model.mean[i].detach().numpy(), np.exp(model.log_std[i].detach().numpy())
        likelihood[i] = reconstruction_term(model, x[i], [mean[j] + std[j] * noise[i, j] for j in range(M)])
        kl[i] = sum((mean[j] ** 2 + std[j] ** 2 - 1) / 2 - math.log(std[j]) for j in range(M))
    return likelihood, kl


def equation(model, x, seed):
    """What the model's loss stands for, point by point."""
    x = x.numpy()
    if isinstance(model, Autoencoder):
        rebuilt = [numpy_mlp(model.decoder.net, numpy_mlp(model.encoder.net, x[i])) for i in range(N)]
        return sum(sum((x[i, j] - rebuilt[i][j]) ** 2 for j in range(D)) for i in range(N)) / N
    if isinstance(model, MapLatent):
        z = model.z.detach().numpy()
        prior = [sum(norm(0, 1).logpdf(z[i, j]) for j in range(M)) for i in range(N)]
        return -sum(reconstruction_term(model, x[i], z[i]) + prior[i] for i in range(N)) / N
    likelihood, kl = elbo_terms(model, x, seed)
    return -sum(likelihood[i] - kl[i] for i in range(N)) / N


@any_stage
@pytest.mark.parametrize("seed", [0, 1])
def test_the_loss_is_the_equation(stage, seed):
    model, x = build(stage), data()
    assert model.loss(x, torch.arange(N), seeded(seed)).item() == pytest.approx(equation(model, x, seed), rel=1e-12)


@any_stage
def test_every_parameter_gets_the_gradient_of_the_loss(stage):
    model, x = build(stage), data()

    def loss():
        return model.loss(x, torch.arange(N), seeded(0))

    loss().backward()
    for name, parameter in model.named_parameters():
        if stage is Autoencoder and name == "decoder.log_sigma":
            assert parameter.grad is None  # a squared error knows no noise
            continue
        for entry, slope in finite_differences(loss, parameter).items():
            assert parameter.grad.flatten()[entry].item() == pytest.approx(slope, rel=1e-6, abs=1e-8), name


@pytest.mark.parametrize("stage", VARIATIONAL)
def test_the_elbo_is_its_two_named_terms_and_the_loss_minus_its_mean(stage):
    model, x = build(stage), data()
    mean, log_std = model.encode(x, torch.arange(N))
    likelihood, kl = elbo_terms(model, x.numpy(), seed=3)
    elbo = model.elbo(x, torch.arange(N), seeded(3))
    np.testing.assert_allclose(model.expected_log_likelihood(x, mean, log_std, seeded(3)).tolist(), likelihood, rtol=1e-12)
    np.testing.assert_allclose(model.kl(mean, log_std).tolist(), kl, rtol=1e-12)
    np.testing.assert_allclose(elbo.tolist(), likelihood - kl, rtol=1e-12)
    assert model.loss(x, torch.arange(N), seeded(3)).item() == pytest.approx(-elbo.mean().item(), rel=1e-12)


def test_the_joint_density_is_the_likelihood_and_the_prior():
    model, x, z = build(MapLatent), data(), torch.randn(N, M, generator=seeded(2), dtype=torch.float64)
    joint = [reconstruction_term(model, x[i].numpy(), z[i].numpy()) + norm.logpdf(z[i].numpy()).sum() for i in range(N)]
    np.testing.assert_allclose(model.log_joint(x, z).tolist(), joint, rtol=1e-12)


@any_stage
def test_shapes_are_those_of_the_contract(stage):
    model, x, index = build(stage), data()[:3], torch.arange(3)
    codes = model.encode(x, index)
    for code in codes if stage in VARIATIONAL else [codes]:
        assert code.shape == (3, M)
    assert model.decode(torch.zeros(5, M, dtype=torch.float64)).shape == (5, D)
    assert model.reconstruct(x, index).shape == (3, D)
    assert model.loss(x, index, seeded()).shape == ()
    if stage is not Autoencoder:
        assert model.sample(7, seeded()).shape == (7, D)


@any_stage
def test_a_reconstruction_is_the_decoded_code_without_noise(stage):
    model, x = build(stage), data()
    codes = model.encode(x)
    point = codes[0] if stage in VARIATIONAL else codes
    rebuilt = np.stack([numpy_mlp(model.decoder.net, z) for z in point.detach().numpy()])
    np.testing.assert_allclose(model.reconstruct(x).detach().numpy(), rebuilt, rtol=1e-12)


@pytest.mark.parametrize("stage", FREE)
def test_index_picks_the_rows_of_a_table(stage):
    model, x, index = build(stage), data(), torch.tensor([4, 0, 4])
    tables = [model.z] if stage is MapLatent else [model.mean, model.log_std]
    codes = model.encode(x[index], index)
    for code, table in zip([codes] if stage is MapLatent else codes, tables, strict=True):
        assert torch.equal(code, torch.stack([table[4], table[0], table[4]]))
    for code, table in zip([model.encode(x)] if stage is MapLatent else model.encode(x), tables, strict=True):
        assert torch.equal(code, table)  # no index: all of them, in order


@pytest.mark.parametrize("stage", [Autoencoder, VAE])
def test_an_amortized_stage_ignores_the_index(stage):
    model, x = build(stage), data()
    losses = [model.loss(x, index, seeded()).item() for index in (None, torch.arange(N), torch.full((N,), 10**6))]
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize("stage", FREE)
@pytest.mark.parametrize("index", [[0, N], [-1, 0], [10**6]], ids=str)
def test_an_index_without_a_row_is_an_error_that_says_what_to_do(stage, index):
    model, index = build(stage), torch.tensor(index)
    with pytest.raises(IndexError, match=f"index must be between 0 and {N - 1}, got .*latents for {N} data points only.*frozen"):
        model.loss(data()[: len(index)], index, seeded())


def test_a_point_has_no_elbo_and_the_autoencoder_nothing_to_sample_from():
    assert not hasattr(build(Autoencoder), "sample")
    assert not hasattr(build(Autoencoder), "elbo")
    assert not hasattr(build(MapLatent), "elbo")


@pytest.mark.parametrize("stage", FREE + [VAE])
def test_a_generative_stage_samples_from_its_decoder(stage):
    model = build(stage)
    assert torch.equal(model.sample(3, seeded(2)), model.decoder.sample(3, seeded(2)))


def test_free_latents_start_small_and_different():
    points, clouds = (stage(Decoder(M, D, sigma_dec=1.0, generator=seeded()), 2000, generator=seeded(1)) for stage in FREE)
    for table in (points.z, clouds.mean):
        assert table.std().item() == pytest.approx(0.1, rel=4 / math.sqrt(2 * 2000 * M))
    assert (clouds.log_std.exp() < 0.2).all()


def test_an_encoder_that_gives_the_wrong_thing_is_refused():
    g = torch.Generator().manual_seed(0)
    decoder = Decoder(2, 5, sigma_dec=0.5, generator=g)
    with pytest.raises(ValueError, match="gives a distribution, got Encoder"):
        VAE(Encoder(5, 2, generator=g), decoder)
    with pytest.raises(ValueError, match="gives a point, got GaussianEncoder"):
        Autoencoder(GaussianEncoder(5, 2, generator=g), decoder)
    with pytest.raises(ValueError, match="differ in latent_dim: 3 and 2"):
        VAE(GaussianEncoder(5, 3, generator=g), decoder)


@pytest.mark.parametrize("n_points", [0, -1, 2.5])
@pytest.mark.parametrize("stage", [MapLatent, VariationalLatent])
def test_a_table_needs_at_least_one_row(stage, n_points):
    g = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="n_points must be a positive integer"):
        stage(Decoder(2, 5, sigma_dec=0.5, generator=g), n_points, generator=g)


@pytest.mark.parametrize("stage", VARIATIONAL)
def test_a_draw_without_a_generator_is_refused_also_when_the_generator_stands_in_the_place_of_index(stage):
    model, x = build(stage), data()
    for call in (lambda: model.loss(x), lambda: model.elbo(x, torch.arange(N)), lambda: model.sample(3, None)):
        with pytest.raises(ValueError, match="generator must be a torch.Generator, got None"):
            call()
    if stage is VAE:
        with pytest.raises(ValueError, match="generator must be a torch.Generator, got None"):
            model.elbo(x, seeded())


@pytest.mark.parametrize("stage", FREE)
def test_a_forgotten_index_is_no_broadcast(stage):
    model, x = build(stage), data()
    for rows in (1, 3):
        with pytest.raises(ValueError, match=f"x has {rows} rows and index {N}: .* latents for {N} data points, and index says"):
            model.loss(x[:rows], None, seeded())
    with pytest.raises(ValueError, match="x has 3 rows and index 2"):
        model.loss(x[:3], torch.arange(2), seeded())


@pytest.mark.parametrize("index", [[0, 1], 3, slice(0, 2), torch.tensor([True, False]), torch.tensor(1)], ids=str)
@pytest.mark.parametrize("stage", FREE)
def test_an_index_that_is_no_tensor_of_row_numbers_is_refused(stage, index):
    with pytest.raises(ValueError, match=r"index must be a tensor of row numbers, torch\.tensor"):
        build(stage).loss(data()[:2], index, seeded())


@pytest.mark.parametrize("stage", FREE)
def test_codes_without_an_index_are_not_the_table_itself(stage):
    model, x = build(stage), data()
    codes = model.encode(x)
    before = model.loss(x, None, seeded()).item()
    with torch.no_grad():
        (codes if stage is MapLatent else codes[0]).add_(1)
    assert model.loss(x, None, seeded()).item() == before


def test_encoder_and_decoder_that_do_not_fit_are_named():
    g = seeded()
    decoder = Decoder(2, 5, sigma_dec=0.5, generator=g)
    with pytest.raises(ValueError, match="differ in data_dim: 4 and 5"):
        VAE(GaussianEncoder(4, 2, generator=g), decoder)
    with pytest.raises(ValueError, match="the encoder comes first, then the decoder; got Decoder, GaussianEncoder"):
        VAE(decoder, GaussianEncoder(5, 2, generator=g))

    class Mine(torch.nn.Module):
        def forward(self, x):
            return x[:, :2], x[:, 2:4]

    assert VAE(Mine(), decoder).elbo(torch.zeros(3, 5), None, g).shape == (3,)
