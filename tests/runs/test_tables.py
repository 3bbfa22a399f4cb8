"""Tables that were damaged, or that are being written."""

import pytest

from reinfer.runs.errors import ArtifactError
from reinfer.runs.tables import read_rows, to_number


@pytest.mark.parametrize("torn", ["", "3", "3,7.", "3,7.5"])
def test_a_row_that_is_being_written_is_left_out(tmp_path, torn):
    (tmp_path / "t.csv").write_text(f"a,b\n1,0.5\n2,\n{torn}")
    assert read_rows(tmp_path / "t.csv") == [{"a": "1", "b": "0.5"}, {"a": "2", "b": ""}]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a\xff\n1\n", "is damaged: it is not a table"),
        (b"hello\nworld\n", "is damaged or foreign: it has no column 'a'"),
        (b"", "is damaged or foreign: it has no column 'a'"),
        (b"a\n1,2\n", "is damaged: a row has more values"),
    ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, content, says):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"t\.csv {says}") as caught:
        read_rows(path, ("a",))
    assert "\n" not in str(caught.value)


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"t\.csv cannot be read: No such file"):
        read_rows(tmp_path / "t.csv")
    with pytest.raises(ArtifactError, match=r"t\.csv is damaged: 'x' is not a number"):
        to_number(tmp_path / "t.csv", "x")
