"""One synthetic contest for all tests of this folder, and its files as ``reinfer transfer`` writes them."""

import pytest
import synthetic_results

from reinfer.runs.files import replace_file, to_json
from reinfer.transfer.record import save_record


@pytest.fixture(scope="session")
def contest():
    """(results, records of the agent judged, one per seed)."""
    return synthetic_results.contest(seeds=2, steps=480)


@pytest.fixture(scope="session")
def transfer_folder(contest, tmp_path_factory):
    """A folder with ``transfer.json`` and the records."""
    folder = tmp_path_factory.mktemp("transfer")
    results, records = contest
    replace_file(folder / "transfer.json", to_json(results))
    for seed, record in enumerate(records):
        save_record(folder / f"toy_stride_{results['stride']}_seed{seed}.safetensors", record)
    return folder
