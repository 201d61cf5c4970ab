"""The restorer as diffusers has its pipelines, and as a folder that needs nothing of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.adaptation.restoration.export import write_restorer
from nas.adaptation.restoration.restorer import OneStepRestorer, load_restorer
from nas.adaptation.restoration.standalone import Unrestorable, load, restore
from nas.errors import SpecError
from nas.space.teachers.load import LoadedTeacher
from tests.nas.adaptation.restoration.tiny import tiny_restorer, tiny_teacher

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8))
BARE = """
import runpy, sys
for name in ("torch", "diffusers", "nas", "scipy", "skimage"):
    sys.modules[name] = None
sys.argv = ["restore.py", *sys.argv[2:]]
runpy.run_path(sys.path[0] + "/restore.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> LoadedTeacher:
    return tiny_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(scope="module", params=[0.0, 0.7], ids=["without noise", "with noise"])
def exported(
    request: pytest.FixtureRequest, teacher: LoadedTeacher, tmp_path_factory: pytest.TempPathFactory
) -> tuple[OneStepRestorer, Path]:
    restorer = tiny_restorer(teacher, request.param)
    folder = tmp_path_factory.mktemp("restorer") / "winner"
    assert write_restorer(restorer, folder) <= 1e-3
    return restorer, folder


def test_a_loaded_restorer_restores_alike(exported: tuple[OneStepRestorer, Path]) -> None:
    restorer, folder = exported
    (expected,) = restorer(PICTURE).images
    assert expected.size == (52, 36)
    loaded = load_restorer(folder)
    assert isinstance(loaded, OneStepRestorer)
    assert np.array_equal(np.asarray(loaded(PICTURE).images[0]), np.asarray(expected))
    assert len(loaded([PICTURE, PICTURE.convert("L")], return_dict=False)[0]) == 2


def test_onnxruntime_restores_what_torch_does(exported: tuple[OneStepRestorer, Path]) -> None:
    restorer, folder = exported
    run, how = load(folder)
    assert how == restorer.how
    expected = np.asarray(restorer(PICTURE).images[0]).astype(int)
    assert np.abs(np.asarray(restore(PICTURE, run, how)).astype(int) - expected).max() <= 1


def test_the_script_beside_it_needs_nothing_of_ours(exported: tuple[OneStepRestorer, Path], tmp_path: Path) -> None:
    restorer, folder = exported
    PICTURE.save(tmp_path / "in.png")
    code = "import sys; sys.path.insert(0, sys.argv[1])\n" + BARE
    command = [sys.executable, "-c", code, str(folder), str(tmp_path / "in.png"), "--to", str(tmp_path / "out.png")]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 0, ended.stderr
    expected = np.asarray(restorer(PICTURE).images[0]).astype(int)
    assert np.abs(np.asarray(Image.open(tmp_path / "out.png")).astype(int) - expected).max() <= 1
    command[4] = str(tmp_path / "missing.png")
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 2
    assert "cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_tiles_that_do_not_fit_are_refused_all_at_once(teacher: LoadedTeacher) -> None:
    made = tiny_restorer(teacher)
    with pytest.raises(SpecError) as refused:
        OneStepRestorer(made.unet, made.vae, made.scheduler, made.condition, tile=50, overlap=30)
    assert [(fault.pointer, fault.nearest) for fault in refused.value.faults] == [
        ("/tile", "48"),
        ("/overlap", "32"),
        ("/overlap", "25"),
    ]


def test_a_folder_without_a_restorer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unrestorable, match="model_index"):
        load_restorer(tmp_path)
