"""Stage 4 on the digits, trained by several workers at once, on one machine or many.

    torchrun --nproc-per-node 2 examples/workers.py vae.pt --epochs 40
    torchrun --nnodes 2 --node-rank 0 --master-addr HOST --nproc-per-node 8 examples/workers.py vae.pt

Each worker holds the whole model and sees its share of the images; after the backward pass
DistributedDataParallel replaces every worker's gradient by the mean over the workers. With shares of equal size that
is the gradient of the mean over all their images, so W workers with batches of b are one with batches of W b.

After each epoch the first worker writes the checkpoint, on a disk that all of them see. The same command again goes
on from there, with as many workers as before, and ends with the numbers that a run without a break ends with. NCCL
carries the gradients between GPUs, Gloo between processors.
"""

import argparse
import datetime
import os
import pathlib
import pickle

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler

from vae_edu import VAE, Decoder, GaussianEncoder, data


class Loss(nn.Module):
    """A stage's loss as a forward pass, which is where DistributedDataParallel listens."""

    def __init__(self, stage):
        super().__init__()
        self.stage = stage

    def forward(self, x, index, generator):
        return self.stage.loss(x, index, generator)


def digits_vae():
    """The same weights in every worker."""
    generator = torch.Generator().manual_seed(0)
    encoder = GaussianEncoder(64, 8, (256, 256), generator=generator)
    return VAE(encoder, Decoder(8, 64, (256, 256), sigma_dec=0.15, generator=generator))


def save(path, state):
    """Write a checkpoint whole or not at all: beside its place, then into it."""
    beside = path.with_name(path.name + ".new")
    torch.save(state, beside)
    os.replace(beside, path)


def load(path, model, optimizer, settings):
    """The epochs that a checkpoint has behind it, 0 where there is none; model and optimizer get its numbers.

    Only tensors and numbers are read, never code. Raises ValueError for a file that is cut short, is no checkpoint, or
    belongs to another training; model and optimizer are then as they were.
    """
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is cut short or is no checkpoint: move it away to begin anew") from error
    if not isinstance(state, dict) or state.keys() != {"settings", "epochs", "model", "optimizer"}:
        raise ValueError(f"{path} holds something else than a checkpoint of this script")
    if state["settings"] != settings:
        raise ValueError(f"{path} belongs to a training with {state['settings']}, this one has {settings}")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["epochs"]


def train(path, epochs, batch_size, lr):
    """Every worker runs this; returns the model."""
    rank, workers = dist.get_rank(), dist.get_world_size()
    device = torch.device("cpu")
    if dist.get_backend() == "nccl":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    x = data.split(data.digits())[0].x.to(device)
    vae = digits_vae().to(device)
    loss = DistributedDataParallel(Loss(vae))
    optimizer = torch.optim.Adam(vae.parameters(), lr=lr, fused=True)
    settings = {"workers": workers, "batch_size": batch_size, "lr": lr}
    start = load(path, vae, optimizer, settings)
    share = DistributedSampler(x, seed=0)  # shuffled anew for each epoch; every worker gets equally many images
    for epoch in range(start, epochs):
        share.set_epoch(epoch)
        generator = torch.Generator(device).manual_seed(epoch * workers + rank)  # noise of its own for each worker
        for index in torch.tensor(list(share), device=device).split(batch_size // workers):
            optimizer.zero_grad()
            loss(x[index], index, generator).backward()  # ends with the mean over the workers
            optimizer.step()
        if rank == 0:
            state = {"model": vae.state_dict(), "optimizer": optimizer.state_dict()}
            save(path, {"settings": settings, "epochs": epoch + 1, **state})
            print(f"epoch {epoch + 1} of {epochs}", flush=True)
    return vae


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=128, help="images in a step, of all workers together")
    parser.add_argument("--lr", type=float, default=3e-3)
    given = parser.parse_args()
    if "RANK" not in os.environ:
        parser.error("start it with torchrun, which numbers the workers: torchrun --nproc-per-node 2 " + parser.prog)
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=datetime.timedelta(minutes=2))
    rank, workers = dist.get_rank(), dist.get_world_size()
    if given.batch_size % workers:
        parser.error(f"a batch of {given.batch_size} cannot be shared among {workers} workers")
    try:
        train(given.checkpoint, given.epochs, given.batch_size, given.lr)
    except ValueError as error:
        raise SystemExit(f"worker {rank}: {error}") from None
    except RuntimeError as error:  # from Gloo or NCCL, where the gradients of the others do not come
        raise SystemExit(
            f"worker {rank} of {workers} stopped: {str(error).splitlines()[0]}\nIf a connection broke or timed out, another "
            "worker has ended or hangs. The same command goes on from the last complete epoch."
        ) from error
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
