"""The task encoder: rows (s, r, s') -> posterior over the latent task, in several makes behind one interface.

``start``, ``advance`` and ``read`` go row by row; ``encode_prefixes`` (training) and ``carry_of_window`` (acting) give
the same from whole sequences. What an encoder knows between rows is its *carry*, whose ``newest`` row and ``count`` are
public. All makes read the same features (``rows``); which to train is ``--encoder``, and how the evidence of rows is
put together ``--context-mode`` (``combination``).
"""

from reinfer.inference.attention import HEADS, PairTrunk, TransformerTrunk
from reinfer.inference.combination import MODES
from reinfer.inference.context import LINE_ROWS, ContextWindow, RowLayout
from reinfer.inference.gru_encoder import GRUCarry, GRUEncoder
from reinfer.inference.readout import Posterior
from reinfer.inference.row_encoder import RowCarry, RowEncoder, choose
from reinfer.inference.rows import feature_size, row_features
from reinfer.inference.trunks import ConvolutionTrunk, RowTrunk, WindowTrunk
from reinfer.runs.errors import ConfigError

Encoder = GRUEncoder | RowEncoder
Carry = GRUCarry | RowCarry

#: Encoder -> the modes defined for it. A recurrent state has already put all rows together; no row has one of its own.
ENCODERS = {
    "gru": ("trajectory",),
    "mlp": tuple(MODES),
    "conv": tuple(MODES),
    "transformer": tuple(MODES),
    "attention": tuple(MODES),
}

_TRUNKS = {"conv": ConvolutionTrunk, "transformer": TransformerTrunk, "attention": PairTrunk}
#: Encoders whose summaries are half as wide as ``hidden``: they remember 32 of them per context.
_HALF_AS_WIDE = ("transformer", "attention")


def check_encoder(kind: str, mode: str, hidden: int) -> None:
    """Raise ConfigError unless encoder ``kind`` is defined in ``mode`` and for layers of width ``hidden``."""
    if kind not in ENCODERS:
        raise ConfigError(f"encoder: {kind!r} is not allowed; it must be one of {', '.join(ENCODERS)}")
    if mode not in ENCODERS[kind]:
        raise ConfigError(
            f"context_mode: {mode!r} is not defined for encoder {kind!r}; allowed with it: {', '.join(ENCODERS[kind])}"
        )
    if kind != "gru" and hidden % (2 * HEADS):
        raise ConfigError(
            f"hidden: {hidden} is not allowed with encoder {kind!r}; it must be a multiple of {2 * HEADS}"
        )


def init_encoder(
    key, hidden: int, latent: int, layout: RowLayout = LINE_ROWS, kind: str = "gru", mode: str = "trajectory"
) -> Encoder:
    """A fresh encoder of a ``kind`` and ``mode`` that ``check_encoder`` allows, for D = ``latent``."""
    check_encoder(kind, mode, hidden)
    if kind == "gru":
        return GRUEncoder.init(key, hidden, latent, layout)
    trunk = _TRUNKS.get(kind, WindowTrunk if mode == "trajectory" else RowTrunk)
    width = hidden // 2 if kind in _HALF_AS_WIDE else hidden
    return RowEncoder.init(key, trunk, MODES[mode], width, hidden, latent, layout)


def start(encoder: Encoder, count: int) -> Carry:
    """The carry of ``count`` contexts without a row."""
    return encoder.start(count)


def advance(encoder: Encoder, carry: Carry, row) -> Carry:
    """The carry after one more row (N, R)."""
    return encoder.advance(carry, row)


def read(encoder: Encoder, carry: Carry) -> Posterior:
    """Posterior after the rows that ``carry`` has seen."""
    return encoder.read(carry)


def encode_prefixes(encoder: Encoder, rows) -> Posterior:
    """Posteriors after 0, 1, ..., T rows of each sequence: (B, T, R) -> leaves (B, T + 1, D), in one pass."""
    return encoder.encode_prefixes(rows)


def carry_of_window(encoder: Encoder, window: ContextWindow) -> Carry:
    """The carry after the real rows of each window, equal to that after ``advance`` by each of them."""
    return encoder.carry_of_window(window)


__all__ = [
    "ENCODERS",
    "MODES",
    "Carry",
    "Encoder",
    "Posterior",
    "advance",
    "carry_of_window",
    "check_encoder",
    "choose",
    "encode_prefixes",
    "feature_size",
    "init_encoder",
    "read",
    "row_features",
    "start",
]
