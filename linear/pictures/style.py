"""What all pictures share: the colours, the names as they can be drawn, and numbers that can be read."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from ..cells import printable
from ..problem import Problem

DATA, LEARNED, EXACT, TRUE = "#4c72b0", "#d1495b", "black", "#2a9d4a"
WEIGHT, BIAS, IDENTITY = "#d1242f", "#1f5fd0", "#f08000"

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
OWN_FONT = "DejaVu Sans"  # it comes with matplotlib


@dataclass(frozen=True)
class Names:
    """What the pictures call the columns of the data, and in which fonts they write it.

    Attributes
    ----------
    features, targets : list of str
    fonts : list of str
        matplotlib takes each character from the first of them that has it.
    replaced : dict
        From what the pictures write to the name in the data, where no font of this machine has the characters.
    """

    features: list[str]
    targets: list[str]
    fonts: list[str]
    replaced: dict[str, str]

    @classmethod
    def of(cls, problem: Problem) -> Names:
        """The names of a problem's columns."""
        data = problem.data
        targets = data.targets
        stand_ins = [f"feature {i + 1}" for i in range(len(data.features))] + [f"target {i + 1}" for i in range(len(targets))]
        names = [printable(name) for name in (*data.features, *targets)]
        fonts, missing = fonts_for({*"".join(names)})
        replaced = {new: name for new, name in zip(stand_ins, names) if missing.intersection(name)}
        drawn = [new if new in replaced else name for new, name in zip(stand_ins, names)]
        return cls(drawn[: len(data.features)], drawn[len(data.features) :], fonts, replaced)


def fonts_for(characters: set[str]) -> tuple[list[str], set[str]]:
    """The fonts of this machine that have the characters, matplotlib's own first; and the characters that none has."""
    own = findfont(OWN_FONT)
    upright = [
        font
        for font in fontManager.ttflist
        if font.style == "normal"
        and font.weight in (400, "normal", "regular")
        and "lastresort" not in font.name.lower().replace(" ", "")  # it draws a box for every character
    ]
    fonts, missing = [OWN_FONT], characters - _characters_of(own)
    for font in upright:
        if not missing:
            break
        # A family may have several files, and matplotlib chooses one.
        found = missing & _characters_of(font.fname)
        if found and findfont(FontProperties(family=font.name)) == font.fname:
            fonts.append(font.name)
            missing = missing - found
    return fonts, missing


def _characters_of(file: str) -> set[str]:
    try:
        return set(map(chr, get_font(file).get_charmap()))
    except Exception:  # matplotlib cannot load every font, for example coloured emoji
        return set()


def wrapped(name: str, width: int = 40, lines: int = 3) -> str:
    """A name as a label: in lines of that width. A name that is too long for them has "…" in place of its middle."""
    # Chinese, Japanese and Korean characters are as wide as two letters.
    wide = sum(unicodedata.east_asian_width(mark) in "WF" for mark in name)
    width = max(width * len(name) // (len(name) + wide), 1) if wide else width
    for most in range(width * lines, 0, -1):
        rows = textwrap.wrap(shortened(name, most), width)
        if len(rows) <= lines:
            break
    return "\n".join(rows).replace("$", r"\$")  # "$" would begin a formula


def shortened(name: str, most: int) -> str:
    """A name of at most that many characters: the middle of a longer one is replaced by "…"."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return name[: most - 1 - end] + "…" + name[len(name) - end :]


def equation(names: Names, slope: float, intercept: float, most: int = 60, digits: int = 6) -> str:
    """The line of one feature, as it is written: ``y = 2 · x + 1``, with names of at most that many characters."""
    sign = "−" if intercept < 0 else "+"
    feature, target = shortened(names.features[0], most), shortened(names.targets[0], most)
    text = f"{target} = {number(slope, digits)}\u00a0·\u00a0{feature} {sign}\u00a0{number(abs(intercept), digits)}"
    return wrapped(text, 70, 4)


def number(value: float, digits: int = 6) -> str:
    """A number with that many digits, as it is written by hand: 0.25, −3, 53,200,000, 2 · 10⁻⁷."""
    text = f"{value:.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    if exponent and not 0 < int(exponent) < 10:
        text = f"{mantissa} · 10{exponent.lstrip('+0').replace('-0', '-').translate(RAISED)}"
    elif exponent or abs(value) >= 10_000:
        places = 0 if exponent else len(text.partition(".")[2])
        text = f"{float(text):,.{places}f}"
    return text.replace("-", "−")


def with_error(value: float, error: float) -> str:
    """A number with its standard error, which has two digits: 1.00212 ± 0.00043."""
    if not np.isfinite(error):
        return number(value)
    if not 1e-6 < error < 1e9 or abs(value) > 1e9:
        return f"{number(value, 4)} ± {number(error, 2)}"
    places = max(1 - math.floor(math.log10(error)), 0)
    return f"{value:,.{places}f} ± {error:,.{places}f}".replace("-", "−")


def count(number: int, what: str) -> str:
    """A number of things, in words: "1 row", "3,000 steps"."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def count_ticks(axis: Any, most: int = 6) -> None:
    """Let an axis count: few whole numbers, with commas between thousands."""
    axis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def scaled_ticks(axis: Any, low: float, high: float, label: str, most: int = 5, margin: float = 0.0) -> str:
    """Give an axis few round numbers, without exponents; return its label, which says what to multiply them with.

    No number stands in the margin, a part of the axis at each of its ends.
    """
    largest = max(abs(low), abs(high))
    exponent = math.floor(math.log10(largest)) if largest > 0 else 0
    exponent = exponent if not -3 < exponent < 4 else 0
    locator: Any = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
    if margin:
        edge = margin * (high - low)
        locator = FixedLocator([tick for tick in locator.tick_values(low, high) if low + edge < tick < high - edge])
    axis.set_major_locator(locator)
    # Two divisions: 10.0**exponent itself may be out of range.
    half = exponent // 2
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value / 10.0**half / 10.0 ** (exponent - half), 4)))
    return label + (rf" (× $10^{{{exponent}}}$)" if exponent else "")


def spaced(n: int, most: int) -> np.ndarray:
    """At most that many whole numbers from 0 to n - 1, evenly spaced, with both ends."""
    return np.unique(np.linspace(0, n - 1, most).astype(int))


def folded(n: int, most: int) -> list[int | None]:
    """The places 0 to n - 1; of more than ``most`` of them only the first ones and the last, with None for the others."""
    return [*range(n)] if n <= most else [*range(most - 2), None, n - 1]
