"""The text of a file that somebody has sent, in whatever encoding his program writes."""

from __future__ import annotations

import codecs

from sipxd.errors import BadInput

_BY_MARK = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BY_NAME = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "utf-16": "utf-16",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
}


def decode_file(content: bytes, charset: str = "") -> str:
    """``content`` as text: by its byte order mark, else by the ``charset`` that was named.

    UTF-8 where there is neither.  Raises BadInput: what cannot be read for certain is not guessed.
    """
    name = charset.strip().strip('"').lower()
    encoding = next((by for mark, by in _BY_MARK if content.startswith(mark)), _BY_NAME.get(name))
    if encoding is None:
        raise BadInput(f"the charset {name[:40]!a} is not known here; send the file as UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput(
            f"the file is no {encoding.removesuffix('-sig').upper()} at byte {error.start}; save "
            "it as UTF-8, or say which charset it has"
        ) from None
    if "\0" in text:
        raise BadInput("the file has the character U+0000; save it as UTF-8 text")
    return text
