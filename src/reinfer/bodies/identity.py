"""Which robot something was made for: told by its name, and by the bytes of its files where it is none of ours."""

from typing import NamedTuple

from reinfer.runs.errors import ArtifactError


class BodyId(NamedTuple):
    """``name`` of a robot and, of one of a user's own, (file, SHA-256) of all that it is made of; else none.

    Files are named relative to the folder of the body file, so that a robot may be moved as a whole.
    """

    name: str
    files: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict:
        """Entries of a model's config."""
        return {"body": self.name} | ({"body_files": dict(self.files)} if self.files else {})

    @classmethod
    def from_dict(cls, config: dict) -> "BodyId":
        """What ``to_dict`` wrote."""
        return cls(config["body"], tuple(sorted(config.get("body_files", {}).items())))

    def require(self, body: "BodyId", what) -> None:
        """Raise ArtifactError unless ``what``, which was made for this robot, is used on the same one, ``body``."""
        if self.name != body.name:
            raise ArtifactError(f"{what} was made for body {self.name!r}, not for {body.name!r}")
        old, new = dict(self.files), dict(body.files)
        changed = [file for file in sorted({*old, *new}) if old.get(file) != new.get(file)]
        if changed:
            said = "; ".join(f"{file}: {_short(old, file)} -> {_short(new, file)}" for file in changed)
            raise ArtifactError(
                f"{what} was made for another version of body {self.name!r} (SHA-256 of {said}); "
                "undo the change, or train anew"
            )


def _short(files: dict, name: str) -> str:
    return files[name][:12] if name in files else "none"
