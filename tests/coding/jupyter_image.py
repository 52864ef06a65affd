"""An image with a Jupyter server for the test engine: this machine's Python and its packages."""

from __future__ import annotations

import importlib.metadata
import io
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

from .docker_engine import EngineMissing, debian_python

NAME = "autogen-test-jupyter:latest"
WANTED = ("ipykernel", "jupyter-server")
COMMAND = (
    'CMD ["/bin/sh", "-c", "JUPYTER_TOKEN=$TOKEN exec python3 -m jupyter_server --ip=0.0.0.0 '
    '--port=8888 --no-browser --allow-root --ServerApp.terminals_enabled=False"]'
)


def closure() -> dict[str, importlib.metadata.Distribution]:
    """The distributions that a Jupyter server needs, of those that are installed here."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(WANTED)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            # For another system or version of Python.
            continue
        for requirement in found[name].requires or ():
            if "extra ==" not in requirement:
                waiting.append(re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0])
    return found


def make_image(client: Any) -> None:
    """Import the image."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if Path("/usr/bin/python3").resolve().name != version:
        raise EngineMissing(
            f"the packages here are for {version} and Debian's Python is another",
            f"run the tests with {version} of Debian",
        )
    data = io.BytesIO(debian_python())
    packages = f"usr/lib/{version}/dist-packages"
    with tarfile.open(fileobj=data, mode="a") as archive:
        for distribution in closure().values():
            for file in distribution.files or ():
                path = Path(str(distribution.locate_file(file)))
                if ".." in file.parts or "__pycache__" in file.parts or not path.is_file():
                    continue
                archive.add(path, f"{packages}/{file}", recursive=False)
    name, tag = NAME.split(":")
    client.api.import_image_from_data(
        data.getvalue(),
        repository=name,
        tag=tag,
        changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV HOME=/tmp", COMMAND],
    )
