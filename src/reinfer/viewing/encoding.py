"""H.264 files that browsers play, by the ffmpeg that imageio-ffmpeg brings along."""

import contextlib
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

from reinfer.runs.errors import RunError

#: Colour in 4:2:0, which every browser plays; the index in front, so that playing starts at once.
_OUTPUT = (
    "-c:v",
    "libx264",
    "-crf",
    "24",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-movflags",
    "+faststart",
)


@contextlib.contextmanager
def mp4_writer(path, frames_per_s: float, size: tuple[int, int]):
    """Yields a function that appends one picture of ``size`` (width, height), both even.

    The file appears at ``path`` when the block ends, and not at all if it fails. Raises RunError with what
    ffmpeg said if it could not write.
    """
    path = Path(path)
    staged = path.with_name(f".{path.stem}.partial.mp4")
    taken = (
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{size[0]}x{size[1]}",
        "-r",
        f"{frames_per_s}",
        "-i",
        "-",
    )
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *taken, *_OUTPUT, str(staged)]
    # Not imageio's own writer: it forks in a way that may lock up a process in which JAX has threads.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as encoder,
    ):

        def append(picture: Image.Image) -> None:
            with contextlib.suppress(BrokenPipeError):
                encoder.stdin.write(picture.tobytes())

        try:
            yield append
        except BaseException:
            encoder.kill()
            encoder.wait()
            staged.unlink(missing_ok=True)
            raise
        with contextlib.suppress(BrokenPipeError):
            encoder.stdin.close()
        if encoder.wait() != 0:
            said.seek(0)
            staged.unlink(missing_ok=True)
            raise RunError(f"video {path} cannot be written: {said.read().decode(errors='replace').strip()}")
    staged.replace(path)
