"""The OpenAPI document, completed by what the framework cannot know."""

from __future__ import annotations

from typing import Any, Final

from api.border.answers import PROBLEM_JSON
from nas.domain.search import SearchSpec

_REF: Final = "#/components/schemas/"
_TAGS: Final = {
    "searches": "Submit, read and steer searches.",
    "trials": "Trials, fronts, and the columns that plots are drawn from.",
    "libraries": "Surrogate blocks, shared by searches, and their weights.",
    "events": "What happened, as pages or as a stream.",
    "exports": "Networks to take away.",
    "administration": "Projects, keys, quotas, audit.",
    "catalogue": "What a spec may say.",
    "operations": "Health and metrics.",
}


def completed(schema: dict[str, Any]) -> dict[str, Any]:
    """Problems under their own media type, the spec as a schema of its own, tags with descriptions."""
    components = schema["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    spec = SearchSpec.model_json_schema(ref_template=_REF + "{model}")
    components.update(spec.pop("$defs", {}))
    components["SearchSpec"] = spec
    for operations in schema["paths"].values():
        for operation in operations.values():
            _complete(operation)
    schema["tags"] = [{"name": name, "description": meaning} for name, meaning in _TAGS.items()]
    schema["components"]["schemas"] = dict(sorted(components.items()))
    return schema


def _complete(operation: dict[str, Any]) -> None:
    summary, _, rest = operation["description"].partition("\n\n")
    operation["summary"] = " ".join(summary.split()).rstrip(".")
    operation["description"] = rest or summary
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if PROBLEM_JSON in content:
            response["content"] = {PROBLEM_JSON: {"schema": {"$ref": _REF + "Problem"}}}
        if status in ("401", "429", "503") and PROBLEM_JSON in content:
            name = "WWW-Authenticate" if status == "401" else "Retry-After"
            response["headers"] = {name: {"schema": {"type": "string"}}}
