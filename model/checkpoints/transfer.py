"""Download one file over HTTPS into a `.part` file: resumable, and bounded in size.

The bytes received stay when the connection breaks, with the server's entity tag, so that the next try asks
only for the rest and only of the same version (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import urlsplit

from model.atomic import sync
from model.errors import DownloadError

Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 18
_KEPT = "what arrived is kept, run the command again to go on"
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]*"')
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_UNSATISFIED_RANGE = re.compile(r"bytes \*/(\d+)")


@dataclass(frozen=True)
class TransferRules:
    """Limits of a transfer: URL schemes, bytes a file, and seconds of silence before it gives up."""

    schemes: tuple[str, ...] = ("https",)
    max_bytes: int = 1 << 30
    timeout: float = 30.0


HTTPS_ONLY = TransferRules()


@dataclass(frozen=True)
class _Partial:
    """State left by an earlier try: number of bytes, and the entity tag of the file's version."""

    offset: int
    etag: str


@dataclass(frozen=True)
class _Body:
    """Offset of an answer's bytes in the file, and the file's length (None: not announced)."""

    offset: int
    total: int | None


def fetch(
    address: str, part: Path, rules: TransferRules = HTTPS_ONLY, progress: Progress | None = None
) -> None:
    """Download the file at `address` into `part`, resuming where an earlier try stopped.

    `progress` gets the bytes received and the file's length in bytes (None if not announced). The caller
    ensures that nothing else writes to `part`. Raises DownloadError; after a broken connection `part` stays
    for the next try, while bytes that cannot belong to the file are removed. Raises OSError when `part`
    cannot be written.
    """
    _require_scheme(address, rules)
    transfer = _Transfer(address, part, rules, progress or (lambda done, total: None))
    if not transfer.attempt(_read_partial(part, address)):
        discard(part)
        transfer.attempt(None)


