"""The frame of the highlighted page: style, colours that can be read in both themes, legend, end.

One page, no script, nothing loaded from elsewhere: it works without a network and can be mailed.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from html import escape

from nlp.entries import Lexicon
from nlp.schema import COVID

PAPER, NIGHT = "#ffffff", "#14181d"
COVID_COLOUR, COVID_CODE = "#c62828", "CVD19"
LEAST_CONTRAST = 4.5
"""WCAG 2 level AA for text."""
TINT = 0.1
"""How much of its finding's colour the background of a mention takes."""

PAGE_END = "</main>\n</body>\n</html>\n"

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --line: #d5dbe1; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e8ecf0; --soft: #a3adb8; --line: #38414b; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.65 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
h2 { font-size: .95rem; margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: .875rem; }
header ul, .states { display: flex; flex-wrap: wrap; gap: .35rem .9rem; list-style: none; margin: .6rem 0; padding: 0; }
article { border-top: 1px solid var(--line); padding: 1rem 0 .75rem; }
.caption { margin: .5rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: var(--tint); color: inherit; border-radius: .15em .15em 0 0;
  border-bottom: 2px solid var(--finding); font-weight: 600; padding: 0 .1em; }
mark sup, .code { color: var(--finding); font-size: .72em; font-weight: 700; line-height: 1; margin-left: .15em; }
.negated, .resolved { text-decoration: line-through; text-decoration-thickness: 2px; }
.uncertain { text-decoration: underline wavy; text-underline-offset: .3em; }
.cue { border: 1px dashed var(--soft); border-radius: .2em; padding: 0 .15em; }
.states { font-size: .875rem; margin: .35rem 0; }
summary { color: var(--soft); cursor: pointer; font-size: .875rem; }
details ol { font-size: .875rem; margin: .4rem 0; padding-left: 1.6rem; }
"""


def page_start(lexicon: Lexicon, title: str = "Captions and what is read in them") -> str:
    """Everything above the first caption."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{_colours(lexicon)}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n{_legend(lexicon)}"
        f'<p class="soft">Lexicon {escape(lexicon.version)}. For research, not for diagnosis.</p>\n'
        "</header>\n<main>\n"
    )


def codes(lexicon: Lexicon) -> Mapping[str, str]:
    """Finding → short code, COVID included."""
    return {**{finding.key: finding.abbreviation for finding in lexicon.findings}, COVID: COVID_CODE}


def css_class(finding: str) -> str:
    """The class that carries a finding's colour."""
    return f"f-{escape(finding, quote=True)}"


def readable(colour: str, background: str) -> str:
    """The nearest lightness of a finding's colour that can be read on its own tint of the background.

    >>> readable("#1f6fd6", "#ffffff"), readable("#ffff00", "#ffffff")
    ('#1e6acd', '#707000')
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(colour))
    step = -0.01 if _luminance(background) > 0.5 else 0.01
    while contrast(colour, tinted(colour, background)) < LEAST_CONTRAST:  # ends: black on white always passes
        lightness = min(1.0, max(0.0, lightness + step))
        colour = _hex(colorsys.hls_to_rgb(hue, lightness, saturation))
    return colour


def tinted(colour: str, background: str) -> str:
    """The background of a mention."""
    pairs = zip(_channels(colour), _channels(background), strict=True)
    red, green, blue = (TINT * mine + (1 - TINT) * under for mine, under in pairs)
    return _hex((red, green, blue))


def contrast(first: str, second: str) -> float:
    """WCAG contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((_luminance(first), _luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def _colours(lexicon: Lexicon) -> str:
    """One rule for each finding and theme."""
    pairs = [(finding.key, finding.colour) for finding in lexicon.findings] + [(COVID, COVID_COLOUR)]
    light = "".join(_colour_rule(key, colour, PAPER) for key, colour in pairs)
    dark = "".join(_colour_rule(key, colour, NIGHT) for key, colour in pairs)
    return f"{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


def _colour_rule(finding: str, colour: str, background: str) -> str:
    text = readable(colour, background)
    return f".{css_class(finding)} {{ --finding: {text}; --tint: {tinted(text, background)}; }}\n"


def _legend(lexicon: Lexicon) -> str:
    names = [(finding.key, finding.name, finding.abbreviation) for finding in lexicon.findings]
    names.append((COVID, "COVID-19", COVID_CODE))
    items = "".join(
        f'<li class="{css_class(key)}"><mark>{escape(name)}<sup>{escape(code)}</sup></mark></li>'
        for key, name, code in names
    )
    states = (
        '<li>present</li><li><span class="uncertain">uncertain</span></li>'
        '<li><span class="negated">negated</span> or <span class="resolved">resolved</span></li>'
        '<li><span class="cue">words that decided it</span></li>'
    )
    return f'<ul>{items}</ul>\n<ul class="soft">{states}</ul>\n'


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def _hex(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(value * 255):02x}" for value in channels)


def _luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
