"""The doubles of the transfer tests serve here as well."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "transfer"))