def discard(part: Path) -> None:
    """Remove a part and the record of its origin."""
    part.unlink(missing_ok=True)
    _sidecar(part).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Transfer:
    address: str
    part: Path
    rules: TransferRules
    progress: Progress

    def attempt(self, partial: _Partial | None) -> bool:
        """Send one request and store the answer; False when `partial` cannot be resumed."""
        with self._ask(partial) as answer:
            if partial is not None and answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                # no bytes follow the part: it is the whole file, or not a part of this file
                end = _UNSATISFIED_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                return end is not None and int(end[1]) == partial.offset
            body = self._judge(answer, partial)
            if body.offset == 0:
                discard(self.part)
                _write_sidecar(self.part, self.address, answer.headers.get("ETag", ""))
            self._finish(body, self._append(answer, body))
        return True

    def _ask(self, partial: _Partial | None) -> HTTPResponse:
        headers = {"User-Agent": "livemask"}
        if partial is not None:
            headers |= {"Range": f"bytes={partial.offset}-", "If-Range": partial.etag}
        request = urllib.request.Request(self.address, headers=headers)
        opener = urllib.request.build_opener(_GuardedRedirects(self.rules), _EveryStatus())
        try:
            answer = opener.open(request, timeout=self.rules.timeout)
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise DownloadError(
                f"{urlsplit(self.address).netloc} cannot be reached ({_words(error)}); "
                "check the network connection and the proxy settings"
            ) from error
        assert isinstance(answer, HTTPResponse)
        return answer

    def _judge(self, answer: HTTPResponse, partial: _Partial | None) -> _Body:
        if answer.status == HTTPStatus.PARTIAL_CONTENT and partial is not None:
            body = _Body(partial.offset, self._resumed_total(answer, partial))
        elif answer.status == HTTPStatus.OK:
            body = _Body(0, answer.length)
        else:
            raise DownloadError(
                f"{self.address}: the server answered {answer.status} {answer.reason} instead of the file"
            )
        if body.total is None and not answer.chunked:
            raise DownloadError(f"{self.address}: the answer gives no length, so a cut could go unseen")
        if body.total is not None and body.total > self.rules.max_bytes:
            self._refuse(f"is {body.total} bytes long, more than the {self.rules.max_bytes} that are allowed")
        if answer.headers.get("Content-Type", "").startswith("text/"):
            raise DownloadError(f"{self.address}: the server sent a page of text where weights were expected")
        return body

    def _resumed_total(self, answer: HTTPResponse, partial: _Partial) -> int:
        given = answer.headers.get("Content-Range", "")
        span = _CONTENT_RANGE.fullmatch(given)
        if span is None or int(span[1]) != partial.offset:
            self._refuse(f"sent the range {given!r} where bytes {partial.offset}- were asked for")
        if answer.headers.get("ETag") != partial.etag:
            self._refuse("sent the rest of another version of the file")
        return int(span[2])

    def _append(self, answer: HTTPResponse, body: _Body) -> int:
        """Append the answer to the part and return its size: at most one chunk beyond the limit."""
        done = body.offset
        limit = self._limit(body)
        with self.part.open("ab") as file:
            self.progress(done, body.total)
            while done <= limit and (chunk := self._receive(answer)):
                file.write(chunk)
                done += len(chunk)
                self.progress(done, body.total)
            sync(file)
        return done

    def _receive(self, answer: HTTPResponse) -> bytes:
        try:
            # read1 returns what has arrived, so that a break within a chunk loses nothing
            return answer.read1(_CHUNK)
        except (OSError, HTTPException) as error:
            raise DownloadError(f"{self.address}: the connection broke ({_words(error)}); {_KEPT}") from error

    def _finish(self, body: _Body, done: int) -> None:
        if done > self._limit(body):
            self._refuse(f"sent more than {self._limit(body)} bytes")
        if done == 0:
            self._refuse("sent an empty file")
        if body.total is not None and done < body.total:
            raise DownloadError(
                f"{self.address}: the connection ended after {done} of {body.total} bytes; {_KEPT}"
            )

    def _limit(self, body: _Body) -> int:
        return self.rules.max_bytes if body.total is None else body.total

    def _refuse(self, what: str) -> NoReturn:
        discard(self.part)
        raise DownloadError(f"{self.address} {what}; the answer was refused and nothing is kept")


def _words(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(reason) or type(reason).__name__


class _EveryStatus(urllib.request.HTTPErrorProcessor):
    """Returns error answers like any other, so that one place checks them all."""

    def http_response(self, request: urllib.request.Request, response: object) -> object:
        assert isinstance(response, HTTPResponse)
        return response if response.status >= 400 else super().http_response(request, response)

    https_response = http_response


class _GuardedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the allowed schemes only: one hop in the clear would undo HTTPS."""

    def __init__(self, rules: TransferRules) -> None:
        self._rules = rules

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _require_scheme(newurl, self._rules)
        except DownloadError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_scheme(address: str, rules: TransferRules) -> None:
    parts = urlsplit(address)
    if parts.scheme not in rules.schemes:
        # a redirect's query may hold a signature: it is not shown
        raise DownloadError(
            f"{parts.scheme}://{parts.netloc}{parts.path}: only {', '.join(rules.schemes)} is allowed"
        )


def _sidecar(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _write_sidecar(part: Path, address: str, etag: str) -> None:
    _sidecar(part).write_text(json.dumps({"address": address, "etag": etag}), encoding="utf-8")


def _read_partial(part: Path, address: str) -> _Partial | None:
    try:
        known = json.loads(_sidecar(part).read_text(encoding="utf-8"))
        offset = part.stat().st_size
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(known, dict) or known.get("address") != address or offset == 0:
        return None
    etag = known.get("etag")
    # a weak tag does not promise the same bytes: without a strong one the download starts over
    return _Partial(offset, etag) if isinstance(etag, str) and _STRONG_ETAG.fullmatch(etag) else None
