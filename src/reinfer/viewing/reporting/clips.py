"""Videos as a report embeds them."""

import io
import itertools
import tempfile
from pathlib import Path

from reinfer.viewing.reporting.evidence import Clip
from reinfer.viewing.video import frames, write_video

#: Seconds into a clip at which its still picture is taken: late enough that there is a belief to see.
_POSTER_S = 2.0


def draw_clips(record, simulations, seconds: float, on_frame=lambda: None) -> list:
    """One ``Clip`` per simulation, drawn in a temporary folder."""
    clips = []
    for simulation in simulations:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            write_video(path, record, [simulation], seconds, on_frame=on_frame)
            video = path.read_bytes()
        at = round(min(_POSTER_S, seconds / 2) / record.control_dt_s)
        still = io.BytesIO()
        next(itertools.islice(frames(record, simulation, seconds), at, None)).save(still, "png")
        task = record.tasks.describe()[simulation].replace("_", " ")
        length = record.steps * record.control_dt_s
        part = f"the first {seconds:g} of {length:g}" if seconds < length else f"{length:g}"
        caption = f"{task}: {part} simulated seconds, in real time."
        clips.append(Clip(video, still.getvalue(), caption, simulation, seconds))
    return clips
