"""The live table on its page: all four stages train in Chromium, and each experiment does what its line says."""

import json
import re

import pytest
from engine import TRAIN, engine

from vae_edu import data, live

PAGE = "book/live.html"
LAST = "figure => figure.live.panes().map(pane => pane.history.at(-1))"


@pytest.fixture
def figure(tab, origin):
    tab.goto(f"{origin}/{PAGE}")
    return tab.locator(".moving.live")


def train(figure, timeout=60_000):
    figure.get_by_role("button", name="Train", exact=True).click()
    figure.get_by_role("button", name="Train again").wait_for(timeout=timeout)


def test_nothing_runs_before_somebody_asks_and_the_page_is_light(figure, tab, html):
    tab.wait_for_timeout(300)
    assert figure.evaluate("figure => figure.live.panes()[0].epoch()") == 0
    assert (html / PAGE).stat().st_size < 350_000


def test_all_four_stages_train_in_the_browser_as_the_engine_does_in_node(figure):
    x = data.split(data.digits())[0].x
    expected = engine(TRAIN, {"x": x.tolist(), "stages": [1, 2, 3, 4], "seeds": [0], "epochs": 30})
    for stage, (loss,) in enumerate(expected, 1):
        figure.get_by_role("button", name=re.compile(rf"^{stage} · ")).click()
        train(figure)
        (last,) = figure.evaluate(LAST)
        assert last["loss"] == pytest.approx(loss, rel=1e-9)
        words = figure.locator(".numbers").inner_text()
        assert words.startswith("Epoch 30") and f"{last['misfit']:.1f}".replace("-", "−") in words.replace("error", "")


def test_two_cells_start_from_the_same_decoder_and_a_link_restores_the_settings(figure, tab, origin):
    figure.get_by_role("button", name="Free against amortized").click()
    assert figure.locator(".pane").count() == 2
    weights = figure.evaluate("figure => figure.live.panes().map(pane => Array.from(pane.model.decoder.layers[1].W))")
    assert weights[0] == weights[1]
    figure.get_by_label("σ of the decoder").press("ArrowRight")
    asked = figure.evaluate("figure => ({...figure.live.state})")
    link = figure.get_by_role("link", name="link to these settings").get_attribute("href")
    assert link.startswith("?")
    tab.goto("about:blank")
    tab.goto(f"{origin}/{PAGE}{link}")
    assert tab.locator(".moving.live").evaluate("figure => ({...figure.live.state})") == asked
    assert asked["sigma"] == 0.2 and asked["first"] == 3 and asked["second"] == 4


def test_a_link_with_nonsense_changes_nothing_else(tab, origin):
    tab.goto(f"{origin}/{PAGE}?sigma=7&first=9&seed=3&lr=x")
    state = tab.locator(".moving.live").evaluate("figure => ({...figure.live.state})")
    assert (state["sigma"], state["first"], state["seed"], state["lr"]) == (0.15, 4, 3, 0.003)


def test_it_can_be_worked_from_the_keyboard_and_says_its_state_in_words(figure, tab):
    button = figure.get_by_role("button", name="One step")
    button.focus()
    tab.keyboard.press("Enter")
    assert 0 < figure.evaluate("figure => figure.live.panes()[0].epoch()") < 1
    assert "Epoch 0.0" in figure.locator(".said").inner_text()
    figure.get_by_role("button", name="Train", exact=True).or_(figure.get_by_role("button", name="Go on")).first.focus()
    tab.keyboard.press("Enter")
    figure.get_by_role("button", name="Pause").wait_for()
    tab.keyboard.press("Enter")
    assert not figure.evaluate("figure => figure.live.running()")
    assert "Stage 4. Epoch" in figure.locator(".said").inner_text()
    figure.get_by_role("button", name="Reset").press("Enter")
    assert figure.evaluate("figure => figure.live.panes()[0].epoch()") == 0


def test_the_page_stays_awake_while_it_trains(figure):
    figure.get_by_role("button", name="Train", exact=True).click()
    longest = figure.evaluate("""() => new Promise(done => {
      let last = performance.now(), worst = [], end = last + 1000;
      const beat = () => { const now = performance.now(); worst.push(now - last); last = now; now < end ? setTimeout(beat) : done(worst.sort((a, b) => b - a)); };
      beat(); })""")
    assert len(longest) > 8  # it got its turn again and again


