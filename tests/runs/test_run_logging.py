"""metrics.csv and timing.csv."""

import pytest

from reinfer.runs.errors import ArtifactError, RunError
from reinfer.runs.logging import MetricsLog, TimingLog, read_times

ROWS = [{"iteration": i, "loss": 1 / (i + 3)} | ({"eval": i * 0.1} if i in (3, 6) else {}) for i in range(8)]
ROWS[7]["late"] = 1e-300


def write(path, rows, position=None):
    log = MetricsLog(path, position)
    for row in rows:
        log.append(row)
    position = log.position()
    log.close()
    return position


@pytest.mark.parametrize("kept", range(9))
@pytest.mark.parametrize("ahead", [0, 1, 4, 8])
def test_rewinding_to_any_row_and_going_on_gives_the_same_bytes(tmp_path, kept, ahead):
    """Also where columns appeared between the checkpoint and the death of the process."""
    write(tmp_path / "whole.csv", ROWS)
    position = write(tmp_path / "m.csv", ROWS[:kept])
    log = MetricsLog(tmp_path / "m.csv", position)
    for row in ROWS[kept : kept + ahead]:
        log.append(row)
    log._file.flush()
    write(tmp_path / "m.csv", ROWS[kept:], position)
    assert (tmp_path / "m.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_numbers_are_written_exactly(tmp_path):
    write(tmp_path / "m.csv", [{"iteration": 1, "x": 0.1 + 0.2, "y": 1e-320}])
    assert (tmp_path / "m.csv").read_text() == "iteration,x,y\n1,0.30000000000000004,1e-320\n"


def test_missing_and_changed_files_are_named(tmp_path):
    position = write(tmp_path / "m.csv", ROWS[:4])
    (tmp_path / "m.csv").write_bytes((tmp_path / "m.csv").read_bytes().replace(b"0.25", b"0.75"))
    with pytest.raises(ArtifactError, match="does not begin with the 4 rows"):
        MetricsLog(tmp_path / "m.csv", position)
    (tmp_path / "m.csv").unlink()
    with pytest.raises(ArtifactError, match="cannot be read: No such file"):
        MetricsLog(tmp_path / "m.csv", position)


@pytest.mark.parametrize("name", ["a,b", 'a"', "a\nb"])
def test_names_that_would_break_the_table_are_refused(tmp_path, name):
    with pytest.raises(RunError, match="metric name"):
        MetricsLog(tmp_path / "m.csv").append({name: 1.0})


def test_times_that_cannot_be_read_are_left_out(tmp_path):
    path = tmp_path / "t.csv"
    assert read_times(path) == []
    rows = (b"1,abc,3", b"2,7.500,1.0", b"\xb2,8.000,1.0", b"3,nan,1.0", b"3,8.5", b"\x00\x00\xff")
    path.write_bytes(b"\n".join((b"iteration,elapsed_s,env_steps_per_s", *rows)))
    assert read_times(path) == [(2, 7.5, 1.0)]
    TimingLog(path, 3).close()
    assert path.read_text().splitlines()[1:] == ["2,7.500,1.0"]


def test_timing_keeps_rows_up_to_the_checkpoint_and_counts_on(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("iteration,elapsed_s,env_steps_per_s\n1,5.000,1.0\n2,7.500,1.0\n3,9.000,1.0\n4,torn")
    log = TimingLog(path, 2)
    log.append(3, 100)
    log.close()
    lines = path.read_text().splitlines()
    assert lines[1:3] == ["1,5.000,1.0", "2,7.500,1.0"]
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
    assert 7.5 <= float(lines[3].split(",")[1]) < 8.5
