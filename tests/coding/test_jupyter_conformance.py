"""What every executor keeps, kept by the embedded kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from autogen.coding.jupyter import EmbeddedIPythonCodeExecutor
from autogen.testing.conformance.executor import conformance_tests

pytestmark = [pytest.mark.slow, pytest.mark.wall, pytest.mark.timeout(120)]

test_conformance = conformance_tests(
    "kernel_box",
    files=False,
    languages=("python",),
    policies=False,
    stateful=True,
    timeout_code=1,
    timeout_text="Timeout waiting for output from code block",
    walled=True,
)


@pytest.fixture
def kernel_box(_bubblewrap, require_part):
    """Makes embedded executors in the folder that a rule names."""
    ok, why, remedy = _bubblewrap
    if not ok:
        require_part("bubblewrap", because=why, do=remedy)
    made = []

    def make(work_dir, **options):
        Path(work_dir).mkdir(exist_ok=True)
        made.append(EmbeddedIPythonCodeExecutor(output_dir=work_dir, **options))
        return made[-1]

    yield make
    for executor in made:
        executor.stop()