# ---- the eight experiments, with five seeds each

SCRIPT = """
const {x, runs} = JSON.parse(require("fs").readFileSync(0)), images = Float64Array.from(x.flat()), N = x.length;
console.log(JSON.stringify(runs.map((s) => [0, 1, 2, 3, 4].map((seed) => {
  const model = createStage({stage: s.first, N, d: 64, m: 2, hidden: [64], sigma: s.sigma, learnSigma: false, seed, logStd: s.start});
  const training = createTraining(model, images, {
    epochs: s.epochs, batch: 64, lr: s.lr, seed, weight: (epoch) => s.weight * (s.warm ? Math.min(1, epoch / s.warm) : 1)});
  const history = [];
  while (!training.ended()) { const means = training.step(); if (means) history.push({...means}); }
  const rows = rowsOf(model, images, Int32Array.from({length: N}, (_, i) => i), N).at(-1);
  const at = (i, j) => rows[i * model.width + j];
  let spread = 0, moment = 0;
  for (let i = 0; i < N; i++) for (let j = 0; j < 2; j++) {
    const s2 = model.point ? 0 : Math.exp(2 * at(i, 2 + j));
    spread += s2 / (2 * N);
    moment += (at(i, j) ** 2 + s2) / (2 * N);
  }
  return {...history.at(-1), rms: Math.sqrt(spread), moment, history: history.map((h) => [h.misfit, h.prior])};
}))));"""
PLAIN = {"first": 4, "second": 0, "sigma": 0.15, "weight": 1, "warm": 0, "start": -2, "lr": 0.003, "epochs": 30}


@pytest.fixture(scope="module")
def runs():
    """runs(name, **changes): five trainings of an experiment."""
    x = data.split(data.digits())[0].x.tolist()
    settings = {e["name"]: {key: e[key] for key in PLAIN if key in e} for e in live.EXPERIMENTS}
    cache = {}

    def run(name, **changes):
        asked = PLAIN | settings[name] | changes
        key = json.dumps(asked)
        if key not in cache:
            (cache[key],) = engine(SCRIPT, {"x": x, "runs": [asked]})
        return cache[key]

    return run


def each(runs, part):
    return [run[part] for run in runs]


def test_sigma_1_and_a_mean_for_a_sum_collapse(runs):
    for name in ("σ = 1", "Mean for sum"):
        assert max(each(runs(name), "prior")) < 0.05


def test_sigma_015_has_narrow_ellipses_and_the_priors_scale(runs):
    found = runs("σ = 0.15")
    assert 0.08 < min(each(found, "rms")) and max(each(found, "rms")) < 0.14
    assert 4 < min(each(found, "prior")) and max(each(found, "prior")) < 5
    assert 0.75 < min(each(found, "moment")) and max(each(found, "moment")) < 1.1


def test_without_the_kl_the_misfit_hardly_changes_and_the_kl_more_than_doubles(runs):
    for free, charged in zip(runs("KL off"), runs("σ = 0.15"), strict=True):
        assert abs(free["misfit"] - charged["misfit"]) < 1.5
        assert free["prior"] > 2 * charged["prior"] and free["rms"] < 0.02


def test_map_runs_away(runs):
    for run in runs("MAP runs away"):
        misfit, prior = zip(*run["history"], strict=True)
        assert max(prior) == max(prior[5:30])  # first they spread
        assert prior[20] > prior[30] > prior[40] > prior[59] and misfit[20] > misfit[30] > misfit[40] > misfit[59]


def test_stage_3_has_the_better_training_loss_than_stage_4(runs):
    for free, amortized in zip(runs("Free against amortized"), runs("Free against amortized", first=4), strict=True):
        assert 3 < amortized["loss"] - free["loss"] < 14


def test_warm_up_saves_latents_from_large_steps(runs):
    assert min(each(runs("Warm-up"), "prior")) > 2
    assert sum(prior < 1.5 for prior in each(runs("Warm-up", warm=0), "prior")) == 4


def test_a_wide_start_costs_the_table_many_nats(runs):
    for wide, narrow in zip(runs("A wide start"), runs("A wide start", start=-2), strict=True):
        assert 12 < wide["loss"] - narrow["loss"] < 25
