"""Several workers: their mean gradient is that of one, a break changes no number, and nobody waits for the dead."""

import os
import pathlib
import pickle
import socket
import subprocess
import sys

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_edu import data

EXAMPLE = pathlib.Path(__file__).parents[1] / "examples" / "workers.py"
sys.path.insert(0, str(EXAMPLE.parent))
import workers  # noqa: E402

pytestmark = pytest.mark.slow

LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"}  # a host's own name may lead nowhere
SETTINGS = {"workers": 2, "batch_size": 512, "lr": 3e-3}
PROGRAM = """
import pathlib, sys, torch
import torch.distributed as dist
import workers

dist.init_process_group("gloo")
rank, folder = dist.get_rank(), pathlib.Path(sys.argv[1])
vae = workers.digits_vae()
loss = workers.DistributedDataParallel(workers.Loss(vae))
x = workers.data.digits().x[:64]
loss(x[rank::2], None, torch.Generator().manual_seed(rank)).backward()
torch.save([p.grad for p in vae.parameters() if p.requires_grad], folder / f"gradient-{rank}.pt")
met, forward = [], workers.Loss.forward
def watched(self, x, index, generator):
    met.append((generator.initial_seed(), index.tolist()))
    return forward(self, x, index, generator)
workers.Loss.forward = watched
for path, epochs in (("whole.pt", 2), ("parts.pt", 1), ("parts.pt", 2)):
    workers.train(folder / path, epochs, 512, 3e-3)
    dist.barrier()
torch.save(met, folder / f"met-{rank}.pt")
dist.destroy_process_group()
"""


def start(*arguments):
    """Two workers on this machine, as torchrun starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "PYTHONPATH": str(EXAMPLE.parent)}
    env |= LOOPBACK if sys.platform != "win32" else {}
    return [
        subprocess.Popen(
            [sys.executable, "-u", *map(str, arguments)],
            env=env | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two workers left behind."""
    folder = tmp_path_factory.mktemp("workers")
    for worker in start("-c", PROGRAM, folder):
        _, stderr = worker.communicate(timeout=120)
        assert worker.returncode == 0, stderr
    return folder


def test_the_mean_over_two_workers_is_the_gradient_of_one_on_all_their_images(folder):
    vae, x = workers.digits_vae(), data.digits().x[:64]
    x = torch.cat([x[0::2], x[1::2]])
    epsilon = torch.cat([torch.randn(32, 8, generator=torch.Generator().manual_seed(rank)) for rank in range(2)])
    mean, log_std = vae.encode(x)
    q = Normal(mean, log_std.exp())
    log_p = Normal(vae.decode(mean + log_std.exp() * epsilon), 0.15).log_prob(x).sum(-1)
    loss = -(log_p - kl_divergence(q, Normal(0.0, 1.0)).sum(-1)).mean()
    parameters = [p for p in vae.parameters() if p.requires_grad]
    expected = torch.autograd.grad(loss, parameters)
    for rank in range(2):
        found = torch.load(folder / f"gradient-{rank}.pt")
        for a, b in zip(found, expected, strict=True):
            assert (a - b).norm() <= 1e-6 * b.norm()


def test_each_worker_meets_other_images_with_other_noise_and_together_they_meet_all_in_each_epoch(folder):
    met = [torch.load(folder / f"met-{rank}.pt") for rank in range(2)]
    seeds = [{seed for seed, _ in worker} for worker in met]
    assert seeds[0].isdisjoint(seeds[1]) and len(seeds[0] | seeds[1]) == 4  # two epochs
    orders = []
    for epoch in range(2):
        steps = [worker[3 * epoch : 3 * epoch + 3] for worker in met]  # of 256, 256 and 207 images
        orders.append([i for worker in steps for _, index in worker for i in index])
        assert sorted(orders[-1]) == list(range(1438))
    assert orders[0] != orders[1]


def test_after_a_break_the_training_ends_where_it_would_have_ended(folder):
    whole, parts = (torch.load(folder / name) for name in ("whole.pt", "parts.pt"))
    assert whole["epochs"] == parts["epochs"] == 2
    assert all(torch.equal(value, parts["model"][name]) for name, value in whole["model"].items())
    start = workers.digits_vae().state_dict()
    assert not torch.equal(whole["model"]["encoder.net.0.weight"], start["encoder.net.0.weight"])


def test_when_a_worker_is_killed_the_other_ends_and_says_what_to_do(tmp_path):
    path = tmp_path / "vae.pt"
    survivor, killed = start(EXAMPLE, path, "--epochs", 100_000)
    assert survivor.stdout.readline() == "epoch 1 of 100000\n"
    killed.kill()
    _, stderr = survivor.communicate(timeout=60)
    killed.communicate()
    assert survivor.returncode == 1
    assert "worker 0 of 2 stopped: " in stderr and "Traceback" not in stderr
    assert "another worker has ended or hangs. The same command goes on from the last complete epoch." in stderr
    assert torch.load(path)["epochs"] >= 1


# The checkpoint


@pytest.fixture
def training():
    vae = workers.digits_vae()
    return vae, torch.optim.Adam(vae.parameters(), fused=True)


def test_without_a_checkpoint_a_training_begins_at_the_beginning(tmp_path, training):
    assert workers.load(tmp_path / "vae.pt", *training, SETTINGS) == 0


class Harmful:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("harmed"),)


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is cut short or is no checkpoint: move it away"),
    (lambda path: path.write_bytes(b""), "is cut short or is no checkpoint"),
    (lambda path: path.write_text("words"), "is cut short or is no checkpoint"),
    (lambda path: path.write_bytes(pickle.dumps(Harmful(), protocol=2)), "is cut short or is no checkpoint"),
    (lambda path: torch.save(Harmful(), path), "is cut short or is no checkpoint"),
    (lambda path: torch.save(torch.zeros(3), path), "holds something else than a checkpoint"),
    (lambda path: torch.save(torch.load(path) | {"settings": SETTINGS | {"workers": 4}}, path), "training with {'workers': 4, .*this one has"),
], ids=["cut short", "empty", "words", "pickle", "code", "a tensor", "other settings"])  # fmt: skip
def test_a_checkpoint_that_is_none_is_refused_and_changes_nothing(folder, tmp_path, training, monkeypatch, spoil, message):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "vae.pt"
    path.write_bytes((folder / "whole.pt").read_bytes())
    spoil(path)
    vae, optimizer = training
    with pytest.raises(ValueError, match=message):
        workers.load(path, vae, optimizer, SETTINGS)
    assert all(torch.equal(a, b) for a, b in zip(vae.parameters(), workers.digits_vae().parameters(), strict=True))
    assert not optimizer.state and not (tmp_path / "harmed").exists()


def test_a_checkpoint_is_replaced_whole_or_not_at_all(folder, tmp_path, training, monkeypatch):
    path = tmp_path / "vae.pt"
    path.write_bytes((folder / "whole.pt").read_bytes())

    def full_disk(state, beside):
        beside.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space left"):
        workers.save(path, {})
    assert workers.load(path, *training, SETTINGS) == 2
