"""A stand-in for Qualcomm AI Hub Workbench: a real HTTP server that speaks as much of its protocol as is needed.

The service's own client (`qai-hub` 0.56) was run against it by hand: it lists devices, uploads a model, submits both
jobs and reads the profile. What the client's own classes write is kept in `recordings/qai_hub_messages.json`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nas.estimation.devices.qai_hub_messages import CREATED, DONE, FAILED, PROVISIONING, message

TOKEN = "s3cret-t0ken"
MODEL, UPLOADED, COMPILED = "mabc", "mabc", "mtarget"
COMPILE_JOB, PROFILE_JOB = "jcompile", "jprofile"
MEASURING = 70
PART_BYTES = 4096


class HubStub:
    """The service.

    Attributes:
        profile: What a profile job measured.
        failing: Path to status and body: what goes wrong.
        failure: Type and reason of failure of a job, by its identifier.
        states: States that a job goes through, one for every question.
        requests: Method, path, parameters and headers of everything that was asked.
        parts: The parts of the uploaded file.
        jobs: The submitted jobs.
    """

    def __init__(self) -> None:
        self.profile = message("ProfileDetail")(
            execution_time=12_100,
            all_execution_times=[19_000, 12_300, 12_100, 12_200, 12_400, 12_900],
            layer_details=[
                {"name": "/conv", "compute_unit": 3, "layer_type_name": "Conv2d", "execution_time": 9_000},
                {"name": "/norm", "compute_unit": 1, "layer_type_name": "GroupNorm", "execution_time": 2_500},
                {"name": "/silu", "compute_unit": 3, "layer_type_name": "Mul", "execution_time": 600},
            ],
            tool_versions=[{"name": "ONNX Runtime", "version": "1.24.0"}],
        )
        self.devices = [
            {
                "name": "Samsung Galaxy S24",
                "os": "14",
                "attributes": ["chipset:qualcomm-snapdragon-8gen3", "hexagon:v75", "os:android", "vendor:samsung"],
            }
        ]
        self.failing: dict[str, tuple[int, bytes, str]] = {}
        self.failure: dict[str, tuple[int, str]] = {}
        self.states = [CREATED, PROVISIONING, MEASURING, DONE]
        self.requests: list[tuple[str, str, dict[str, list[str]], dict[str, str]]] = []
        self.parts: list[bytes] = []
        self.jobs: list[Any] = []
        self._asked: dict[str, int] = {}
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: object) -> None:
                pass

            def answer_request(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, kind, body = stub.answer(self.command, self.path, dict(self.headers), self.rfile.read(length))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"part"')
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = answer_request

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        path, query = urlsplit(url).path, parse_qs(urlsplit(url).query)
        self.requests.append((method, path, query, headers))
        if path.startswith("/storage/"):
            self.parts.append(body)
            return 200, "text/plain", b""
        if headers.get("Authorization") != f"token {TOKEN}":
            return 401, "text/html", b"no"
        if path in self.failing:
            status, told, kind = self.failing[path]
            return status, kind, told
        for pattern, respond in self._routes(method, query, body):
            if found := re.fullmatch(f"/api/v1/{pattern}/", path):
                return 200, "application/x-protobuf", respond(*found.groups()).SerializeToString()
        return 404, "text/html", b"not here"

    def _routes(self, method: str, query: dict[str, list[str]], body: bytes) -> list[tuple[str, Callable[..., Any]]]:
        if method == "POST":
            return [
                ("models", lambda: self._created(MODEL)),
                (f"models/{MODEL}/multipart_upload", lambda: self._created(UPLOADED)),
                ("jobs", lambda: self._submitted(message("Job").FromString(body))),
            ]
        return [
            ("devices", lambda: message("DeviceList")(devices=self._named(query))),
            ("frameworks", self._frameworks),
            (f"models/{MODEL}/multipart_upload", lambda: self._places(int(query["file_size"][0]))),
            (r"jobs/(\w+)", self._job),
            (r"jobs/(\w+)/result", self._result),
        ]

    def _named(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        name, system = query.get("name", [""])[0], query.get("os", [""])[0]
        return [
            device for device in self.devices if device["name"] == name and (not system or device["os"] == system)
        ]

    def _frameworks(self) -> Any:
        old = {"name": "QAIRT", "api_version": "2.30", "full_version": "2.30.1"}
        usual = {"name": "QAIRT", "api_version": "2.45", "full_version": "2.45.0.260326", "api_tags": ["default"]}
        return message("FrameworkList")(frameworks=[old, usual])

    def _created(self, identifier: str) -> Any:
        return message("CreateUpdateResponse")(id=identifier)

    def _places(self, size: int) -> Any:
        count = -(-size // PART_BYTES)
        urls = [f"{self.url}/storage/{part}?signature=x" for part in range(count)]
        return message("FileMultipartUploadURL")(urls=urls, upload_id="u1", max_part_size=PART_BYTES)

    def _submitted(self, job: Any) -> Any:
        self.jobs.append(job)
        return self._created(PROFILE_JOB if job.HasField("profile_job") else COMPILE_JOB)

    def _job(self, identifier: str) -> Any:
        asked = self._asked[identifier] = self._asked.get(identifier, -1) + 1
        kind, reason = self.failure.get(identifier, (0, ""))
        state = FAILED if identifier in self.failure else self.states[min(asked, len(self.states) - 1)]
        facts: dict[str, Any] = {"job_state": state, "failure_reason": reason}
        if identifier == PROFILE_JOB:
            return message("Job")(profile_job=facts, failure_type=kind)
        return message("Job")(compile_job={**facts, "target_model": {"model_id": COMPILED}}, failure_type=kind)

    def _result(self, identifier: str) -> Any:
        result = {"profile_job_id": identifier, "profile": self.profile}
        return message("JobResult")(profile_job_result=result)
