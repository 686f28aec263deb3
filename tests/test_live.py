"""The engine of the live table, run in node: what its page (book/live.ipynb) does not check against PyTorch already."""

import pytest
import torch
from engine import TRAIN, engine

from vae_edu import VAE, Autoencoder, Decoder, Encoder, GaussianEncoder, MapLatent, VariationalLatent, data, fit, live

def seeded(seed):
    return torch.Generator().manual_seed(seed)


def by_fit(stage, x, seed, epochs):
    """The last training loss that ``fit`` reports for the same stage, network and settings."""
    decoder, g = Decoder(2, 64, (64,), sigma_dec=0.15, generator=seeded(seed)), seeded(seed + 100)
    model = {
        1: lambda: Autoencoder(Encoder(64, 2, (64,), generator=g), decoder),
        2: lambda: MapLatent(decoder, len(x), generator=g),
        3: lambda: VariationalLatent(decoder, len(x), generator=g),
        4: lambda: VAE(GaussianEncoder(64, 2, (64,), generator=g), decoder),
    }[stage]()
    return fit(model, x, epochs=epochs, batch_size=64, seed=seed, progress=False).loss[-1]


@pytest.mark.slow
def test_the_engine_reaches_what_fit_reaches_within_the_spread_over_seeds():
    x = data.digits().x[:640]
    found = engine(TRAIN, {"x": x.tolist(), "stages": [1, 2, 3, 4], "seeds": [0, 1, 2, 3], "epochs": 15})
    for stage, ours in enumerate(found, 1):
        theirs = [by_fit(stage, x, seed, 15) for seed in range(4)]
        spread = max(ours + theirs) - min(ours + theirs)
        assert min(theirs) - 0.5 * spread < min(ours) and max(ours) < max(theirs) + 0.5 * spread
        assert abs(sum(ours) - sum(theirs)) / 4 < 0.6 * spread + 1e-9


def test_decoders_of_one_seed_are_the_same_in_all_stages_and_another_seed_gives_another():
    script = """
    const decoders = [1, 2, 3, 4].flatMap((stage) => [0, 1].map((seed) =>
      Array.from(createStage({stage, N: 5, d: 64, m: 2, hidden: [8], sigma: 1, seed}).decoder.layers[1].W)));
    console.log(JSON.stringify(decoders));"""
    first, other, *rest = engine(script, None)
    assert first != other and rest == [first, other] * 3


def test_a_held_out_image_is_searched_with_the_decoder_frozen_and_comes_nearer():
    script = """
    const {x, stage} = JSON.parse(require("fs").readFileSync(0)), images = Float64Array.from(x.slice(20).flat());
    const model = createStage({stage, N: x.length - 20, d: 64, m: 2, hidden: [64], sigma: 0.15, seed: 0});
    const training = createTraining(model, images, {epochs: 15, batch: 64, seed: 0, weight: () => 1});
    while (!training.ended()) training.step();
    const before = Array.from(model.theta), held = Float64Array.from(x.slice(0, 20).flat());
    const error = (steps) => {
      const rows = heldOutRows(model, held, images, steps), z = new Float64Array(40);
      for (let i = 0; i < 20; i++) for (let j = 0; j < 2; j++) z[2 * i + j] = rows[i * model.width + j];
      return forward(model.decoder, z, 20).at(-1).reduce((sum, f, k) => sum + (f - held[k]) ** 2 / 20, 0);
    };
    console.log(JSON.stringify([error(0), error(60), before.every((v, k) => v === model.theta[k])]));"""
    x = data.digits().x[:660].tolist()
    for stage in (2, 3):
        start, found, untouched = engine(script, {"x": x, "stage": stage})
        assert found < 0.97 * start and untouched


def test_random_numbers_are_standard_normal_and_each_order_is_a_permutation():
    script = """
    const random = randomNumbers(3), values = Array.from({length: 40000}, random.normal);
    console.log(JSON.stringify([values, [1, 2].map(() => Array.from(random.shuffled(50)))]));"""
    values, (first, second) = engine(script, None)
    values = torch.tensor(values, dtype=torch.float64)
    moments = torch.stack([values.mean(), values.var() - 1, (values**4).mean() - 3]) * 200  # standard errors 1, √2, √96
    assert (moments.abs() < torch.tensor([4.0, 5.7, 39.2])).all()
    assert sorted(first) == sorted(second) == list(range(50)) and first != second


@pytest.mark.parametrize("experiment", live.EXPERIMENTS, ids=lambda experiment: experiment["name"])
def test_an_experiment_asks_says_what_to_expect_and_names_a_chapter_or_none(experiment):
    assert experiment["question"].endswith("?") or experiment["question"].count("?") > 0
    assert len(experiment["expect"]) > 60
    known = {"first", "second", "sigma", "learn", "weight", "warm", "start", "width", "lr", "epochs", "seed"}
    assert set(experiment) - {"name", "question", "expect"} <= known


def test_images_are_packed_a_letter_each_and_lose_nothing():
    x = data.digits().x[:3]
    assert [(ord(letter) - 65) / 16 for letter in live._pack(x)] == x.flatten().tolist()
