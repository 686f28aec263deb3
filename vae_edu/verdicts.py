"""What a fingerprint says, in words: is the loss an ELBO, and which one? Is z drawn as q says?"""

from typing import NamedTuple

import torch

from vae_edu.fingerprint import inner

KL = "KL = ½ Σ (μ² + s² - 2 log s - 1)"
DRAW = "z = μ + s ε, with a fresh standard normal ε for each latent of each image"


class Finding(NamedTuple):
    """One line of a report. verdict: "fine", "note", "wrong" or "undecided"; chapter: where the book explains it."""

    name: str
    verdict: str
    measured: str
    meaning: str = ""
    mend: str = ""
    chapter: str = ""

    def __str__(self):
        mend, chapter = self.mend and f"Mend: {self.mend}.", self.chapter and f"(chapter {self.chapter})"
        return " ".join(part for part in (f"{self.verdict:9} {self.name}: {self.measured}.", self.meaning, mend, chapter) if part)


def loss_in_words(found, model, x):
    """Findings about the loss of which ``found`` is the Fingerprint, for data x (N, d) of an Adapted model."""
    (name, rec), (first, a), (second, b), (_, c) = found.weights.items()
    seen = " + ".join(f"{w:.3g} {term}" for term, w in found.weights.items()).replace("+ -", "- ")
    if found.unexplained > 1e-3:
        text = f"about {seen}, which leaves {100 * found.unexplained:.2g} % of what is not reconstruction unexplained"
        return Finding("loss", "undecided", text, "Another term, or does the loss change x itself?")
    if model.prior is not None:
        return Finding("loss", "undecided", seen, "The prior is not N(0, I), and the terms are read for that one only.")
    if rec <= 0:
        return Finding("loss", "wrong", seen, "It rewards a bad reconstruction.", "minimize -ELBO, not the ELBO", "9")
    if all(abs(found.weights[term]) < 6 * found.errors[term] + 1e-9 for term in (first, second, "Σ log s")):
        return Finding("loss", "wrong", seen, "The KL is not in it: an autoencoder, noisy or not.", "add the KL", "9")
    if first == "‖z‖²":
        b = -b  # log q(z) has -½ ‖ε‖²
    if fault := _kl_fault(a, b, c, second, found.noise.shape[-1]):
        return Finding("loss", "wrong", seen, *fault)
    beta, d = 2 * a, model.data_dim
    if name.endswith("second sigmoid"):
        return Finding("loss", "wrong", seen, "A probability goes through a sigmoid again.", "leave one of the two out", "10")
    if name != "‖x - f‖²":
        beta /= rec
        if beta > d / 2:
            meaning = f"The {name} is a mean over {d} pixels: the KL counts {beta:.3g} times, and wins."
            return Finding("loss", "wrong", seen, meaning, "sum over pixels, average over images", "10")
        text = "minus an ELBO" if _near(beta, 1) else f"minus an ELBO with β = {beta:.3g}"
        return Finding("loss", "fine" if _near(beta, 1) else "note", seen, f"This is {text}.", "", "10")
    return Finding("loss", *_one_knob(beta, rec, found, model, x, seen), "10")


def _one_knob(beta, rec, found, model, x, seen):
    """What rec · ‖x - f‖² + beta · KL says: an ELBO with σ² = beta / (2 rec), or an average that was meant as a sum."""
    variance, d, N, m = beta / (2 * rec), model.data_dim, len(x), found.noise.shape[-1]
    scale = getattr(inner(model.p(found.noise[0, :2])), "scale", torch.tensor(variance**0.5)).flatten()[0].item()
    too_much = {  # how many times too much the KL counts, beside ‖x - f‖², ½ ‖x - f‖² or ‖x - f‖²/(2σ²)
        d: f"A mean over {d} pixels",
        d / m: f"A mean over {d} pixels beside a mean over {m} latents",
        N: f"The KL is summed over the batch of {N}, the squared error averaged",
        N * d: f"The KL is summed over the batch of {N}, the squared error averaged, over {d} pixels too",
    }
    largest = torch.linalg.svdvals(x.double() - x.double().mean(0))[0].item() ** 2 / N
    if variance > largest:
        counts = beta / rec, beta / (2 * rec), variance / scale**2
        why = f"KL × {beta:.3g} beside squared error × {rec:.3g}"
        why = next((words for ratio, words in too_much.items() if any(_near(count, ratio) for count in counts)), why)
        meaning = f"{why}: that is σ² = {variance:.3g}, more than the data have in any direction, {largest:.2g}. The KL wins."
        return "wrong", seen, meaning, "sum over pixels, divide by 2σ², σ near the error that is left"
    elbo, ratio = f"This is an ELBO with σ = {variance**0.5:.3g}", variance / scale**2
    if _near(ratio, 1):
        return "fine", seen, f"{elbo}.", ""
    asks = {2.0: "a ½ missing in the KL", 0.5: "a ½ missing before the squared error", 1 / m: f"the KL a mean over {m} latents"}
    ask = next((f" Is {words}?" for value, words in asks.items() if _near(ratio, value)), "")
    return "note", seen, f"{elbo}; or, with the σ = {scale:.3g} of p(x|z), with β = {ratio:.3g}.{ask}", ""


