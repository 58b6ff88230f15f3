"""Says whether each file is a valid OpenAPI 3.1 document, and whether its examples fit their schemas."""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator


def examples(node):
    """Every (schema, example) of a document's contents and parameters."""
    if isinstance(node, list):
        for item in node:
            yield from examples(item)
    if isinstance(node, dict):
        if "schema" in node:
            yield from ((node["schema"], one["value"]) for one in node.get("examples", {}).values())
            if "example" in node:
                yield node["schema"], node["example"]
        for item in node.values():
            yield from examples(item)


count = 0
for name in sys.argv[1:]:
    document = json.loads(pathlib.Path(name).read_text())
    errors = list(OpenAPIV31SpecValidator(document).iter_errors())
    if errors:
        raise SystemExit(f"{name}: {errors}")
    for schema, example in examples({key: document.get(key) for key in ("paths", "webhooks")}):
        whole = {**schema, "components": document["components"]}
        errors = [error.message for error in Draft202012Validator(whole).iter_errors(example)]
        if errors:
            raise SystemExit(f"{name}: {example}: {errors}")
        count += 1
print(json.dumps({"documents": len(sys.argv) - 1, "examples": count}))
