"""Lines of the service: who they are about, in either form, and never a secret."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog

from api.logs import configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


def line(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().err.splitlines()[-1])


def test_a_line_tells_whose_it_is_whichever_module_wrote_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    with structlog.contextvars.bound_contextvars(search="alpha", trial=7):
        logging.getLogger("nas.engine.loop").warning("A step of search %s is repeated", "alpha", extra={"attempt": 2})
    told = line(capsys)
    assert told["event"] == "A step of search alpha is repeated"
    assert (told["search"], told["trial"], told["attempt"]) == ("alpha", 7, 2)
    assert (told["level"], told["logger"]) == ("warning", "nas.engine.loop")


def test_threads_do_not_mix_their_searches(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")

    def speak(search: str) -> None:
        with structlog.contextvars.bound_contextvars(search=search):
            logging.getLogger("x").warning("%s", search)

    threads = [threading.Thread(target=speak, args=(f"search-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    assert len(lines) == 8
    assert all(told["event"] == told["search"] for told in lines)


@pytest.mark.parametrize(
    "secret",
    [
        "bsk_abcdefghijkl_0123456789012345678901234567890123456789012",
        "postgresql://user:hunter2@host/name",
        "Authorization: Bearer hunter2",
        "{'authorization': 'Bearer hunter2'}",
    ],
)
@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_blacked_out(secret: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(form)
    logging.getLogger("x").error("Something with %s failed", secret)
    try:
        raise ValueError(secret)
    except ValueError:
        logging.getLogger("x").exception("crashed", extra={"given": secret})
    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert "0123456789012345" not in written
    assert "…" in written


def test_an_exception_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    try:
        raise ZeroDivisionError("nothing")
    except ZeroDivisionError:
        logging.getLogger("x").exception("crashed")
    told = line(capsys)
    assert told["event"] == "crashed"
    assert "ZeroDivisionError: nothing" in told["exception"]


def test_what_is_less_important_than_asked_for_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "warning")
    logging.getLogger("x").info("everyday")
    assert capsys.readouterr().err == ""
