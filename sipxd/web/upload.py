"""A file that a form of a web page sends (RFC 7578)."""

from __future__ import annotations

from typing import Any

from twisted.web.server import Request
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser

from sipxd.web.negotiate import media_type
from sipxd.web.problems import HttpProblem


def only_file(request: Request) -> bytes:
    """The one file of a body that is multipart/form-data. Raises HttpProblem (417)."""
    content: Any = request.content
    parser = FormDataParser(silent=False, max_form_parts=10)
    header = (request.getHeader(b"content-type") or b"").decode("latin-1")
    options = dict(part.strip().split("=", 1) for part in header.split(";")[1:] if "=" in part)
    options = {name.lower(): value.strip('"') for name, value in options.items()}
    files: list[Any] = []
    if media_type(request) == b"multipart/form-data" and options.get("boundary"):
        try:
            _, _, found = parser.parse(content, "multipart/form-data", None, options)
        except (ValueError, HTTPException):  # broken, or of too many parts
            found = None
        files = [] if found is None else [each for _, each in found.items(multi=True)]
    if len(files) != 1:
        raise HttpProblem(417, "Send exactly one file, as multipart/form-data.")
    data: bytes = files[0].stream.read()
    return data
