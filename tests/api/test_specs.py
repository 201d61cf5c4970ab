"""Bad specs: every fault at once, each with pointer, reason and nearest right value."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.documents import read_document
from api.spec_checks import TeacherFacts
from api.specs import CheckedSpec, check_spec
from nas.domain.cost import ExactCosts
from nas.domain.library import BlockCost, BlockLibrary, LibraryEntry
from nas.domain.search import SearchSpec
from nas.domain.search_space import SearchSpace, StageChoices
from nas.domain.value import FrozenDict
from nas.errors import SpecError, UntrustedFile

STAGES = (
    StageChoices(stage="E1", variants=("teacher", "RA", "R")),
    StageChoices(stage="Mid", variants=("teacher", "removed")),
    StageChoices(stage="D1", variants=("teacher", "RAA", "R")),
)
PARAMS = {"teacher": 1000, "RAA": 700, "RA": 500, "R": 200, "removed": 0}
NAMES = {
    "strategy": ("epsilon_constraint", "pareto", "random", "sobol"),
    "device": ("host",),
    "precision of host": ("fp32", "int8"),
}


def _facts(_: SearchSpec) -> TeacherFacts:
    entries = {
        f"{choices.stage}/{variant}": LibraryEntry(
            key="k",
            stage=choices.stage,
            variant=variant,
            cost=BlockCost(params=PARAMS[variant], macs=PARAMS[variant], attention_macs=0),
            block_loss=0.0,
        )
        for choices in STAGES
        for variant in choices.variants
    }
    floor = BlockCost(params=10, macs=10, attention_macs=0)
    library = BlockLibrary(entries=FrozenDict(entries), floor=floor)
    return TeacherFacts(
        variants=STAGES,
        space=SearchSpace(stages=STAGES),
        latent_multiple=8,
        sample_size=32,
        costs=ExactCosts(stages=tuple(c.stage for c in STAGES), library=library),
    )


GOOD = {
    "name": "good",
    "constraints": [{"metric": "noise_mse_relative", "at_most": 0.05}],
    "budget": {"trials": 10},
    "calibration": {"latent_size": 16},
}


def check(changes: dict, tmp_path: Path = Path("/nowhere"), describe=_facts) -> CheckedSpec:
    return check_spec({**GOOD, **changes}, describe, NAMES, (tmp_path,))


def faults(changes: dict, tmp_path: Path = Path("/nowhere")) -> dict[str, tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        check(changes, tmp_path)
    return {fault.pointer: (fault.reason, fault.nearest) for fault in caught.value.faults}


def test_a_good_spec_passes_and_open_fields_are_filled() -> None:
    checked = check({"calibration": {"latent_size": 0}})
    assert checked.spec.calibration.latent_size == 32
    assert checked.space.size == 18
    assert checked.stages == ("E1", "Mid", "D1")


@pytest.mark.parametrize(
    ("changes", "pointer", "reason", "nearest"),
    [
        ({"space": {"E9": ["teacher"]}}, "/space/E9", "no stage", "E1"),
        ({"space": {"E1": ["techer", "RA"]}}, "/space/E1/0", "no variant", "teacher"),
        ({"space": {"E1": ["RA", "RA"]}}, "/space/E1", "twice", "['RA']"),
        ({"space": {"E1": []}}, "/space/E1", "at least 1", "1"),
        (
            {"constraints": [{"metric": "params", "at_most": 5}]},
            "/constraints/0/at_most",
            "least params is 410",
            "410",
        ),
        ({"constraints": [{"metric": "noise_mse", "at_most": -1.0}]}, "/constraints/0/at_most", "greater than 0", ""),
        ({"budget": {"trials": -3}}, "/budget/trials", "greater than or equal to 1", "1"),
        ({"budget": {"trials": 10**9}}, "/budget/trials", "less than or equal", "100000"),
        ({"budget": {"trials": 19}}, "/budget/trials", "only 18 architectures", "18"),
        ({"budget": {"trials": "40"}}, "/budget/trials", "integer", "40"),
        ({"budget": {"trials": True}}, "/budget/trials", "integer", ""),
        ({"objectives": ["parms"]}, "/objectives/0", "no metric", "params"),
        ({"objectives": ["table_latency_ms"]}, "/objectives/0", "needs a device", "latency: {device: host}"),
        ({"fidelity": {"metrics": ["noise_mze"]}}, "/fidelity/metrics/0", "no fidelity metric", "noise_mse"),
        ({"strategy": {"name": "epsilon"}}, "/strategy/name", "no strategy", "epsilon_constraint"),
        ({"latency": {"device": "phone"}}, "/latency/device", "no device", ""),
        ({"latency": {"devise": "host"}}, "/latency/devise", "not a field", "device"),
        ({"latency": [{"device": "host"}, {"device": "hots"}]}, "/latency/1/device", "no device", "host"),
        ({"latency": [{}, {"protocol": {"repeats": 1}}]}, "/latency/1/protocol/repeats", "equal to 3", "3"),
        ({"latency": [{"device": "host"}, {"device": "host"}]}, "", "names a device twice", ""),
        ({"latency": []}, "/latency", "at least 1", "1"),
        (
            {"latency": {"device": "host", "protocol": {"precision": "fp16"}}},
            "/latency/protocol/precision",
            "host does not run fp16",
            "fp32",
        ),
        (
            {"latency": {"device": "host"}, "objectives": ["table_latency_ms_host"]},
            "/objectives/0",
            "no metric",
            "table_latency_ms",
        ),
        ({"seed": float("nan")}, "/seed", "integer", ""),
        ({"trial_timeout_s": float("inf")}, "/trial_timeout_s", "finite", ""),
        ({"teachr": {}}, "/teachr", "not a field", "teacher"),
        ({"schema_version": 2}, "/schema_version", "must be 1", ""),
        ({"calibration": {"latent_size": 20}}, "/calibration/latent_size", "multiple of 8", "16"),
        ({"calibration": {"source": "imges"}}, "/calibration/source", "'images'", "images"),
        ({"constraints": []}, "/constraints", "however bad", "{metric: noise_mse_relative, at_most: 0.05}"),
        ({"name": "../../etc"}, "/name", "pattern", ""),
    ],
)
def test_a_fault_has_pointer_reason_and_nearest_value(changes: dict, pointer: str, reason: str, nearest: str) -> None:
    found = faults(changes)
    assert pointer in found, found
    assert reason in found[pointer][0]
    assert found[pointer][1] == nearest


def test_all_faults_of_form_and_meaning_are_reported_at_once(tmp_path: Path) -> None:
    found = faults(
        {
            "budget": {"trials": -3},
            "space": {"E1": ["techer"], "E9": ["R"]},
            "constraints": [{"metric": "params", "at_most": 5}, {"metric": "noise_mse", "at_most": 0.1}],
            "strategy": {"name": "bayes"},
            "calibration": {"source": "images", "path": "/etc", "latent_size": 20},
            "seed": "one",
        },
        tmp_path,
    )
    assert set(found) >= {
        "/budget/trials",
        "/space/E1/0",
        "/space/E9",
        "/strategy/name",
        "/calibration/path",
        "/calibration/latent_size",
        "/seed",
    }


def test_a_bound_nobody_can_meet_is_found_beside_unknown_variants() -> None:
    bounds = [*GOOD["constraints"], {"metric": "params", "at_most": 5}]
    found = faults({"space": {"E1": ["techer", "R"], "E9": ["R"]}, "constraints": bounds, "budget": {"trials": 1}})
    assert set(found) == {"/space/E1/0", "/space/E9", "/constraints/1/at_most"}
    assert found["/constraints/1/at_most"][1] == "2210"


def test_a_path_outside_the_allowed_roots_is_refused_even_through_a_link(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to("/etc")
    calibration = {"source": "images", "path": str(allowed / "link")}
    assert "outside the allowed folders" in faults({"calibration": calibration}, allowed)["/calibration/path"][0]


def test_a_teacher_outside_the_allowed_roots_is_refused_however_it_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("allowed/inside", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "allowed")
    for source in ("inside/../../outside", "../outside", str(tmp_path / "outside")):
        found = faults({"teacher": {"source": source}}, tmp_path / "allowed")
        assert "outside the allowed folders" in found["/teacher/source"][0]
    assert check({"teacher": {"source": "inside"}}, tmp_path / "allowed")


def test_a_missing_folder_names_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    calibration = {"source": "images", "path": str(tmp_path / "picturs")}
    assert faults({"calibration": calibration}, tmp_path)["/calibration/path"][1] == "pictures"


def test_what_is_wrong_with_the_teacher_is_a_fault_of_the_spec() -> None:
    def refuse(spec: SearchSpec) -> TeacherFacts:
        raise UntrustedFile("model.bin is a pickle.", "Convert it to safetensors.")

    with pytest.raises(SpecError) as caught:
        check({"budget": {"trials": 0}}, describe=refuse)
    assert [fault.pointer for fault in caught.value.faults] == ["/budget/trials", "/teacher/source"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x [1]\nb: *x", "aliases are not allowed"),
        ("a: 1\na: 2", "repeated"),
        ("- 1", "must be a mapping"),
        ("a: [", "no valid YAML"),
        ("a: " + "[" * 50 + "]" * 50, "nested deeper"),
        ("a: " + "x" * 300_000, "larger than"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
        ("\x00", "YAML"),
    ],
)
def test_hostile_documents_are_refused(text: str, reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_document(text)
    assert reason in str(caught.value)


def test_scientific_notation_is_a_number() -> None:
    assert read_document("rate: 1e-3") == {"rate": 0.001}
