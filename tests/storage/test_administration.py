"""Projects, keys, audit, idempotency, exports and heartbeats, on both databases."""

from __future__ import annotations

import threading
import time

import pytest

from nas.domain.device_state import DeviceState
from nas.domain.job import Failure
from nas.domain.lifecycle import TrialStatus
from nas.errors import Conflict, NotFound
from storage.administration import ApiKey, AuditEntry, Export, Process, Project, Quota, Usage
from storage.unit_of_work import Database
from tests.storage.values import a_search, a_trial, an_entry


def a_key(key_id: str, project: str | None, created_at: float = 1.0) -> ApiKey:
    return ApiKey(
        id=key_id, project=project, role="submitter", name="ε", secret_digest="ab" * 32, created_at=created_at
    )


def an_export(export_id: str, created_at: float = 1.0) -> Export:
    return Export(id=export_id, search="alpha", project="default", trial=3, created_at=created_at)


@pytest.fixture
def searched(sql: Database) -> Database:
    with sql.unit_of_work() as work:
        work.searches.add(a_search())
        work.commit()
    return sql


def test_the_default_project_is_there_and_has_no_limits(sql: Database) -> None:
    with sql.reader() as view:
        assert view.projects.list() == [Project(id="default", quota=Quota(), created_at=0.0)]


def test_projects_keep_their_quotas(sql: Database) -> None:
    team = Project(id="team a", quota=Quota(trials=100, storage_bytes=2**50), created_at=3.25)
    with sql.unit_of_work() as work:
        work.projects.add(team)
        with pytest.raises(Conflict, match="team a"):
            work.projects.add(Project(id="team a"))
        assert work.projects.get("team a") == team
        work.projects.set_quota("team a", Quota(parallelism=2))
        assert work.projects.get("team a").quota == Quota(parallelism=2)
        assert [project.id for project in work.projects.list()] == ["default", "team a"]
        for ask in (work.projects.get, work.projects.lock, lambda name: work.projects.set_quota(name, Quota())):
            with pytest.raises(NotFound, match="nobody"):
                ask("nobody")


def test_usage_adds_up_one_project_alone(sql: Database) -> None:
    with sql.unit_of_work() as work:
        for search_id, project in (("a", "team"), ("b", "team"), ("trashed", "team"), ("other", "default")):
            work.searches.add(a_search(search_id).evolve(project=project))
            work.trials.add(a_trial(0, search_id).evolve(status=TrialStatus.RUNNING))
        work.searches.trash("trashed", 1.0)
        work.trials.add(a_trial(1, "a").evolve(status=TrialStatus.FAILED))
        work.trials.add(a_trial(2, "a"))
        shared = an_entry("shared").evolve(weights="e" * 64)
        work.library.add_entry(shared)
        work.library.add_entry(an_entry("without weights"))
        for search_id in ("a", "b", "other"):
            work.library.note_use(search_id, ["shared", "without weights"])
        done = an_export("x").evolve(project="team", search="a", status="done", size_bytes=2**40, artifact="f" * 64)
        work.exports.add(done)
        assert work.projects.usage("team") == Usage(
            trials_reserved=80, trials_done=1, running=2, storage_bytes=4 * shared.cost.params + 2**40, searches=2
        )
        assert work.projects.usage("nobody") == Usage(
            trials_reserved=0, trials_done=0, running=0, storage_bytes=0, searches=0
        )


