"""Refusals that only a server knows: who may do what, how much, how often."""

from __future__ import annotations

from nas.errors import NasError


class Unauthorized(NasError):
    """No key, or none that is valid; send a valid one."""

    code = "unauthorized"


class Forbidden(NasError):
    """The key's role may not do this; ask for a key with the role named."""

    code = "forbidden"


class QuotaExceeded(Forbidden):
    """The project would use more than it is allowed; free some, or have the quota raised."""

    code = "quota_exceeded"


class TooManyRequests(NasError):
    """Too many failed attempts from one address; wait.

    Args:
        message: What went wrong.
        hint: What to do.
        retry_after_s: Seconds to wait.
    """

    code = "too_many_requests"

    def __init__(self, message: str, hint: str = "", retry_after_s: int = 60) -> None:
        super().__init__(message, hint)
        self.args = (message, hint, retry_after_s)
        self.retry_after_s = retry_after_s


class BadRequest(NasError):
    """The request is no HTTP request this server understands; correct it."""

    code = "bad_request"


class MisdirectedRequest(NasError):
    """The request names a host that this server is not; see `BLOCKSMITH_PUBLIC_NAMES`."""

    code = "misdirected_request"


class MethodNotAllowed(NasError):
    """The resource exists, but not for this method."""

    code = "method_not_allowed"


class PayloadTooLarge(NasError):
    """The body is larger than the server reads; send less."""

    code = "payload_too_large"


class UnsatisfiableRange(NasError):
    """There are no such bytes; ask for others, or for the whole."""

    code = "unsatisfiable_range"


class UnsupportedMedia(NasError):
    """The body is of a type that this route does not read; convert it."""

    code = "unsupported_media_type"


class InternalError(NasError):
    """A fault of the server; report it with the incident's id."""

    code = "internal_error"


class IncompatibleServer(NasError):
    """What answered does not speak this interface; check the address and the versions."""

    code = "incompatible_server"
