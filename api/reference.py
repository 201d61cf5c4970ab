"""Writes the REST reference from the app itself: `docs/openapi.json`, and the tables of `docs/rest.md`.

`python -m api.reference FOLDER`; a test holds the committed files against it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

MARK: Final = "<!-- Everything below is written by `make openapi`. -->\n"


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of this version."""
    from api.installation import Installation
    from api.server import make_app
    from api.settings import Settings

    with tempfile.TemporaryDirectory() as nowhere:
        document: dict[str, Any] = make_app(Installation(settings=Settings(data=Path(nowhere)))).openapi()
    return document


def write_reference(folder: Path) -> None:
    """Write both files; what a person wrote above the mark of `rest.md` stays."""
    document = openapi_document()
    (folder / "openapi.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    page = folder / "rest.md"
    written = page.read_text(encoding="utf-8") if page.exists() else ""
    page.write_text(written.partition(MARK)[0] + MARK + "".join(tables(document)), encoding="utf-8")


def tables(document: dict[str, Any]) -> Iterator[str]:
    """The routes by tag, in Markdown."""
    for tag in document["tags"]:
        yield f"\n## {tag['name'].capitalize()}\n\n{tag['description']}\n"
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if tag["name"] in operation.get("tags", ()):
                    yield from _operation(method, path, operation)


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"\n### `{method.upper()} {path}`\n\n{operation['summary']}.\n\n"
    if operation["description"].rstrip(".") != operation["summary"]:
        yield operation["description"] + "\n\n"
    yield f"Client: `{operation['operationId']}`. Answers: {', '.join(_answers(operation))}.\n"
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody", {}).get("content", {})
    if parameters or body:
        yield "\n| where | name | meaning |\n|---|---|---|\n"
    for parameter in parameters:
        needed = "" if not parameter["required"] or parameter["in"] == "path" else " (required)"
        yield f"| {parameter['in']} | `{parameter['name']}`{needed} | {parameter.get('description', '')} |\n"
    for media, content in body.items():
        yield f"| body | `{media}` | {_name(content.get('schema', {}))} |\n"


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        named = sorted({name for media in content.values() if (name := _name(media.get("schema", {})))})
        if status.startswith("2"):
            yield " ".join([status, *named]).strip()
        elif status not in ("400", "413", "415", "421"):
            yield status


def _name(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return "" if name == "Problem" else f"`{name}`"
    return " or ".join(filter(None, (_name(one) for one in schema.get("anyOf", ()))))


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
