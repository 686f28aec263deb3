"""The formulas as the pages display them: where they stand, what locks them, and their value at given numbers.

python tests/displayed.py     writes formulas.json anew, once somebody has looked at what changed
"""

import hashlib
import json
import pathlib
import re
import sys

import nbformat
import numpy as np

ROOT = pathlib.Path(__file__).parents[1]
LOCK = pathlib.Path(__file__).with_name("formulas.json")
sys.path.insert(0, str(ROOT / "book" / "support"))
import claims  # noqa: E402

FORMULA = re.compile(r"\$\$((?:[^$]|\\\$)+)\$\$ *\(([^()\s]+)\)")
TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[^\s]")
AIR = {
    r"\,",
    r"\;",
    r"\!",
    r"\ ",
    r"\quad",
    r"\bigl",
    r"\bigr",
    r"\Bigl",
    r"\Bigr",
    r"\left",
    r"\right",
    r"\textstyle",
    r"\\",
    "&",
}
BREAKS = {"=", "<", ">", r"\le", r"\ge", r"\ne", r"\in", r"\approx", ",", r"\qquad", ":", r"\longrightarrow", r"\sim"}
OPEN, CLOSE = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}


def formulas():
    """{label: (notebook, LaTeX)} of the whole book."""
    found = {}
    for path in sorted((ROOT / "book").glob("[!.]*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                found |= {label: (path.stem, latex) for latex, label in FORMULA.findall(cell.source)}
    return found


def lock():
    """{label: its notebook, a fingerprint of its LaTeX, the checks that prove it}, from the stored notebooks."""
    checks = {}
    for path in sorted((ROOT / "book").glob("[!.]*.ipynb")):
        for check in claims.Notebook(path).checks:
            checks.setdefault(check.label, []).append(check.claim)
    return {
        label: {"where": where, "formula": hashlib.sha1("".join(latex.split()).encode()).hexdigest()[:12], "checks": checks.get(label, [])}
        for label, (where, latex) in formulas().items()
    }  # fmt: skip


def sides(latex):
    """What stands between the relation signs and commas of a formula, as lists of tokens."""
    latex = re.sub(r"\\(begin|end)\{aligned\}|\\text\{[^}]*\}|\\left\.|_\{\\text\{[^}]*\}\}", " ", latex).replace("{}", " ")
    tokens = [token for token in TOKEN.findall(latex) if token not in AIR]
    parts, depth = [[]], 0
    for token in tokens:
        depth += (token in OPEN) - (token in CLOSE)
        if token in BREAKS and depth <= 0:
            parts.append([])
        else:
            parts[-1].append(token)
    parts[-1] = parts[-1][:-1] if parts[-1][-1:] == ["."] else parts[-1]
    return [part for part in parts if part]


class Reader:
    """The value of a list of tokens, where values says what each symbol is: a number, a vector to add up, or a matrix.

    A product of matrices is a matrix product; a logarithm and a sum reach to the end of their term.
    """

    def __init__(self, tokens, values):
        self.names = sorted(((TOKEN.findall(name), value) for name, value in values.items()), key=lambda item: -len(item[0]))
        self.tokens, self.at, self.norms = list(tokens), 0, 0

    def peek(self, k=0):
        return self.tokens[self.at + k] if self.at + k < len(self.tokens) else None

    def take(self, *expected):
        token = self.peek()
        if token is None or (expected and token not in expected):
            raise ValueError(f"expected {expected or 'more'}, got {token} in {' '.join(self.tokens)}")
        self.at += 1
        return token

    def read(self):
        value = self.sum()
        if self.peek() is not None:
            raise ValueError(f"{self.peek()} left over in {' '.join(self.tokens)}")
        return np.squeeze(value)

    def sum(self):
        value = self.term() if self.peek() not in ("+", "-") else 0.0
        while self.peek() in ("+", "-"):
            sign = -1 if self.take() == "-" else 1
            value = value + sign * self.term()
        return value

    def term(self):
        value = self.factor()
        while self.peek() not in (None, "+", "-", ",", *CLOSE, *[r"\|"] * (self.norms > 0)):
            if self.peek() == "/":
                self.take()
                value = value / self.factor()
            else:
                if self.peek() == r"\cdot":
                    self.take()
                value = times(value, self.factor())
        return value

    def factor(self):
        value = self.atom()
        while self.peek() == "^":
            self.take()
            power = self.argument(transpose=True)
            value = raised(value, power)
        return value

    def argument(self, transpose=False):
        """A group in braces, or one token; \\frac12 takes one digit at a time."""
        if transpose and self.peek() == r"\top":
            return self.take()
        if self.peek() == "{":
            self.take()
            value = self.sum()
            self.take("}")
            return value
        if re.fullmatch(r"\d\d+", self.peek()):
            self.tokens[self.at : self.at + 1] = list(self.peek())
        return self.atom()

    def skip_limits(self):
        while self.peek() in ("_", "^"):
            self.take()
            depth = 0
            while True:
                depth += (self.peek() == "{") - (self.take() == "}")
                if depth <= 0:
                    break

    def atom(self):
        for name, value in self.names:
            if self.tokens[self.at : self.at + len(name)] == name:
                self.at += len(name)
                return value
        token = self.take()
        if re.fullmatch(r"[\d.]+", token):
            return float(token)
        if token in OPEN:
            value = self.sum()
            self.take(OPEN[token])
            return value
        if token == r"\|":
            self.norms += 1
            value = self.sum()
            self.norms -= 1
            self.take(r"\|")
            return np.linalg.norm(value)
        if token in (r"\frac", r"\tfrac"):
            return self.argument() / self.argument()
        if token == r"\sqrt":
            return np.sqrt(self.argument())
        if token == r"\underbrace":
            value = self.argument()
            self.skip_limits()
            return value
        if token == r"\sum":
            self.skip_limits()
            return np.sum(self.term())
        if token == r"\log":
            if self.peek() == "_":
                self.take()
                base = self.argument()
                return np.log(self.factor()) / np.log(base)
            return np.log(self.term())
        if token == r"\exp":
            return np.exp(self.factor())
        if token == r"\det":
            return np.linalg.det(self.term())
        if token == r"\max":
            self.take("(")
            first = self.sum()
            self.take(",")
            second = self.sum()
            self.take(")")
            return np.maximum(first, second)
        if token == r"\operatorname":
            self.take("{"), self.take("t"), self.take("r"), self.take("}")
            return np.trace(self.factor())
        constants = {r"\pi": np.pi, "e": np.e}
        if token in constants:
            return constants[token]
        raise ValueError(f"{token} has no value in {' '.join(self.tokens)}")


def times(a, b):
    matrices = np.ndim(a) == 2 and np.ndim(b) == 2 and np.size(a) > 1 and np.size(b) > 1
    return a @ b if matrices else np.squeeze(a) * b if np.size(a) == 1 else a * (np.squeeze(b) if np.size(b) == 1 else b)


def raised(value, power):
    if isinstance(power, str):
        return np.transpose(value)
    if np.ndim(value) == 2 and value.shape[0] == value.shape[1] and value.size > 1 and power == -1:
        return np.linalg.inv(value)
    return value**power


if __name__ == "__main__":
    LOCK.write_text(json.dumps(lock(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(lock())} formulas locked in {LOCK.name}")
