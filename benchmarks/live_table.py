"""The live table's engine in Chromium beside fit: epochs of stage 4 a second (64-64-2-64-64, 1438 images, batches of 64).

    make book && OMP_NUM_THREADS=1 python benchmarks/live_table.py

Both train for thirty epochs, in turn, and the browser draws while it trains. Writes live_table.json beside this file: every
round, the medians, and their ratio.
"""

import json
import pathlib
import platform
import statistics
import sys
import time

import torch

from vae_edu import VAE, Decoder, GaussianEncoder, data, fit

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "support"))
from browser import open_browser  # noqa: E402

EPOCHS, ROUNDS = 30, 7
TRAIN = """() => new Promise(done => {
  const figure = document.querySelector('.moving.live'), begin = performance.now();
  figure.querySelector('.main').click();
  const wait = () => figure.live.panes()[0].ended() ? done((performance.now() - begin) / 1000) : setTimeout(wait, 10);
  wait();
})"""


def fit_seconds(x):
    weights = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    encoder = GaussianEncoder(64, 2, (64,), generator=weights[0])
    vae = VAE(encoder, Decoder(2, 64, (64,), sigma_dec=0.15, generator=weights[1]))
    begin = time.perf_counter()
    fit(vae, x, epochs=EPOCHS, batch_size=64, progress=False)
    return time.perf_counter() - begin


def main():
    torch.set_num_threads(1)
    x, rounds = data.split(data.digits())[0].x, []
    with open_browser() as browser:
        tab = browser.new_page()
        tab.goto((ROOT / "_build/html/book/live.html").as_uri())
        fit_seconds(x)
        for _ in range(ROUNDS):
            tab.get_by_role("button", name="Reset").click()
            rounds.append({"browser": EPOCHS / tab.evaluate(TRAIN), "fit": EPOCHS / fit_seconds(x)})
            print("epochs a second:", *(f"{name} {value:.1f}" for name, value in rounds[-1].items()), flush=True)
        version = browser.version
    medians = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    result = {
        "machine": f"{platform.machine()}, one thread, torch {torch.__version__}, Chromium {version}",
        "rounds": rounds,
        "medians": medians,
        "browser / fit": statistics.median(one["browser"] / one["fit"] for one in rounds),
    }
    pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"browser / fit: {result['browser / fit']:.2f}")


if __name__ == "__main__":
    main()
