"""networks.py against a forward pass in numpy, scipy's densities and the moments of the linear model."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from oracles import numpy_mlp

from vae_edu import Decoder, Encoder, GaussianEncoder, MapLatent, VariationalLatent
from vae_edu.networks import mlp

PIXELS = torch.tensor([0.1, 0.5, 2.0, 1.0])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def numbers(*shape, seed=1, dtype=torch.float64):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


@pytest.mark.parametrize("sizes", [(3, 2), (3, 8, 2), (3, 8, 5, 2)], ids=str)
def test_mlp_is_the_forward_pass_written_out_in_numpy(sizes):
    net, x = mlp(sizes, seeded()).double(), numbers(6, sizes[0])
    written_out = np.stack([numpy_mlp(net, row) for row in x.numpy()])
    np.testing.assert_allclose(net(x).detach().numpy(), written_out, rtol=1e-12, atol=1e-12)


def test_an_mlp_without_hidden_layers_is_affine():
    net = mlp((3, 2), seeded())
    a, b, t = numbers(5, 3, dtype=torch.float32), numbers(5, 3, seed=2, dtype=torch.float32), 2.5
    torch.testing.assert_close(net(a + t * (b - a)), net(a) + t * (net(b) - net(a)), rtol=1e-5, atol=1e-5)


def test_initial_weights_are_uniform_within_one_over_the_root_of_the_inputs():
    net = mlp((100, 400, 1), seeded())
    for parameter, inputs in zip(net.parameters(), (100, 100, 400, 400), strict=True):
        values, bound = parameter.detach().flatten().numpy(), 1 / math.sqrt(inputs)
        assert scipy.stats.kstest(values, scipy.stats.uniform(-bound, 2 * bound).cdf).pvalue > 1e-4


@pytest.mark.parametrize("make", [
    lambda generator: mlp((3, 4, 2), generator),
    lambda generator: Encoder(4, 2, (3,), generator=generator),
    lambda generator: GaussianEncoder(4, 2, (3,), generator=generator),
    lambda generator: Decoder(2, 4, (3,), sigma_dec=0.5, generator=generator),
    lambda generator: MapLatent(Decoder(2, 4, sigma_dec=0.5, generator=generator), 5, generator=generator),
    lambda generator: VariationalLatent(Decoder(2, 4, sigma_dec=0.5, generator=generator), 5, generator=generator),
], ids=["mlp", "Encoder", "GaussianEncoder", "Decoder", "MapLatent", "VariationalLatent"])  # fmt: skip
def test_weights_depend_on_the_generator_alone(make):
    before = torch.get_rng_state()
    first, again, other = (list(make(seeded(seed)).parameters()) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_encoders_map_data_to_a_point_or_to_mean_and_log_std():
    x = numbers(6, 4, dtype=torch.float32)
    assert Encoder(4, 2, (3,), generator=seeded())(x).shape == (6, 2)
    mean, log_std = GaussianEncoder(4, 2, (3,), generator=seeded())(x)
    assert mean.shape == log_std.shape == (6, 2)
    assert (mean != log_std).all()


@pytest.mark.parametrize("sigma_dec", [0.3, PIXELS], ids=["one sigma", "one per pixel"])
def test_log_likelihood_is_scipys_density_around_the_decoded_mean(sigma_dec):
    decoder = Decoder(2, 4, (5,), sigma_dec=sigma_dec, generator=seeded()).double()
    x, z, std = numbers(6, 4), numbers(6, 2, seed=2), np.broadcast_to(sigma_dec, 4)
    for i, ours in enumerate(decoder.log_likelihood(x, z).tolist()):
        mean, covariance = numpy_mlp(decoder.net, z[i].numpy()), np.diag(std.astype(float) ** 2)
        theirs = scipy.stats.multivariate_normal(mean, covariance).logpdf(x[i].numpy())
        assert ours == pytest.approx(theirs, rel=1e-6)  # sigma_dec was given in single precision


@pytest.mark.parametrize("sigma_dec", [0.5, PIXELS], ids=["one sigma", "one per pixel"])
def test_samples_of_a_linear_decoder_have_mean_b_and_covariance_w_wt_plus_sigma_squared(sigma_dec):
    decoder, n = Decoder(2, 4, sigma_dec=sigma_dec, generator=seeded(3)), 40_000
    with torch.no_grad():
        x = decoder.sample(n, seeded())
        W, b = decoder.net[0].weight, decoder.net[0].bias
        C = W @ W.T + torch.diag(torch.as_tensor(sigma_dec).expand(4) ** 2)
    assert x.shape == (n, 4)
    assert ((x.mean(0) - b).abs() < 4 * (C.diagonal() / n).sqrt()).all()
    standard_error = ((C**2 + torch.outer(C.diagonal(), C.diagonal())) / n).sqrt()  # of a normal sample's covariance
    assert ((torch.cov(x.T) - C).abs() < 4 * standard_error).all()


def test_samples_follow_the_generator_and_the_dtype():
    decoder = Decoder(2, 4, (5,), sigma_dec=0.5, generator=seeded())
    assert torch.equal(decoder.sample(3, seeded(7)), decoder.sample(3, seeded(7)))
    assert decoder.sample(3, seeded()).dtype == torch.float32
    assert decoder.double().sample(3, seeded()).dtype == torch.float64


def test_sigma_dec_is_kept_as_a_logarithm_and_learned_only_on_demand():
    fixed = Decoder(2, 4, sigma_dec=0.25, generator=seeded())
    learned = Decoder(2, 4, sigma_dec=PIXELS, learn_sigma=True, generator=seeded())
    assert fixed.log_sigma.item() == pytest.approx(math.log(0.25))
    assert not fixed.log_sigma.requires_grad
    assert torch.allclose(learned.log_sigma.exp(), PIXELS)
    assert learned.log_sigma.requires_grad


@pytest.mark.parametrize("sizes", [(0, 2), (3, -1), (3, 4.0, 2), (3, "4")], ids=str)
def test_a_layer_size_must_be_a_positive_integer(sizes):
    with pytest.raises(ValueError, match="each layer size of .* must be a positive integer, got"):
        mlp(sizes, seeded())


@pytest.mark.parametrize("sigma_dec", [0.0, -0.1, math.nan, math.inf, [0.1, 0.0, 1.0, 1.0]], ids=str)
def test_sigma_dec_must_be_positive_and_finite(sigma_dec):
    with pytest.raises(ValueError, match="sigma_dec is a standard deviation and must be positive and finite, got"):
        Decoder(2, 4, sigma_dec=sigma_dec, generator=seeded())


@pytest.mark.parametrize("length", [1, 2, 5])
def test_sigma_dec_is_one_number_or_one_per_dimension(length):
    with pytest.raises(ValueError, match=rf"sigma_dec must be one number or \(4,\), got \({length},\)"):
        Decoder(2, 4, sigma_dec=torch.ones(length), generator=seeded())


@pytest.mark.parametrize("build", [Encoder, GaussianEncoder])
def test_hidden_as_a_single_number_is_told_how_a_tuple_is_written(build):
    with pytest.raises(ValueError, match=r"hidden is a tuple .* such as \(8,\), got 8"):
        build(4, 2, 8, generator=seeded())
    with pytest.raises(ValueError, match=r"hidden is a tuple .* such as \(8,\), got 8"):
        Decoder(2, 4, 8, sigma_dec=0.5, generator=seeded())


def test_numpys_integers_are_integers_and_true_is_none():
    assert Encoder(np.int64(4), np.int32(2), (np.int64(3),), generator=seeded())(torch.zeros(1, 4)).shape == (1, 2)
    with pytest.raises(ValueError, match="positive integer, got True"):
        mlp((4, True), seeded())


def test_an_image_of_another_width_is_not_broadcast():
    decoder = Decoder(2, 1, sigma_dec=0.5, generator=seeded())
    with pytest.raises(ValueError, match=r"x must be \(N, 1\), as the decoder's images are, got \(6, 2\)"):
        decoder.log_likelihood(torch.zeros(6, 2), torch.zeros(6, 2))
