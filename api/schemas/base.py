"""What all documents share: pages, measurements, failures, problems."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


def example(**fields: Any) -> ConfigDict:
    """Configuration of a document with its example in OpenAPI."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Document(BaseModel):
    """Base of everything the server answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Request(BaseModel):
    """Base of everything a client writes. Strict: unknown fields and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Page(Document, Generic[T]):
    """Some items of a list.

    Attributes:
        items: In the order of the list.
        next: Cursor of the next page; null on the last one.
    """

    items: list[T]
    next: str | None = None


class MeasurementDocument(Document):
    """A measured mean with its standard error, in the metric's unit."""

    model_config = example(mean=0.0421, sem=0.0012, unit="1")

    mean: float
    sem: float
    unit: str


class FailureDocument(Document):
    """Why something gave no result."""

    model_config = example(code="transient_error", message="The worker was lost.", transient=True)

    code: str
    message: str
    transient: bool = False


class FaultDocument(Document):
    """One thing wrong with a request.

    Attributes:
        pointer: JSON pointer into the body; `?name` for a query parameter; `header NAME` for a header.
        reason: What is wrong.
        nearest: The nearest right value, or an empty string.
    """

    model_config = example(pointer="/budget/trials", reason="must be greater than or equal to 1", nearest="1")

    pointer: str
    reason: str
    nearest: str = ""


class Problem(Document):
    """An error, as RFC 9457 has it, with what to do about it.

    Attributes:
        code: Stable word to branch on.
        hint: What to do about it.
        errors: Every fault of the request, where there are several.
        instance: Path asked for; for an internal error also the incident's id, which stands in the log.
    """

    model_config = example(
        type="https://blocksmith.dev/problems/not_found",
        title="Not found",
        status=404,
        detail="There is no search 'demo-1a2b3c'.",
        code="not_found",
        hint="Check the id.",
        errors=[],
        instance="/v1/searches/demo-1a2b3c",
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    errors: list[FaultDocument] = []
    instance: str = ""


Seconds = Annotated[float, Field(description="Seconds.")]
UnixSeconds = Annotated[float, Field(description="Unix seconds.")]
