"""The data: handwritten digits that ship with scikit-learn, and a toy whose truth is known."""

import gzip
import math
import pathlib
import zlib
from typing import NamedTuple

import numpy as np
import torch


class Images(NamedTuple):
    """x: (N, d) float32 pixels in [0, 1]; y: (N,) labels."""

    x: torch.Tensor
    y: torch.Tensor


def images(pixels, labels, maximum):
    """Images from raw pixels (N, d) in 0 … maximum, divided by maximum.

    Raises ValueError when the shapes do not fit or a pixel is out of range.
    """
    pixels, labels = np.asarray(pixels), np.asarray(labels)
    if pixels.ndim != 2 or len(pixels) == 0 or labels.shape != pixels.shape[:1]:
        raise ValueError(f"pixels must be (N, d) and labels (N,), got {pixels.shape} and {labels.shape}")
    if not (pixels.min() >= 0 and pixels.max() <= maximum and maximum > 0):  # NaN fails too
        raise ValueError(f"pixels must lie between 0 and {maximum}, got {pixels.min():g} to {pixels.max():g}")
    return Images(torch.as_tensor(pixels / maximum, dtype=torch.float32), torch.tensor(labels))


def digits():
    """The 1797 handwritten digits of scikit-learn: 8 × 8 pixels, so d = 64; 17 grey levels 0, 1/16, … 1.

    Source: Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI repository.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("the digits come with scikit-learn: pip install scikit-learn") from error
    raw = load_digits()
    return images(raw.data, raw.target, maximum=16)


def load_idx(pictures, labels):
    """Images from two files as MNIST and its successors have them, compressed (.gz) or not: for 28 × 28 pixels d = 784.

    Divided by 255: 256 grey levels, so ``dequantize(x, generator, levels=256)``.
    Raises FileNotFoundError for files that are not there, ValueError when one is cut short or something else.
    Source: LeCun, Cortes & Burges, the MNIST database (the IDX format).
    """
    x, y = _read_idx(pictures, axes=3), _read_idx(labels, axes=1)
    return images(x.reshape(len(x), math.prod(x.shape[1:])), y.astype(np.int64), maximum=255)


def _read_idx(path, axes):
    """The array of bytes in an IDX file: 0, 0, 8 (bytes), the number of axes, four bytes for each axis, then the data."""
    try:
        raw = pathlib.Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no {path}: load_idx reads files of this machine and downloads none; get MNIST or Fashion-MNIST first, "
            "in Debian by apt install dataset-fashion-mnist"
        ) from None
    try:
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path} is cut short or damaged: its compression ends with {error!r}") from None
    if len(raw) < 4 + 4 * axes or raw[:4] != bytes([0, 0, 8, axes]):
        what = "pictures" if axes == 3 else "labels"
        raise ValueError(f"{path} is no IDX file of {what}: it must begin with the bytes 0 0 8 {axes}, not {[*raw[:4]]}")
    shape = np.frombuffer(raw, ">u4", count=axes, offset=4).astype(int)
    if len(raw) != 4 + 4 * axes + shape.prod():
        raise ValueError(f"{path} says that it holds {tuple(shape.tolist())} bytes, and has {len(raw) - 4 - 4 * axes}")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def split(data, test_fraction=0.2, seed=0):
    """Split Images into train and test by a seeded permutation: every row lands in exactly one.

    Raises ValueError when either part would be empty, and when images and labels differ in number.
    """
    if len(data.x) != len(data.y):
        raise ValueError(f"there must be one label for each image, got {len(data.x)} images and {len(data.y)} labels")
    n_test = round(test_fraction * len(data.x))
    if not 0 < n_test < len(data.x):
        raise ValueError(f"test_fraction must leave images on both sides, got {test_fraction} of {len(data.x)} images")
    order = torch.randperm(len(data.x), generator=torch.Generator().manual_seed(seed))
    test, train = order[:n_test], order[n_test:]
    return Images(data.x[train], data.y[train]), Images(data.x[test], data.y[test])


def dequantize(x, generator, levels=17):
    """(k + u) / levels with k = 0 … levels - 1 the grey level of each pixel and u uniform on [0, 1).

    x: pixels k / (levels - 1). The result has a density; the pixels themselves have none.
    Raises ValueError when x is not on the grid of grey levels. Source: Theis et al. 2016, section 3.1.
    """
    k = (x * (levels - 1)).round()
    if not torch.allclose(k, x * (levels - 1), atol=1e-4) or k.min() < 0 or k.max() > levels - 1:
        raise ValueError(f"x must hold grey levels k/{levels - 1} with k = 0 … {levels - 1}: is it dequantized already?")
    y = (k + torch.rand(x.shape, generator=generator, dtype=x.dtype)) / levels
    return torch.minimum(y, torch.nextafter((k + 1) / levels, torch.zeros_like(x)))  # rounding may reach the next cell


def curve(z):
    """The toy's truth: z (N, 1) → (3/2 tanh z, 4/5 sin 2z) (N, 2), a curve in the plane."""
    return torch.cat([1.5 * torch.tanh(z), 0.8 * torch.sin(2 * z)], dim=-1)


def curve_toy(n, sigma, generator):
    """n points x = curve(z) + sigma ε in the plane with z ~ N(0, 1): returns x (n, 2) and z (n, 1).

    Raises ValueError when sigma is negative.
    """
    if not sigma >= 0:
        raise ValueError(f"sigma is a standard deviation and must not be negative, got {sigma}")
    z = torch.randn(n, 1, generator=generator)
    return curve(z) + sigma * torch.randn(n, 2, generator=generator), z
