"""Body files for tests: the example of the tutorial, and spoiled copies of it."""

import shutil
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "beetle"


def copy_example(folder: Path, *, body: tuple[str, str] | None = None, xml: tuple[str, str] | None = None) -> str:
    """The path of a copy of the example's body file in ``folder``, with one text of it or of its MJCF replaced."""
    for file, change in (("beetle.py", body), ("beetle.xml", xml)):
        shutil.copy(EXAMPLE / file, folder / file)
        if change:
            replace_text(folder / file, *change)
    return str(folder / "beetle.py")


def replace_text(file: Path, old: str, new: str) -> None:
    """Replace ``old``, which must be there, in ``file``."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
