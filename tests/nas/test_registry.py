from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path

import pytest

from nas.errors import UnknownName
from nas.registry import Registry
from tests.waiting import until

PACKAGE = {
    "__init__.py": """
import time
from slow_extensions import base, first
time.sleep(0.5)
from slow_extensions import last
""",
    "base.py": "from nas.registry import Registry\nNAMES = Registry('name', home='slow_extensions')\n",
    "first.py": "from slow_extensions.base import NAMES\nNAMES.register('first')(1)\n",
    "last.py": "from slow_extensions.base import NAMES\nNAMES.register('last')(2)\n",
}


def test_what_another_thread_is_still_importing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_extensions").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "slow_extensions" / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importer = threading.Thread(target=importlib.import_module, args=("slow_extensions",))
    importer.start()
    until(lambda: "slow_extensions.first" in sys.modules)
    names: Registry[int] = importlib.import_module("slow_extensions.base").NAMES
    assert names.get("last") == 2
    assert names.names() == ("first", "last")
    importer.join()


def test_a_registry_is_complete_whoever_asks_first() -> None:
    from nas.space.blocks.base import BLOCK_FAMILIES
    from nas.strategy.base import STRATEGIES

    assert "random" in STRATEGIES
    assert BLOCK_FAMILIES.names()


def test_a_miss_names_the_nearest_and_a_second_meaning_is_refused() -> None:
    shapes: Registry[int] = Registry("shape")
    shapes.register("circle")(1)
    with pytest.raises(UnknownName, match="circle"):
        shapes.get("cirle")
    shapes.register("circle")(1)
    with pytest.raises(ValueError, match="already means"):
        shapes.register("circle")(2)
