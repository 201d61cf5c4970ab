"""Requests with a key, errors as exceptions, and patience where repeating is safe."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from api.problems import RETRY_AFTER_S, error_of
from api.refusals import IncompatibleServer
from nas.errors import NasError, TransientError

D = TypeVar("D", bound=BaseModel)

ATTEMPTS: Final = 5
FIRST_PAUSE_S: Final = 0.2
_PROBLEM: Final = "application/problem+json"


class Transport:
    """One connection pool to one server.

    What can be repeated without harm (reads, and writes with an idempotency key) is repeated when the
    connection is lost or the server is not available for a moment; nothing else is.

    Args:
        http: The pool, with address and key set.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def ask(
        self,
        answer: type[D],
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        text: str | None = None,
        idempotency_key: str | None = None,
    ) -> D:
        """Send a request and parse its answer.

        Raises:
            NasError: What the server refused, as the error it met; `TransientError` when it cannot be reached.
            IncompatibleServer: If what answered speaks another language.
        """
        response = self.send(method, path, params=params, json=json, text=text, idempotency_key=idempotency_key)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError:
            raise IncompatibleServer(
                f"{self._http.base_url} answered {method} {path} with something else than {answer.__name__}.",
                "Check the address and the versions of both sides.",
            ) from None

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        text: str | None = None,
        idempotency_key: str | None = None,
    ) -> httpx.Response:
        """Send a request; the answer is a success.

        Raises:
            NasError: As for `ask`.
        """
        headers: dict[str, str] = {"Content-Type": "application/yaml"} if text is not None else {}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        request = self._http.build_request(
            method, path, params=_given(params), json=json, content=text, headers=headers
        )
        attempts = ATTEMPTS if method == "GET" or idempotency_key is not None else 1
        for attempt in range(attempts):
            try:
                response = self._http.send(request)
                refuse(response)
                return response
            except (TransientError, httpx.TransportError) as error:
                if attempt + 1 == attempts:
                    raise reachable(error, self._http) from None
                time.sleep(FIRST_PAUSE_S * 2**attempt)
        raise AssertionError  # the last attempt returned or raised

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str] | None = None, read_timeout_s: float | None = None
    ) -> Iterator[httpx.Response]:
        """Open an answer that is read piece by piece; not repeated.

        Raises:
            NasError: As for `ask`.
        """
        timeout = httpx.Timeout(self._http.timeout.connect, read=read_timeout_s or self._http.timeout.read)
        try:
            with self._http.stream("GET", path, headers=dict(headers or {}), timeout=timeout) as response:
                if response.is_error:
                    response.read()
                refuse(response)
                yield response
        except httpx.TransportError as error:
            raise reachable(error, self._http) from None

    def close(self) -> None:
        """Close all connections."""
        self._http.close()


def refuse(response: httpx.Response) -> None:
    """Raise what a response tells of, if it is no success.

    Raises:
        NasError: The error that the server met.
    """
    if response.is_success:
        return
    media = response.headers.get("content-type", "").partition(";")[0]
    if media == _PROBLEM:
        after = response.headers.get("retry-after", "")
        raise error_of(response.json(), int(after) if after.isdigit() else RETRY_AFTER_S)
    if response.status_code in (502, 503, 504):
        raise TransientError(f"The server answered {response.status_code}.", "Try again in a moment.")
    raise IncompatibleServer(
        f"{response.url.copy_with(query=None)} answered {response.status_code}, and no problem of this interface.",
        "Check the address.",
    )


def reachable(error: Exception, http: httpx.Client) -> NasError:
    """What a lost connection means to a caller."""
    if isinstance(error, NasError):
        return error
    return TransientError(
        f"The server at {http.base_url} cannot be reached ({type(error).__name__}).",
        "Check the address, and that it runs: blocksmith up",
    )


def _given(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}
