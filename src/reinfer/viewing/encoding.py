"""H.264 files, which browsers play, and GIFs, which slides do too, by the ffmpeg that imageio-ffmpeg brings."""

import contextlib
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
from PIL import Image

from reinfer.runs.errors import RunError

#: GIFs are large for what they show: fewer pictures per second, and at most so many pixels wide.
GIF_FRAMES_PER_S, GIF_WIDTH = 10, 640

#: GIFs play unasked and loop, so that nobody sees how they begin unless that stands for a while, in seconds.
GIF_OPENING_S = 1.5

#: By the ending of a file, what ffmpeg makes of the pictures. Colour in 4:2:0 plays in every browser, and the index in
#: front lets it play at once; a GIF has 256 colours, chosen here from the pictures that change.
_OUTPUT = {
    ".mp4": "-c:v libx264 -crf 24 -preset veryfast -pix_fmt yuv420p -movflags +faststart",
    ".gif": f"-vf fps={GIF_FRAMES_PER_S},scale=w=min(iw\\,{GIF_WIDTH}):h=-2:flags=lanczos,split[a][b];"
    "[a]palettegen=stats_mode=diff:max_colors=128[p];[b][p]paletteuse=dither=none:diff_mode=rectangle",
}
ENDINGS = tuple(_OUTPUT)


@contextlib.contextmanager
def video_writer(path, frames_per_s: float, size: tuple[int, int]):
    """Yields a function that appends one picture of ``size`` (width, height), both even; ``path`` ends in .mp4 or .gif.

    The function takes as well whether the picture ``opens`` a rollout: there a GIF stands still for a while. The file
    appears at ``path`` when the block ends, and not at all if it fails. Raises RunError with what ffmpeg said if it
    could not write.
    """
    path = Path(path)
    staged = path.with_name(f".{path.stem}.partial{path.suffix}")
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
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *taken]
    program += [*_OUTPUT[path.suffix].split(), str(staged)]
    # Not imageio's own writer: it forks in a way that may lock up a process in which JAX has threads.
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as encoder,
    ):

        def append(picture: Image.Image, opens: bool = False) -> None:
            stands_s = GIF_OPENING_S if opens and path.suffix == ".gif" else 0.0
            with contextlib.suppress(BrokenPipeError):
                for _ in range(max(1, round(stands_s * frames_per_s))):
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
