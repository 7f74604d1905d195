"""Data for the browser: a script file that assigns JSON to one global name."""

import json
from typing import Any

_ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
"""What could end a script element, open a comment in one, or end a line of a script, but not of JSON."""


def script(name: str, value: Any) -> str:
    r"""A script that assigns `value` to `window.NAME`.

    Text is escaped so that the same bytes would be harmless inside a page as well.

    >>> script("DATA", {"name": "</script>"})
    'window.DATA={"name":"\\u003c/script\\u003e"};\n'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return f"window.{name}={text.translate(_ESCAPES)};\n"
