"""Building blocks of a self-contained HTML page: nothing in it is fetched from anywhere."""

from html import escape
from importlib import resources

_ASSETS = resources.files(__package__) / "assets"


def asset(name: str) -> str:
    """Text of a file that comes with this package."""
    return (_ASSETS / name).read_text(encoding="utf-8").strip()


def page(title: str, body: str) -> str:
    """A whole document with ``body`` (HTML)."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{asset('report.css')}\n</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A headed section of ``parts`` (HTML)."""
    return "\n".join(["<section>", f"<h2>{escape(title)}</h2>", *parts, "</section>"])


def chapter(title: str) -> str:
    """A heading above several sections."""
    return f'<h2 class="chapter">{escape(title)}</h2>'


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain ``text``; ``kind`` is a class of the style sheet."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def command(*lines: str) -> str:
    """How to make again what stands above."""
    return f"<pre>{escape(chr(10).join(lines))}</pre>"


def figure(content: str, caption: str) -> str:
    """A figure: an ``<svg>``, ``<img>`` or ``<video>`` element and a plain-text caption."""
    return f"<figure>\n{content}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def side_by_side(*figures: str) -> str:
    """Figures beside each other where there is room, else below each other."""
    return "\n".join(['<div class="figures">', *figures, "</div>"])


def key_figures(entries) -> str:
    """Tiles of (number as text, what it is, key of the number in its source)."""
    tiles = [
        f'<div data-key="{escape(key)}"><b>{escape(number)}</b><span>{escape(what)}</span></div>'
        for number, what, key in entries
    ]
    return "\n".join(['<div class="key-figures">', *tiles, "</div>"])


def cell(text: str, note: str = "", *, number: bool = False, key: str = "", value=None) -> str:
    """A table cell, its small ``note`` below; ``key`` and ``value`` say where the number is from."""
    marks = f' data-key="{escape(key)}" data-value="{escape(repr(value))}"' if key else ""
    small = f"<small>{escape(note)}</small>" if note else ""
    return f"<td{_class('number' if number else '')}{marks}>{escape(text)}{small}</td>"


def table(head, rows) -> str:
    """A table. ``head``: (text, is number) per column; ``rows``: (class, cells as HTML)."""
    top = "".join(f"<th{_class('number' if number else '')}>{escape(text)}</th>" for text, number in head)
    lines = [f"<tr{_class(kind)}>{''.join(cells)}</tr>" for kind, cells in rows]
    start = f'<div class="scroll"><table>\n<thead><tr>{top}</tr></thead>\n<tbody>'
    return "\n".join([start, *lines, "</tbody>\n</table></div>"])


def wide_row(text: str, columns: int, kind: str) -> tuple[str, list[str]]:
    """A row of ``table`` with one cell across all ``columns``."""
    return kind, [f'<td colspan="{columns}">{escape(text)}</td>']


def video(source: str, poster: str) -> str:
    """A video player for data URIs."""
    return f'<video controls muted loop playsinline preload="metadata" poster="{poster}" src="{source}"></video>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
