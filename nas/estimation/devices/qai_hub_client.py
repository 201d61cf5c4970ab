"""A small client of Qualcomm AI Hub Workbench: upload a model, run jobs, read their results.

What the service says about a network is an EvaluationError. What it says about itself, the account or the line
between is a TransientError: no architecture is given up because a token expired.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

from nas.errors import EvaluationError, TransientError
from nas.estimation.devices.qai_hub_messages import (
    CREATED,
    DONE,
    FAILED,
    ONNX,
    PROTOCOL_VERSION,
    PROVISIONING,
    TRANSIENT_FAILURES,
    message,
)

PUBLIC_URL = "https://workbench.aihub.qualcomm.com"
RESPONSE_TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 600.0
LOST_POLLS = 5
"""So many answers in a row may be lost while a job is waited for: the job goes on meanwhile."""
ABOUT_THE_ACCOUNT = {
    401: "The service does not accept the API token.",
    403: "The account may not do that.",
    426: f"The service no longer speaks the protocol of its client {PROTOCOL_VERSION}.",
    429: "The service wants fewer requests, or the account's quota is used up.",
}


class HubClient:
    """Speaks to the service; to be used as a context.

    Args:
        url: Of the service. Anything but HTTPS is refused beyond this machine, because the token would be readable.
        token: Sent with every request to the service, and to nobody else.
        poll_s: Seconds between two questions after a job.

    Raises:
        EvaluationError: If the URL is none, or would give the token away.
    """

    def __init__(self, url: str, token: str, poll_s: float) -> None:
        parts = urlsplit(url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise EvaluationError("QAI_HUB_API_URL must begin with https://.", "Plain HTTP would show the API token.")
        self._poll_s = poll_s
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/",
            headers={"Authorization": f"token {token}", "Client-Version": PROTOCOL_VERSION},
            timeout=RESPONSE_TIMEOUT_S,
            transport=httpx.HTTPTransport(retries=2),
        )

    def __enter__(self) -> HubClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def devices(self, name: str, system: str) -> list[Any]:
        """Devices of exactly that name, and that version of the operating system if it is not empty."""
        return list(self._get("devices/", "DeviceList", {"name": name, "os": system}).devices)

    def frameworks(self) -> list[Any]:
        """Versions of the runtimes that the service offers."""
        return list(self._get("frameworks/", "FrameworkList").frameworks)

    def upload(self, path: Path, name: str) -> str:
        """Identifier of a model, made of an ONNX file, in as many parts as the service wants."""
        model = self._post("models/", message("Model")(name=name, model_type=ONNX))
        asked = {"file_size": str(path.stat().st_size), "use_acceleration": "false"}
        place = self._get(f"models/{model}/multipart_upload/", "FileMultipartUploadURL", asked)
        if not place.urls or not place.max_part_size:
            raise TransientError("The service named no place to upload a model to.")
        with path.open("rb") as file:
            tags = [self._put(url, file.read(place.max_part_size)) for url in place.urls]
        complete = message("FileMultipartUploadComplete")(upload_id=place.upload_id, etags=tags)
        return self._post(f"models/{model}/multipart_upload/", complete)

    def start_compile(self, model: str, device: Any, name: str, options: str) -> str:
        """Identifier of a job that compiles a model for a device."""
        job = message("CompileJob")(
            model={"model_id": model},
            devices={"devices": [device], "total_query_count": 1},
            name=name,
            options=options,
        )
        return self._post("jobs/", message("Job")(compile_job=job), {"seed_target_model": "true"})

    def start_profile(self, model: str, device: Any, name: str, options: str) -> str:
        """Identifier of a job that runs a compiled model on a device and times it."""
        job = message("ProfileJob")(model={"model_id": model}, device=device, name=name, options=options)
        return self._post("jobs/", message("Job")(profile_job=job))

    def finished(self, job: str, queue_timeout_s: float, run_timeout_s: float) -> Any:
        """The job itself once it is done; waits for it.

        Raises:
            EvaluationError: If it failed because of the network, or ran for too long.
            TransientError: If it failed otherwise, or its turn did not come in time.
        """
        spent = {True: 0.0, False: 0.0}
        last = time.monotonic()
        for state, waiting, found in self._states(job):
            if state == DONE:
                return found
            if state == FAILED:
                raise _failure(found)
            spent[waiting] += time.monotonic() - last
            last = time.monotonic()
            if spent[True] > queue_timeout_s:
                raise TransientError(f"The service's device was not free for {queue_timeout_s:g} s.")
            if spent[False] > run_timeout_s:
                raise EvaluationError(
                    f"The service's job ran for longer than {run_timeout_s:g} s.", "Raise timeout_s."
                )
            time.sleep(self._poll_s)
        raise AssertionError("a job is asked for until it ends")

    def profile(self, job: str) -> Any:
        """What a finished profile job measured."""
        return self._get(f"jobs/{job}/result/", "JobResult").profile_job_result.profile

    def _states(self, job: str) -> Iterator[tuple[int, bool, Any]]:
        """State of a job, whether it still waits for a device, and the job, as often as one asks."""
        lost = 0
        while True:
            try:
                answer = self._get(f"jobs/{job}/", "Job")
                kind = "profile_job" if answer.HasField("profile_job") else "compile_job"
                state = getattr(answer, kind).job_state
                if not state:
                    raise TransientError("The service's answer tells no state of the job.")
            except TransientError:
                lost += 1
                if lost >= LOST_POLLS:
                    raise
                time.sleep(self._poll_s)
                continue
            lost = 0
            yield state, state in (CREATED, PROVISIONING), answer

    def _get(self, path: str, kind: str, asked: dict[str, str] | None = None) -> Any:
        return _read(_request(self._http, "GET", path, params=asked), kind)

    def _post(self, path: str, sent: Any, asked: dict[str, str] | None = None) -> str:
        headers = {"Content-Type": "application/x-protobuf"}
        answer = _request(self._http, "POST", path, content=sent.SerializeToString(), headers=headers, params=asked)
        made = _read(answer, "CreateUpdateResponse")
        if not made.id:
            raise EvaluationError(f"The service refused a request: {made.status or 'it gave no reason'}")
        return str(made.id)

    def _put(self, url: str, part: bytes) -> str:
        """Upload a part to a place that the service named, which is somebody else's: without the token."""
        with httpx.Client(timeout=UPLOAD_TIMEOUT_S) as anonymous:
            answer = _request(anonymous, "PUT", url, content=part)
        if not answer.headers.get("ETag"):
            raise TransientError("The upload of a model was not acknowledged.")
        return str(answer.headers["ETag"])


