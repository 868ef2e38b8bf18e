"""Colours for overlays that people with any kind of colour vision can tell apart."""

from __future__ import annotations

Colour = tuple[int, int, int]
"""Blue, green, red, each 0..255: the order of a frame's channels."""

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def _bgr(code: str) -> Colour:
    """The colour of six hexadecimal digits, red first as the web writes them."""
    red, green, blue = bytes.fromhex(code)
    return blue, green, red


# The seven hues of M. Okabe and K. Ito, "Color Universal Design" (2002, jfly.uni-koeln.de/color), black
# left out, then indigo and wine of P. Tol's "muted" scheme (SRON/EPS/TN/09-002), which come no closer to
# the others than those are to one another. Ordered so that the first few differ most: each hue of the
# seven is the farthest from those before it under normal, protanope, deuteranope and tritanope vision.
COLOUR_BLIND_SAFE: tuple[Colour, ...] = (
    _bgr("56B4E9"),  # sky blue
    _bgr("D55E00"),  # vermillion
    _bgr("F0E442"),  # yellow
    _bgr("0072B2"),  # blue
    _bgr("CC79A7"),  # reddish purple
    _bgr("E69F00"),  # orange
    _bgr("009E73"),  # bluish green
    _bgr("332288"),  # indigo
    _bgr("882255"),  # wine
)


def luminance(colour: Colour) -> float:
    """Relative luminance 0..1 of an sRGB colour (WCAG 2, "relative luminance")."""
    blue, green, red = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio of two colours, 1..21 (WCAG 2, "contrast ratio")."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def text_colour(background: Colour) -> Colour:
    """Black or white, whichever is easier to read on `background`."""
    return max(BLACK, WHITE, key=lambda ink: contrast(ink, background))


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
