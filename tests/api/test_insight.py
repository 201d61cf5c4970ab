"""Searches asked about themselves over REST, by the client and on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.cli import main
from api.service.turns import Turns
from nas.domain.lifecycle import SearchStatus, TrialStatus
from nas.errors import TransientError
from tests.api.filled import a_search, an_evaluation, architectures, fill, price
from tests.api.serving import Served, serve

TRIALS = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = serve(tmp_path_factory.mktemp("insight"))
    database = served.installation.database
    fill(database, a_search("red-1", project="red"), TRIALS)
    fill(database, a_search("red-2", project="red", objectives=("params", "noise_mse_relative")), 30)
    fill(database, a_search("red-3", project="red"), 4)
    with database.unit_of_work() as uow:  # nothing distilled yet
        uow.searches.add(a_search("red-4", project="red", seed=9))
        uow.commit()
    with served.http:
        yield served


def ask(served: Served, path: str, status: int = 200) -> Any:
    answer = served.http.get(f"/v1/searches/{path}", headers=served.bearer("red/reader"))
    assert answer.status_code == status, answer.text
    return answer.json()


def judged() -> list[tuple[int, float, float]]:
    """Number, params and error of every trial of `red-1` that has both."""
    tried = architectures(TRIALS)[: TRIALS - 1]
    return [(number, *price(one)) for number, one in enumerate(tried) if number % 10 != 9]


def test_health_is_told_with_a_remedy_for_what_is_amiss(served: Served) -> None:
    report = ask(served, "red-1/health")
    (metric,) = report["metrics"]
    assert (report["search"], report["trials"], report["bounds_version"]) == ("red-1", TRIALS, 0)
    assert report["verdict"] in ("good", "fair")
    assert metric["metric"] == "noise_mse_relative"
    assert metric["points"] == report["points"] == len(judged())
    assert metric["leave_one_out"]["kendall_tau"] > 0.6
    assert [stage["stage"] for stage in metric["stages"]] == list(a_search().spec.space)
    assert {prediction["trial"] for prediction in metric["predictions"]} == {number for number, _, _ in judged()}
    assert all(finding["remedy"] for finding in report["findings"] if finding["severity"] in ("warning", "problem"))


def test_the_recommendation_is_the_cheapest_that_is_surely_feasible(served: Served) -> None:
    answer = ask(served, "red-1/recommendation")
    (chosen,) = answer["recommended"]
    best = min((params, number) for number, params, error in judged() if error <= 0.5)
    assert (chosen["trial"], chosen["metrics"]["params"]["predicted"]) == (best[1], pytest.approx(best[0], abs=7))
    assert answer["bounds"] == {"noise_mse_relative": 0.5}


def test_what_was_stopped_early_is_never_recommended(served: Served) -> None:
    database = served.installation.database
    fill(database, a_search("red-5", project="red", seed=5), 12)
    roomy = "red-5/recommendation?bound=noise_mse_relative:5"
    (first,) = ask(served, roomy)["recommended"]
    with database.unit_of_work() as uow:
        whole = uow.trials.get("red-5", first["trial"])
        assert whole.evaluation is not None
        uow.trials.replace(TrialStatus.COMPLETED, whole.evolve(evaluation=whole.evaluation.evolve(share=0.125)))
        uow.events.append("red-5", "trial", json.dumps({"facts": {"number": whole.number}}), 3.0)
        uow.commit()
    answer = ask(served, roomy)
    assert answer["recommended"]
    assert first["trial"] not in {one["trial"] for one in [*answer["recommended"], answer["luckiest"]]}


@pytest.mark.parametrize("epsilon", [0.45, 0.7])
def test_other_bounds_are_answered_without_storing_them(served: Served, epsilon: float) -> None:
    answer = ask(served, f"red-1/recommendation?bound=noise_mse_relative:{epsilon}&bound=params:5000")
    (chosen,) = answer["recommended"]
    fine = [(params, number) for number, params, error in judged() if error <= epsilon and params <= 5000]
    assert chosen["trial"] == min(fine)[1]
    assert answer["bounds"] == {"noise_mse_relative": epsilon, "params": 5000}
    assert ask(served, "red-1/recommendation")["bounds"] == {"noise_mse_relative": 0.5}


def test_of_two_objectives_the_front_is_recommended(served: Served) -> None:
    answer = ask(served, "red-2/recommendation?bound=noise_mse_relative:inf")
    costs = [choice["metrics"]["params"]["predicted"] for choice in answer["recommended"]]
    assert len(costs) > 2
    assert costs == sorted(costs)
    assert answer["bounds"] == {}


def test_it_is_too_early_while_there_is_little_or_nothing(served: Served) -> None:
    assert ask(served, "red-3/health")["verdict"] == "too early"
    nothing = ask(served, "red-4/health")
    assert (nothing["verdict"], nothing["metrics"]) == ("too early", [])
    assert ask(served, "red-4/recommendation")["recommended"] == []


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("bound=noise_mse_relatve:0.1", "noise_mse_relative"),
        ("bound=latency_ms:3", "needs a device"),
        ("bound=noise_mse_relative:0", "positive"),
        ("bound=noise_mse_relative:1-2", "positive"),
        ("bound=table_latency_ms:3", "needs a device"),
        ("bound=noise_mse_relative:inf", "smallest network"),
        ("bound=noise", "bound"),
        ("bonud=noise_mse_relative:1", "bound"),
    ],
)
def test_a_bound_that_means_nothing_is_refused_with_its_reason(served: Served, query: str, word: str) -> None:
    problem = ask(served, f"red-1/recommendation?{query}", 422)
    (fault,) = problem["errors"]
    assert fault["pointer"].startswith("?bo")
    assert word in fault["reason"] + fault["nearest"] + fault["pointer"]


def test_an_answer_is_kept_until_something_happens(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.consultant import Consultant

    first = ask(served, "red-2/health")
    asked: list[object] = []
    original = Consultant.ask
    monkeypatch.setattr(Consultant, "ask", lambda desk, about: asked.append(about) or original(desk, about))
    assert ask(served, "red-2/health") == first
    assert asked == []
    with served.installation.database.unit_of_work() as uow:
        (trial,) = uow.trials.of_search("red-2", TrialStatus.RUNNING)
        done = trial.become(TrialStatus.COMPLETED, evaluation=an_evaluation(trial.architecture))
        uow.trials.replace(TrialStatus.RUNNING, done)
        uow.events.append("red-2", "trial", json.dumps({"facts": {"number": trial.number}}), 2.0)
        uow.commit()
    after = ask(served, "red-2/health")
    assert (after["last_event"], after["points"]) == (first["last_event"] + 1, first["points"] + 1)
    assert len(asked) == 1


def test_the_client_returns_typed_answers(served: Served, tmp_path: Path) -> None:
    from api.client import Client

    served.installation.database  # noqa: B018  # opened before another process would
    with Client.local(served.installation) as client:
        assert client.health("red-1").metrics[0].points == len(judged())
        found = client.recommendation("red-1", {"noise_mse_relative": 0.3})
        assert found.bounds == {"noise_mse_relative": 0.3}
        assert found.recommended[0].metrics["noise_mse_relative"].predicted <= 0.3


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(caught.value.code or 0), capsys.readouterr().out


def test_commands_tell_people_and_scripts(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(served.installation.settings.data)
    status, shown = run(capsys, "health", "red-1", "--data", data)
    assert status == 0
    assert "Health of red-1" in shown
    assert "noise_mse_relative" in shown
    status, shown = run(capsys, "recommend", "red-1", "--data", data, "--bound", "noise_mse_relative=0.3")
    assert (status, "noise_mse_relative ≤ 0.3" in shown) == (0, True)
    status, shown = run(capsys, "recommend", "red-1", "--data", data, "--json")
    assert json.loads(shown)["recommended"][0]["probability"] >= 0.5
    status, shown = run(capsys, "health", "red-4", "--data", data, "--json")
    assert json.loads(shown)["verdict"] == "too early"
    status, shown = run(capsys, "recommend", "red-1", "--data", data, "--bound", "noise", "--json")
    assert (status, json.loads(shown)["error"]["code"]) == (2, "invalid_spec")


def test_an_ended_search_can_be_asked(tmp_path: Path) -> None:
    served = serve(tmp_path)
    fill(served.installation.database, a_search("red-1", project="red"), 20, status=SearchStatus.COMPLETED)
    with served.http:
        assert ask(served, "red-1/recommendation")["recommended"]


def test_an_api_process_that_was_asked_knows_no_optimiser(tmp_path: Path) -> None:
    served = serve(tmp_path)
    fill(served.installation.database, a_search("red-1", project="red"), 20)
    token = served.bearer("red/reader")["Authorization"]
    asked = [
        "import json, sys",
        "from pathlib import Path",
        "from starlette.testclient import TestClient",
        "from api.installation import Installation",
        "from api.server import make_app",
        "from api.settings import Settings",
        "if __name__ == '__main__':",
        "    app = make_app(Installation(settings=Settings(data=Path(sys.argv[1]))))",
        "    with TestClient(app, base_url='http://localhost') as http:",
        "        for what in ('health', 'recommendation'):",
        "            answer = http.get('/v1/searches/red-1/' + what, headers={'Authorization': sys.argv[2]})",
        "            assert answer.status_code == 200, answer.text",
        "    print(json.dumps([name for name in ('torch', 'ax', 'botorch') if name in sys.modules]))",
    ]
    program = tmp_path / "ask.py"
    program.write_text("\n".join(asked), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), token],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_who_is_late_or_lost_is_a_problem_with_a_remedy_and_costs_nobody_else_an_answer(tmp_path: Path) -> None:
    served = serve(tmp_path)
    fill(served.installation.database, a_search("red-1", project="red"), 20)
    with served.http:
        desk = served.http.app.state.service.insights
        desk._turns._patience_s = 0.2
        answer = served.http.get("/v1/searches/red-1/health", headers=served.bearer("red/reader"))
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert answer.headers["retry-after"]
        assert "took too long" in answer.json()["detail"]
        desk._turns._patience_s = 120.0
        assert ask(served, "red-1/health")["verdict"] in ("good", "fair")
        os.kill(desk.consultant.process.pid, signal.SIGKILL)
        assert ask(served, "red-1/recommendation")["recommended"]


def test_turns_are_taken_one_by_one_and_too_many_are_turned_away() -> None:
    turns = Turns(1, 1, 10.0, "Counting", "count")
    begun, go_on = threading.Event(), threading.Event()
    at_once: list[int] = []

    def work() -> int:
        at_once.append(len(at_once))
        begun.set()
        go_on.wait(10)
        return at_once.pop()

    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(turns.take(work))) for _ in range(2)]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    while threads[1].is_alive() and turns._places._value:
        threading.Event().wait(0.01)
    with pytest.raises(TransientError, match="too many"):
        turns.take(work)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert answers == [0, 0]
    turns.close()


def test_nobody_waits_for_ever() -> None:
    turns = Turns(1, 1, 0.05, "Counting", "count")
    release = threading.Event()
    with pytest.raises(TransientError, match="too long"):
        turns.take(lambda: release.wait(10))
    release.set()
    turns.close()