def _request(http: httpx.Client, method: str, url: str, **sent: Any) -> httpx.Response:
    """An answer that is not an error."""
    try:
        answer = http.request(method, url, **sent)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TransientError(f"The service cannot be reached: {type(error).__name__}") from error
    if answer.is_success:
        return answer
    if answer.status_code in ABOUT_THE_ACCOUNT:
        raise TransientError(ABOUT_THE_ACCOUNT[answer.status_code], _said(answer))
    if answer.is_client_error:
        raise EvaluationError(f"The service refused a request ({answer.status_code}).", _said(answer))
    raise TransientError(f"The service failed ({answer.status_code}).")


def _said(answer: httpx.Response) -> str:
    """The beginning of what the service says about an error, if it is text."""
    return " ".join(answer.text.split())[:200] if "text" in answer.headers.get("Content-Type", "") else ""


def _read(answer: httpx.Response, kind: str) -> Any:
    """An answer's message.

    Raises:
        TransientError: If it is none: a proxy's page, a cut answer.
    """
    from google.protobuf.message import DecodeError

    if not answer.headers.get("Content-Type", "").startswith("application/x-protobuf"):
        raise TransientError("The service's answer is not of its protocol.", "Is QAI_HUB_API_URL right?")
    try:
        return message(kind).FromString(answer.content)
    except DecodeError as error:
        raise TransientError("The service's answer cannot be read.") from error


def _failure(found: Any) -> EvaluationError | TransientError:
    failed = found.profile_job if found.HasField("profile_job") else found.compile_job
    what = "profile" if found.HasField("profile_job") else "compile"
    reason = " ".join(failed.failure_reason.split())[:500] or "it gave no reason"
    if found.failure_type in TRANSIENT_FAILURES:
        kind = TRANSIENT_FAILURES[found.failure_type]
        return TransientError(f"The service's {what} job failed ({kind}): {reason}")
    return EvaluationError(f"The service's {what} job failed: {reason}")