def test_two_submissions_cannot_both_take_the_last_of_a_quota(sql: Database) -> None:
    both_began = threading.Barrier(2)

    def submit(search_id: str) -> None:
        both_began.wait()
        with sql.unit_of_work() as work:
            work.projects.lock("default")
            if work.projects.usage("default").searches == 0:
                time.sleep(0.05)  # every chance for the other one to read the same
                work.searches.add(a_search(search_id))
            work.commit()

    threads = [threading.Thread(target=submit, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sql.reader() as view:
        assert view.projects.usage("default").searches == 1


def test_keys_are_found_by_id_and_listed_by_project(sql: Database) -> None:
    with sql.unit_of_work() as work:
        for key in (a_key("k1", "default"), a_key("k2", None, 2.0), a_key("k3", "team", 3.0)):
            work.keys.add(key)
        with pytest.raises(Conflict, match="k1"):
            work.keys.add(a_key("k1", None))
        assert work.keys.get("k2") == a_key("k2", None, 2.0)
        assert [key.id for key in work.keys.list()] == ["k3", "k2", "k1"]
        assert [key.id for key in work.keys.list("default")] == ["k1"]
        with pytest.raises(NotFound, match="k9"):
            work.keys.get("k9")


def test_the_first_revocation_of_a_key_counts(sql: Database) -> None:
    with sql.unit_of_work() as work:
        work.keys.add(a_key("k1", "default"))
        work.keys.revoke("k1", 10.5)
        work.keys.revoke("k1", 99.0)
        assert work.keys.get("k1").revoked_at == 10.5
        with pytest.raises(NotFound):
            work.keys.revoke("k9", 1.0)


def test_the_audit_trail_is_paged_backwards(sql: Database) -> None:
    entries = [
        AuditEntry(at=float(n), project=project, key="k", action="cancel search", subject=f"s{n}", detail="ε")
        for n, project in enumerate(("default", None, "team", "default"))
    ]
    with sql.unit_of_work() as work:
        for entry in entries:
            work.audit.append(entry)
        everything = work.audit.page()
        assert [entry for _, entry in everything] == entries[::-1]
        newest = work.audit.page("default", limit=1)
        assert [entry.subject for _, entry in newest] == ["s3"]
        assert [entry.subject for _, entry in work.audit.page("default", before_id=newest[0][0])] == ["s0"]
        assert work.audit.page(before_id=everything[-1][0]) == []


def test_a_request_sent_twice_is_recalled_in_its_own_project_alone(sql: Database) -> None:
    with sql.unit_of_work() as work:
        assert work.idempotency.recall("default", "key") is None
        assert work.idempotency.record("default", "key", "d" * 64, "alpha", 1.0)
        assert not work.idempotency.record("default", "key", "e" * 64, "beta", 2.0)
        assert work.idempotency.record("team", "key", "e" * 64, "gamma", 3.0)
        assert work.idempotency.recall("default", "key") == ("d" * 64, "alpha")
        assert work.idempotency.recall("team", "key") == ("e" * 64, "gamma")


def test_an_export_is_claimed_once_and_waits_until_it_has_ended(searched: Database) -> None:
    with searched.unit_of_work() as work:
        for export in (an_export("new", 2.0), an_export("old", 1.0)):
            work.exports.add(export)
        with pytest.raises(Conflict, match="old"):
            work.exports.add(an_export("old"))
        running = an_export("old").evolve(status="running")
        assert work.exports.replace("waiting", running)
        assert not work.exports.replace("waiting", running)
        assert [export.id for export in work.exports.waiting()] == ["old", "new"]
        failed = running.evolve(
            status="failed", failure=Failure(code="not_found", message="no weights", transient=False)
        )
        assert work.exports.replace("running", failed)
        assert [export.id for export in work.exports.waiting()] == ["new"]
        assert work.exports.get("old") == failed
        assert [export.id for export in work.exports.list("alpha")] == ["new", "old"]
        with pytest.raises(NotFound, match="nothing"):
            work.exports.get("nothing")


def test_a_process_is_alive_while_it_beats(sql: Database) -> None:
    process = Process(id="p1", kind="coordinator", host="h", pid=7, started_at=1.5, document={"slots": 2})
    with sql.unit_of_work() as work:
        work.processes.beat(process.evolve(document={"slots": 1}))
        work.processes.beat(process)
        work.processes.beat(process.evolve(id="p2", kind="api"))
        work.commit()
    with sql.reader() as view:
        alive = view.processes.alive(60.0)
    assert [found.id for found, _ in alive] == ["p1", "p2"]
    assert alive[0][0] == process
    assert all(0 <= age < 60 for _, age in alive)
    time.sleep(0.02)
    with sql.unit_of_work() as work:
        assert work.processes.alive(0.01) == []
        work.processes.forget("p1")
        work.processes.forget("nobody")
        assert [found.id for found, _ in work.processes.alive(60.0)] == ["p2"]


def test_each_coordinator_says_how_devices_stand_and_what_is_old_is_told_with_its_age(sql: Database) -> None:
    phone = DeviceState(name="phone", condition="available", since=1.5, reason="ε")
    with sql.unit_of_work() as work:
        work.devices.note("one", [phone, phone.evolve(name="watch")])
        work.devices.note("two", [phone.evolve(condition="busy")])
        work.devices.note("one", [phone.evolve(condition="quarantined")])
        work.devices.note("three", [])
        work.commit()
    with sql.reader() as view:
        seen = view.devices.seen()
    told = [(state.name, state.condition, state.reason) for state, _ in seen]
    assert told == [("phone", "quarantined", "ε"), ("phone", "busy", "ε"), ("watch", "available", "ε")]
    assert all(0 <= age_s < 60 for _, age_s in seen)
