"""data.py: the digits are scikit-learn's, a split is a partition, and the toy's truth is what it says."""

import gzip
import math
import struct
import sys

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.datasets import load_digits

from vae_edu import data

LEVELS = torch.arange(17, dtype=torch.float32) / 16


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_digits_are_scikit_learns_divided_by_16():
    digits, raw = data.digits(), load_digits()
    assert digits.x.shape == (1797, 64)
    assert digits.x.dtype == torch.float32
    np.testing.assert_array_equal(digits.x.numpy() * 16, raw.data)
    np.testing.assert_array_equal(digits.y.numpy(), raw.target)
    assert digits.x.unique().tolist() == LEVELS.tolist()


def test_the_digits_ask_for_scikit_learn_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="the digits come with scikit-learn: pip install scikit-learn"):
        data.digits()


@pytest.mark.parametrize("maximum", [1, 16, 255])
def test_images_are_divided_by_the_maximum(maximum):
    images = data.images([[0, maximum], [maximum / 2, maximum / 4]], [7, 8], maximum)
    assert images.x.tolist() == [[0, 1], [0.5, 0.25]]
    assert images.x.dtype == torch.float32
    assert images.y.tolist() == [7, 8]


@pytest.mark.parametrize(("pixels", "labels"), [
    (np.zeros((2, 3, 3)), [0, 1]), (np.zeros(4), [0]), (np.zeros((2, 4)), [0, 1, 2]), (np.zeros((2, 4)), [[0], [1]]),
], ids=["not flat", "one image", "too many labels", "column of labels"])  # fmt: skip
def test_images_want_one_row_and_one_label_each(pixels, labels):
    with pytest.raises(ValueError, match=r"pixels must be \(N, d\) and labels \(N,\), got"):
        data.images(pixels, labels, 16)


@pytest.mark.parametrize("pixel", [17.0, -0.5, math.nan, math.inf])
def test_a_pixel_out_of_range_is_refused(pixel):
    with pytest.raises(ValueError, match="pixels must lie between 0 and 16, got"):
        data.images([[0.0, pixel], [1.0, 2.0]], [0, 1], 16)


# Files as MNIST has them

PICTURES = np.arange(30, dtype=np.uint8).reshape(5, 2, 3) * 8
LABELS = np.array([3, 1, 4, 1, 5], dtype=np.uint8)