def _kl_fault(a, b, c, second, m):
    """What is wrong with the KL a ‖μ‖² + b ‖s‖² + c Σ log s, which should be in the ratio 1 : 1 : -2."""
    if a < 0 or b < -0.02 * a:
        return "The KL has the wrong sign: q is paid for leaving the prior.", "add the KL, do not subtract it", "6"
    if second == "Σ s⁴":
        return "The KL takes a log-variance for a log-std: s⁴ where s² belongs.", "the log-std is half the log-variance", "6"
    if second == "Σ s":
        return "The KL takes a log-std for a log-variance: s where s² belongs, and log s counts half.", KL, "6"
    if _near(a, b) and not _near(c, -2 * a):
        times = -c / (2 * a)
        why = f" (m = {m} where 2 belongs)" if _near(times, m / 2) else ""
        why = " (log-variance taken for log-std)" if _near(times, 0.5) else why
        counts = f"counts {times:.3g} times{why}" if times > 1e-3 else "has the wrong sign, or is missing"
        return f"In the KL log s {counts}.", KL, "6"
    if _near(a, 2 * b) and _near(c, -2 * b):
        return "In the KL the ½ before ‖μ‖² is missing.", KL, "6"
    return None if _near(a, b) else ("Its terms do not make a KL from N(0, I).", KL, "6")


def draw_in_words(found):
    """A Finding about the noise: is it standard normal, fresh, and as wide as q says?"""
    if found.cut:
        return Finding("draw", "wrong", "z carries no gradient", "The reconstruction teaches the encoder nothing.",
                       "no detach, no .data, no no_grad between encoder and decoder", "7")  # fmt: skip
    noise, log_std = found.noise.double(), found.log_std.double()
    wrong = lambda measured, meaning: Finding("draw", "wrong", measured, meaning, DRAW, "7")  # noqa: E731
    if noise.abs().max() < 1e-3:
        return wrong("z is always the mean of q", "The KL charges for a noise that is never drawn.")
    if torch.allclose(noise[0], noise[1], atol=1e-3):
        return wrong("ε = (z - μ)/s is the same at each call", "The noise is frozen.")
    if noise.min() > -0.01 and noise.max() < 1.01:
        return wrong("ε = (z - μ)/s lies between 0 and 1", "It is uniform: rand where randn belongs.")
    together = ((noise[:, 1:] * noise[:, :-1]).mean() / noise.square().mean()).item()
    if together > 0.5:
        return wrong(f"the ε of two images have the correlation {together:.2f}", "One ε is shared by the whole batch.")
    spread, flat = _spread(noise)
    wide, normal = _spread(noise * log_std.exp() / log_std)
    if not _near(spread, 1, 0.05) and _near(wide, 1, 0.05) and 2.4 < normal < 3.6:
        return wrong(f"(z - μ)/log s is normal, with the standard deviation {wide:.2f}", "exp is forgotten: log s stands for s.")
    usable = noise.abs() > 1e-6
    width, size = log_std[usable] - log_std[usable].mean(), (noise.abs().log() + log_std)[usable]
    slope = ((size - size.mean()) * width).sum() / width.square().sum()  # of log |z - μ| against log s
    if abs(slope - 1) > 0.15 + 5 * 1.11 / width.square().sum().sqrt():  # log |ε| has the std 1.11
        meaning = "A variance is used as a standard deviation." if slope > 1.5 else "The noise does not follow s."
        return wrong(f"z spreads like s to the power {slope:.2f}", meaning)
    if not _near(spread, 1, 0.05):
        return wrong(f"(z - μ)/s has the standard deviation {spread:.3g}", "z is not spread as the KL is charged for.")
    if flat < 2.4:
        return wrong(f"ε has the kurtosis {flat:.2f}, a normal one has 3", "The noise is not normal.")
    return Finding("draw", "fine", f"(z - μ)/s has mean {noise.mean() + 0:.2f} and standard deviation {spread:.2f}", "", "", "7")


def _spread(noise):
    """Standard deviation and kurtosis."""
    return noise.std().item(), (noise.pow(4).mean() / noise.square().mean() ** 2).item()


def _near(a, b, slack=0.02):
    return abs(a - b) <= slack * max(abs(a), abs(b))
