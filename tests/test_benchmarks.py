"""The benchmarks: what they compare is the same model, what they store is complete. What they measure is asserted nowhere."""

import json
import math
import pathlib
import re
import sys

import pytest
import torch

ROOT = pathlib.Path(__file__).parents[1]
SCRIPTS = ROOT / "benchmarks"
sys.path.insert(0, str(SCRIPTS))
import budget  # noqa: E402
import epoch  # noqa: E402
import growth  # noqa: E402
import measured  # noqa: E402
import pictures  # noqa: E402

from vae_edu import VAE, Decoder, GaussianEncoder, data  # noqa: E402


def stored(name):
    return json.loads((SCRIPTS / f"{name}.json").read_text(encoding="utf-8"))


def test_the_peers_are_pinned_and_bring_no_second_torch():
    lines = (SCRIPTS / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line.split("#")[0].strip() for line in lines if line.strip() and not line.startswith(("#", "-"))]
    assert {"pythae", "pyro-ppl"} < {package.partition("==")[0] for package in packages}
    assert [package for package in packages if not re.fullmatch(r"[\w-]+==[\d.]+", package) or package.startswith("torch")] == []
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"{name}.json" in {path.name for path in SCRIPTS.glob("*.json")} for name in re.search(r"for name in (.*?);", recipe)[1].split())


def test_the_usual_loop_trains_the_same_model_as_fit():
    d, hidden, m = 64, (256, 256), 8
    plain, g = epoch.Plain(d, hidden, m), torch.Generator().manual_seed(0)
    vae = VAE(GaussianEncoder(d, m, hidden, generator=g), Decoder(m, d, hidden, sigma_dec=epoch.SIGMA, generator=g))
    theirs = [*plain.encoder.parameters(), *plain.decoder.parameters()]
    ours = [*vae.encoder.parameters(), *vae.decoder.net.parameters()]
    with torch.no_grad():
        for a, b in zip(theirs, ours, strict=True):
            a.copy_(b)
        plain.encoder[-1].weight[m:] *= 2  # its encoder gives log s², ours log s
        plain.encoder[-1].bias[m:] *= 2
    x = data.digits().x[:50]
    torch.manual_seed(1)
    loss = plain(x).item()
    constant = d / 2 * math.log(2 * math.pi * epoch.SIGMA**2)
    assert loss + constant == pytest.approx(vae.loss(x, None, torch.Generator().manual_seed(1)).item(), rel=1e-5)


def test_every_way_and_every_cause_is_stored_with_all_its_rounds():
    for name, size in epoch.SIZES.items():
        found = stored("epoch")["sizes"][name]
        assert set(found["seconds"]) == set(epoch.WAYS) and {len(s) for s in found["seconds"].values()} == {size["rounds"]}
        assert set(found["peak memory (MiB)"]) == {"nothing", *epoch.WAYS}
    assert {f"{cause} {value}" for cause, values in growth.VALUES.items() for value in values} < set(stored("growth")["seconds"])
    trained = {(row["way"], row["epochs"], row["seed"]) for row in stored("budget")["trained"]}
    assert trained == {(way, epochs, seed) for way in budget.WAYS for epochs in budget.EPOCHS for seed in budget.SEEDS}
    assert len(stored("pictures")["models"]) == 1 + 3 * len(pictures.SEEDS)


def test_a_ratio_is_that_of_one_round():
    found = measured.ratios({"a": [1.0, 4.0, 9.0], "b": [2.0, 2.0, 3.0]}, "a")
    assert found == {"b": [2.0, 0.5, 3.0]}


def test_a_uniform_density_costs_the_bits_of_a_grey_level():
    assert pictures.bits_per_pixel(0.0, 784) == 8
    assert pictures.bits_per_pixel(784 * math.log(2), 784) == pytest.approx(7)


def test_a_result_is_stored_with_a_list_a_line(tmp_path):
    result = {"seconds": {"a": [1.0, 2.5], "b": [3]}, "rows": [{"x": 1}, {"x": None}]}
    measured.write(tmp_path / "some.py", result)
    text = (tmp_path / "some.json").read_text(encoding="utf-8")
    assert json.loads(text) == result and '"a": [1.0, 2.5]' in text
