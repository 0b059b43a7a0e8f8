"""One page for one file: style, tables and figures of a report that needs no network and runs no script.

Everything shown is escaped. Light and dark follow the reader's setting.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from train.pictures import Picture
from train.report_tables import Table
from train.summary import DISCLAIMER

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --line: #d5dbe1; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e8ecf0; --soft: #a3adb8; --line: #38414b; --warn: #f0b35a; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { max-width: 46rem; margin: .4rem 0; }
.soft, figcaption { color: var(--soft); font-size: .875rem; }
.warn { color: var(--warn); font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; margin: .4rem 0; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; }
.settings td { overflow-wrap: anywhere; }
figure { margin: 1.2rem 0; max-width: 45rem; }
img { display: block; width: 100%; height: auto; background: #ffffff; padding: .5rem; border: 1px solid var(--line);
  border-radius: .3rem; }
"""


def html_page(title: str, body: Iterable[str]) -> str:
    """A whole page; ``body`` is HTML already."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    inside = "\n".join(body)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(title)}</h1>\n"
        f'<p class="warn">{escape(DISCLAIMER)}</p>\n</header>\n<main>\n{inside}\n</main>\n</body>\n</html>\n'
    )


def heading(text: str) -> str:
    """The beginning of a part."""
    return f"<h2>{escape(text)}</h2>"


def table_html(table: Table, name: str = "") -> str:
    """A table with its note below; ``name`` is a class of the style."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header)
    rows = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        + "</tr>\n"
        for first, *rest in table.rows
    )
    kind = f' class="{escape(name, quote=True)}"' if name else ""
    note = f'<p class="soft">{escape(table.note)}</p>' if table.note else ""
    return f'<div class="scroll"><table{kind}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>{note}'


def figure_html(picture: Picture) -> str:
    """A picture inside the page, with its title and words."""
    data = base64.b64encode(picture.png).decode()
    return (
        f'<figure id="{escape(picture.name, quote=True)}">\n<h3>{escape(picture.title)}</h3>\n'
        f'<img alt="{escape(f"{picture.title}. {picture.words}", quote=True)}" src="data:image/png;base64,{data}">\n'
        f"<figcaption>{escape(picture.words)}</figcaption>\n</figure>"
    )
