"""Addresses of network streams, and how they are shown: never with a password or a key in them."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

SCHEMES = ("http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "udp")
"""The kinds of network stream that can be opened."""

HIDDEN = "***"

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # two letters and more: no drive of Windows
_OTHER_SCHEMES = (
    "ftp",
    "ftps",
    "mms",
    "rtmpe",
    "rtmpt",
    "rtp",
    "sftp",
    "smb",
    "srt",
    "tcp",
    "tls",
    "ws",
    "wss",
)
_MISTYPED = re.compile(rf"(?:{'|'.join(SCHEMES + _OTHER_SCHEMES)})(?::[/\\]*|[/\\]{{2,}})", re.IGNORECASE)
_HOST = re.compile(r"(?:\[[0-9a-f:.%]+\]|[a-z0-9-]+(?:\.[a-z0-9-]+)+)(?::\d{1,5})?[/?#]", re.IGNORECASE)
_PLAIN_HOST = re.compile(r"(?:\[[0-9a-f:.%]+\]|[^:/?#@\[]+)(?::\d{1,5})?[/?#]", re.IGNORECASE)
_PATH_PART = re.compile(r"[^/&;]+")
_QUERY_PART = re.compile(r"[^?&;#]+")
_SECRET_KEYS = re.compile(
    r"auth|cred|jwt|key|pas|psw|pwd|\bpw\b|secret|session|\bsid\b|sig|token", re.IGNORECASE
)


def is_address(text: str) -> bool:
    """Return True if an argument is a network address, and no path of a file: it begins with `scheme://`."""
    return _ADDRESS.match(text) is not None


def scheme_of(address: str) -> str:
    """Return the part before `://`, in lower case."""
    return address.partition("://")[0].lower()


def redacted(text: str) -> str:
    """An address fit to be shown: its user and password, and the values of keys such as `token`, become ***.

    Mistyped addresses (`rtsp:/user:password@host`, a password with `/`, `@`, `?` or `#` in it) lose their
    secrets too, at the price of hiding more than needed. Anything else comes back as it is. A secret that is
    a part of a path, as some services have it, cannot be told from any other path.
    """
    start = _ADDRESS.match(text) or _MISTYPED.match(text)
    if start is None:
        plain = unquote(text)
        return redacted(plain) if plain != text and _MISTYPED.match(plain) else text
    rest = _without_user(text[start.end() :])
    query_at = min((at for at in map(rest.find, "?#") if at >= 0), default=len(rest))
    path = _PATH_PART.sub(_without_value, rest[:query_at])
    return start.group() + path + _QUERY_PART.sub(_without_value, rest[query_at:])


def with_quoted_login(address: str) -> str:
    """An address as FFmpeg takes it: signs of a user and a password that end a host become `%2F` and such.

    Those are `/`, `?`, `#` and `@`. What may be a host with a path in which there is an `@` stays as it is.
    """
    start = _ADDRESS.match(address)
    rest = address[start.end() :] if start else ""
    at = rest.rfind("@")
    user, colon, password = rest[: max(at, 0)].partition(":")
    if start is None or not colon or not re.search("[/?#@]", password) or _PLAIN_HOST.match(rest):
        return address
    login = f"{_quoted(user)}:{_quoted(password)}"
    return f"{start.group()}{login}{rest[at:]}"


def _quoted(text: str) -> str:
    """With percent signs for what would end it; those that are quoted already stay."""
    return re.sub(r"[/?#@]|%(?![0-9a-fA-F]{2})", lambda sign: quote(sign.group(), safe=""), text)


def _without_user(rest: str) -> str:
    """Return the part after `scheme://`, without user and password.

    A password may hold any sign, so all up to the last `@` goes, save where the beginning is a host for sure
    and an `@` can only be a part of the path or of the query.
    """
    at = rest.rfind("@")
    if at <= 0 or _HOST.match(rest):
        return rest
    return f"{HIDDEN}{rest[at:]}"


def _without_value(match: re.Match[str]) -> str:
    """A part of a path or a query, without what follows a secret key and its `=`, percent signs or not."""
    part = match.group()
    for equals in re.finditer("=", part):
        if _SECRET_KEYS.search(_unquoted(part[: equals.start()])):
            return f"{part[: equals.end()]}{HIDDEN}"
    key, equals_sign, value = part.partition("=")
    nested = _unquoted(value)  # an address within the address
    return f"{key}={HIDDEN}" if equals_sign and _SECRET_KEYS.search(nested) and "=" in nested else part


def _unquoted(text: str) -> str:
    """The text without percent signs, however often it was quoted (within reason)."""
    for _ in range(3):
        text = unquote(text)
    return text
