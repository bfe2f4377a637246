"""HTTP to addresses that somebody else named: model URLs, webhooks, key sets of identity providers.

Decides which addresses may be reached: public ones only, unless told otherwise, checked for every redirect
and pinned, so that a name cannot mean another address between check and use. Must not know what is fetched.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from sardonyx.client.exchange import authorities
from sardonyx.protocol.errors import Code, ServeError, invalid

_CHUNK = 1 << 20
_REDIRECTS = 5
_NAT64, _LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48")


@dataclass(frozen=True, slots=True)
class Outbound:
    """What may be reached: `private` allows addresses of this machine and its networks."""

    private: bool = False
    timeout_s: float = 30.0

    def download(self, url: str, to: Path, limit_bytes: int) -> None:
        """Write what `url` holds into the file `to`.

        Raises ServeError INVALID_ARGUMENT for an address that may not be reached, TOO_LARGE beyond the limit,
        UNAVAILABLE if the other side does not answer with it.
        """
        with self._stream("GET", url) as answer, to.open("wb") as stream:
            received = 0
            for chunk in answer.iter_bytes(_CHUNK):
                received += len(chunk)
                if received > limit_bytes:
                    raise ServeError(Code.TOO_LARGE, f"{shown(url)} is larger than {limit_bytes} bytes")
                stream.write(chunk)

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Send `content` to `url`; redirects are not followed. Raises ServeError as `download` does.

        Errors name the host alone: the path of a webhook is often its password.
        """
        place = shown(url, path=False)
        with self._client() as client, _explained(place):
            answer = client.send(self._request(client, "POST", url, content, headers))
            if answer.status_code >= 300:
                raise ServeError(Code.UNAVAILABLE, f"{place} answered {answer.status_code}")

    def get(self, url: str, limit_bytes: int = _CHUNK) -> bytes:
        """What `url` holds. Raises ServeError as `download` does."""
        with self._stream("GET", url) as answer:
            content = b""
            for chunk in answer.iter_bytes(_CHUNK):
                content += chunk
                if len(content) > limit_bytes:
                    raise ServeError(Code.TOO_LARGE, f"{shown(url)} is larger than {limit_bytes} bytes")
            return content

    @contextmanager
    def _stream(self, method: str, url: str) -> Iterator[httpx.Response]:
        with self._client() as client, _explained(shown(url)):
            for _ in range(_REDIRECTS + 1):
                answer = client.send(self._request(client, method, url), stream=True)
                if not answer.is_redirect:
                    break
                url = str(httpx.URL(url).join(answer.headers["location"]))
                answer.close()
            else:
                raise ServeError(Code.UNAVAILABLE, f"{shown(url)} redirects more than {_REDIRECTS} times")
            with closing(answer):
                if answer.status_code != 200:
                    raise ServeError(Code.UNAVAILABLE, f"{shown(url)} answered {answer.status_code}")
                yield answer

    def _client(self) -> httpx.Client:
        return httpx.Client(
            timeout=self.timeout_s,
            verify=authorities(trust_env=self.private),
            trust_env=self.private,
            follow_redirects=False,
        )

    def _request(
        self,
        client: httpx.Client,
        method: str,
        url: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        """The request, sent to the address that was checked under the name that was asked."""
        parsed = _parsed(url)
        if self.private:
            return client.build_request(method, parsed, content=content, headers=headers)
        pinned = parsed.copy_with(host=self._address(parsed))
        named = {**(headers or {}), "host": parsed.netloc.decode("ascii")}
        return client.build_request(
            method, pinned, content=content, headers=named, extensions={"sni_hostname": parsed.host}
        )

    def _address(self, url: httpx.URL) -> str:
        try:
            found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ServeError(Code.UNAVAILABLE, f"{url.host} has no address: {error}") from error
        addresses = [str(row[4][0]) for row in found]
        for address in addresses:
            if not is_public(address):
                raise invalid(
                    f"{shown(str(url), path=False)} leads to {address}, which is not a public address; the "
                    "server reaches such addresses only if it is started with --allow-private-urls"
                )
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; one that carries another, if that does."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if int(parsed) >> 32 == 0 or parsed in _LOCAL_NAT64:
            return False
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo or (None, None))[1]
        if inner is None and parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast


def shown(url: str, *, path: bool = True) -> str:
    """A URL for readers: without user, password and query, which may be secret, nor the path if that may."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "the URL"
    plain = parsed.copy_with(userinfo=b"", query=None, fragment=None)
    return str(plain) if path else str(plain.copy_with(path="/"))


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise invalid(f"this is not a URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        place = shown(url, path=False) if parsed.host else "a URL without a host"
        raise invalid(f"{place} cannot be fetched: only http and https can")
    return parsed


@contextmanager
def _explained(place: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise ServeError(Code.UNAVAILABLE, f"{place}: {error or type(error).__name__}") from error