def idx(array):
    return struct.pack(f">2xBB{array.ndim}I", 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def files(tmp_path):
    """files(pictures, labels): the paths of two files with these bytes."""

    def files(pictures=idx(PICTURES), labels=idx(LABELS)):
        paths = tmp_path / "pictures", tmp_path / "labels"
        for path, content in zip(paths, (pictures, labels), strict=True):
            path.write_bytes(content)
        return paths

    return files


@pytest.mark.parametrize("store", [lambda raw: raw, gzip.compress], ids=["as it is", "gzip"])
def test_pictures_and_labels_of_two_idx_files_become_images(files, store):
    found = data.load_idx(*files(store(idx(PICTURES)), store(idx(LABELS))))
    assert found.x.dtype == torch.float32
    np.testing.assert_array_equal(found.x.numpy(), PICTURES.reshape(5, 6).astype(np.float32) / np.float32(255))
    assert found.y.tolist() == LABELS.tolist() and found.y.dtype == torch.int64


def test_256_grey_levels_can_be_dequantized(files):
    x = data.load_idx(*files()).x
    y = data.dequantize(x, seeded(), levels=256)
    assert torch.equal((256 * y).floor(), 255 * x)


@pytest.mark.parametrize(("pictures", "labels", "message"), [
    (idx(PICTURES)[:-1], idx(LABELS), r"pictures says that it holds \(5, 2, 3\) bytes, and has 29"),
    (idx(PICTURES) + b"!", idx(LABELS), r"pictures says that it holds \(5, 2, 3\) bytes, and has 31"),
    (gzip.compress(idx(PICTURES))[:-9], idx(LABELS), "pictures is cut short or damaged"),
    (gzip.compress(idx(PICTURES))[:12] + b"????????????", idx(LABELS), "pictures is cut short or damaged"),
    (gzip.compress(idx(PICTURES))[:10] + b"\xff" * 20, idx(LABELS), "pictures is cut short or damaged"),
    (idx(LABELS), idx(PICTURES), r"pictures is no IDX file of pictures: it must begin with the bytes 0 0 8 3, not \[0, 0, 8, 1\]"),
    (idx(PICTURES), idx(PICTURES), "labels is no IDX file of labels: it must begin with the bytes 0 0 8 1"),
    (b"", idx(LABELS), "pictures is no IDX file"),
    (b"<!doctype html><title>Not found</title>", idx(LABELS), "pictures is no IDX file"),
    (idx(PICTURES), idx(LABELS[:4]), r"pixels must be \(N, d\) and labels \(N,\), got \(5, 6\) and \(4,\)"),
], ids=["short", "long", "short gzip", "damaged gzip", "wrong gzip", "swapped", "labels", "empty", "a page", "too few labels"])  # fmt: skip
def test_a_file_that_is_something_else_is_named(files, pictures, labels, message):
    with pytest.raises(ValueError, match=message):
        data.load_idx(*files(pictures, labels))


def test_a_file_that_is_not_there_is_not_downloaded(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no .*nowhere: load_idx reads files of this machine and downloads none"):
        data.load_idx(tmp_path / "nowhere", tmp_path / "labels")


@pytest.mark.parametrize("n", [10, 1797])
@pytest.mark.parametrize("test_fraction", [0.1, 0.2, 0.5])
def test_a_split_puts_every_row_with_its_label_in_exactly_one_part(n, test_fraction):
    rows = torch.arange(n)
    train, test = data.split(data.Images(rows[:, None].float(), rows), test_fraction)
    assert len(test.x) == round(test_fraction * n)
    assert sorted(train.y.tolist() + test.y.tolist()) == rows.tolist()
    for part in (train, test):
        assert torch.equal(part.x[:, 0], part.y.float())


def test_a_split_follows_its_seed():
    images = data.digits()
    first, again, other = (data.split(images, seed=seed)[1].x for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("test_fraction", [0.0, 1.0, 1e-6, -0.2, 1.5])
def test_a_split_leaves_images_on_both_sides(test_fraction):
    with pytest.raises(ValueError, match="test_fraction must leave images on both sides, got .* of 10 images"):
        data.split(data.Images(torch.zeros(10, 1), torch.zeros(10)), test_fraction)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_dequantize_spreads_level_k_evenly_over_its_own_seventeenth(dtype):
    x = LEVELS.to(dtype).repeat(500, 1)  # (500, 17): column k holds level k
    spread = data.dequantize(x, seeded())
    assert spread.dtype == dtype
    assert 0 <= spread.min() and spread.max() < 1
    for k in range(17):
        column = spread[:, k].double().numpy()
        assert (np.floor(17 * column) == k).all()
        assert scipy.stats.kstest(column, scipy.stats.uniform(k / 17, 1 / 17).cdf).pvalue > 1e-4


def test_dequantize_knows_other_numbers_of_levels():
    spread = data.dequantize(torch.tensor([[0.0, 1.0]]), seeded(), levels=2)
    assert 0 <= spread[0, 0] < 0.5 <= spread[0, 1] < 1


def test_dequantize_follows_the_generator():
    x = data.digits().x[:5]
    first, again, other = (data.dequantize(x, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("x", [
    data.dequantize(LEVELS[None], seeded()), torch.tensor([[17 / 16]]), torch.tensor([[-1 / 16]]), torch.tensor([[math.nan]]),
], ids=["dequantized", "above 1", "below 0", "NaN"])  # fmt: skip
def test_dequantize_refuses_what_is_not_a_grey_level(x):
    with pytest.raises(ValueError, match="x must hold grey levels k/16 with k = 0 … 16: is it dequantized already"):
        data.dequantize(x, seeded())


def test_the_curve_is_its_formula():
    z = np.linspace(-3, 3, 13)
    ours = data.curve(torch.tensor(z)[:, None]).numpy()
    np.testing.assert_allclose(ours, np.stack([1.5 * np.tanh(z), 0.8 * np.sin(2 * z)], axis=1), rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.05, 0.4])
def test_the_toy_is_the_curve_at_a_standard_normal_z_plus_noise_of_std_sigma(sigma):
    n = 5000
    x, z = data.curve_toy(n, sigma, seeded())
    noise = x - data.curve(z)
    assert (x.shape, z.shape) == ((n, 2), (n, 1))
    assert scipy.stats.kstest(z[:, 0].numpy(), scipy.stats.norm.cdf).pvalue > 1e-4
    for j in range(2):
        assert abs(noise[:, j].mean()) < 4 * sigma / math.sqrt(n)
        assert abs(noise[:, j].std() - sigma) < 4 * sigma / math.sqrt(2 * n)
    correlation = torch.corrcoef(torch.cat([noise, z], 1).T) - torch.eye(3)
    assert correlation.abs().max() < 4 / math.sqrt(n)


def test_the_toy_follows_the_generator_and_lies_on_the_curve_without_noise():
    (x, z), (again, _) = data.curve_toy(5, 0.0, seeded()), data.curve_toy(5, 0.0, seeded())
    assert torch.equal(x, again)
    torch.testing.assert_close(x, data.curve(z))


def test_the_toys_sigma_must_not_be_negative():
    with pytest.raises(ValueError, match="sigma is a standard deviation and must not be negative, got -0.1"):
        data.curve_toy(5, -0.1, seeded())


def test_images_own_their_labels_and_black_is_not_divided_by_nothing():
    labels = np.zeros(3, dtype=int)
    made = data.images(np.zeros((3, 4)), labels, maximum=16)
    labels[0] = 9
    assert made.y[0] == 0
    with pytest.raises(ValueError, match="pixels must lie between 0 and 0"):
        data.images(np.zeros((3, 4)), labels, maximum=0)


def test_a_split_needs_one_label_for_each_image():
    with pytest.raises(ValueError, match="one label for each image, got 10 images and 12 labels"):
        data.split(data.Images(torch.zeros(10, 1), torch.zeros(12)))
