"""Fixtures for pytest: an arbiter for the whole session, and a client of it.

```ini
[pytest]
dirty_apps =
    myapp.ml:MLApp
    myapp.images:ImageApp
```

```python
def test_inference(dirty_client):
    assert dirty_client.execute("myapp.ml:MLApp", "inference", "default", "text")
```

While it runs, `DIRTY_SOCKET` names its socket, so that code under test that calls `get_dirty_client()` finds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from .client import DirtyClient, close_dirty_client
from .testing import ArbiterProcess


def pytest_addoption(parser: Any) -> None:
    parser.addini("dirty_apps", "app paths that the fixture dirty_arbiter serves", type="linelist", default=[])
    parser.addini("dirty_workers", "how many workers the fixture dirty_arbiter starts", default="1")
    parser.addini("dirty_arguments", "more arguments for dirty serve", type="args", default=[])


@pytest.fixture(scope="session")
def dirty_arbiter(pytestconfig: Any) -> Iterator[ArbiterProcess]:
    """An arbiter with Python workers that serves the apps of the setting `dirty_apps`."""
    apps = [line for line in pytestconfig.getini("dirty_apps") if line]
    if not apps:
        raise pytest.UsageError("the fixture dirty_arbiter needs the setting dirty_apps, such as shop:Cart")
    workers = int(pytestconfig.getini("dirty_workers"))
    arguments = pytestconfig.getini("dirty_arguments")
    with ArbiterProcess(*apps, workers=workers, arguments=arguments, python_path=[pytestconfig.rootpath]) as arbiter:
        before = os.environ.get("DIRTY_SOCKET")
        os.environ["DIRTY_SOCKET"] = arbiter.socket
        try:
            yield arbiter
        finally:
            close_dirty_client()
            if before is None:
                del os.environ["DIRTY_SOCKET"]
            else:
                os.environ["DIRTY_SOCKET"] = before


@pytest.fixture
def dirty_client(dirty_arbiter: ArbiterProcess) -> DirtyClient:
    """A client of the session's arbiter."""
    return dirty_arbiter.client
