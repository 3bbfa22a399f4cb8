"""A hook of MkDocs: equations become MathML as the site is built, so that reading it needs no script and no network."""

import html
import re

from latex2mathml.converter import convert

#: What pymdownx.arithmatex leaves: ``\(...\)`` in a span, ``\[...\]`` in a div.
_EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


#: A prime is raised by its own glyph; as a superscript it would be raised twice.
_PRIME = re.compile(r"<msup>((?:(?!<msup>).)*?)<mi>&#x02032;</mi></msup>")


def on_page_content(content: str, **_) -> str:
    """The page with every equation replaced."""
    return _EQUATION.sub(_to_mathml, content)


def _to_mathml(found: re.Match) -> str:
    element, latex = found.groups()
    display = "block" if element == "div" else "inline"
    mathml = _PRIME.sub(
        r'<mrow>\1<mo lspace="0" rspace="0">&#x02032;</mo></mrow>', convert(html.unescape(latex), display=display)
    )
    return f'<{element} class="equation">{mathml}</{element}>'
