"""JSON Schema validation without its optional URI grammar, whose import takes seconds (no schema here has URIs)."""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # importing it fails now, and jsonschema does without

from jsonschema import Draft202012Validator, ValidationError  # noqa: E402

__all__ = ["Draft202012Validator", "ValidationError"]
