"""Hooks of MkDocs by which the site needs no network when it is read: equations become MathML, search its own file.

The drawings of the idea are those of the report, which has them in the package; they are copied into the site.
"""

import html
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

#: What pymdownx.arithmatex leaves: ``\(...\)`` in a span, ``\[...\]`` in a div.
_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

#: A prime is raised by its own glyph; as a superscript it would be raised twice.
_PRIME = re.compile(r"<msup>((?:(?!<msup>).)*?)<mi>&#x02032;</mi></msup>")
_RAISED = r'<mrow>\1<mo lspace="0" rspace="0">&#x02032;</mo></mrow>'

#: What the theme would fetch for search to work from a file, and the copy of it beside this module.
_FETCHED, _OURS = "https://unpkg.com/iframe-worker/shim", "site/iframe-worker.js"

#: Where drawings of the package lie, seen from a page at the root; and where they lie in the site.
_DRAWINGS, _IN_SITE = "../src/reinfer/viewing/assets/", "figures/"


def on_files(files, config, **_):
    """The drawings of the package beside the figures."""
    for path in sorted((Path(config.docs_dir) / _DRAWINGS).glob("*.svg")):
        files.append(File.generated(config, f"{_IN_SITE}{path.name}", abs_src_path=str(path.resolve())))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """The page with the drawings where the site has them."""
    return markdown.replace(_DRAWINGS, _IN_SITE)


def on_page_content(content: str, **_) -> str:
    """The page with every equation replaced."""
    return _EQUATION.sub(_to_mathml, content)


def on_post_page(output: str, page, **_) -> str:
    """The page with nothing left to fetch."""
    return output.replace(_FETCHED, get_relative_url(_OURS, page.url))


def on_post_template(output_content: str, **_) -> str:
    """The same for pages that come from the theme alone, which lie at the root."""
    return output_content.replace(_FETCHED, _OURS)


def _to_mathml(found: re.Match) -> str:
    element, latex = found.groups()
    display = "block" if element == "div" else "inline"
    mathml = _PRIME.sub(_RAISED, convert(html.unescape(latex), display=display))
    return f'<{element} class="equation">{mathml}</{element}>'
