"""This package against the official one, run now in an environment of its own.

QWEN3_TTS_ORACLE names the python of that environment (validation/setup_oracle.sh builds it). All
arrays are compared whole, where the committed dump has samples of them.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import checkpoints
import compare
import pytest

ORACLE = os.environ.get("QWEN3_TTS_ORACLE")
SCRIPT = Path(compare.__file__).with_name("dump_official.py")


@pytest.mark.oracle
@pytest.mark.skipif(
    not ORACLE,
    reason="set QWEN3_TTS_ORACLE to the python of the official package's environment, "
    "which validation/setup_oracle.sh builds",
)
def test_everything_equals_the_official_package() -> None:
    with tempfile.TemporaryDirectory() as temporary:  # 1.3 GB, not for pytest to keep
        folder = Path(temporary)
        checkpoints.write_all(folder)
        dump = dump_official(folder)
        rows = list(compare.compare(dump, folder))
    failed = [row for row in rows if row.verdict == "FAIL"]
    assert not failed, "\n" + compare.report(failed, every=True)
    print(compare.report(rows, every=False))


def dump_official(folder: Path) -> compare.Dump:
    assert ORACLE is not None
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    made = subprocess.run(
        [ORACLE, str(SCRIPT), str(folder), str(folder / "dump.npz")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    return compare.Dump(folder / "dump.npz")
