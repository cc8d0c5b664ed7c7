"""Under which names a server is asked for, and by pages of which origin.

A page of a stranger, opened in a visitor's browser, can send requests to this machine, too. The
browser says whose page it is (Origin, Sec-Fetch-Site), but not where that stranger's name leads to
their server first and to this one later (DNS rebinding): then Host and Origin agree, and only the
name is a strange one.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

LOCALHOST = "localhost"
ELSEWHERE = {"cross-site", "same-site"}
"""What a browser says of requests that the page of another origin makes."""


class Names:
    """The names that a server answers to."""

    def __init__(self, host: str, others: Iterable[str] = ()) -> None:
        """Names of this machine, as far as `host` lets others in.

        Args:
            host: Address that it listens at.
            others: More names, such as that of a proxy in front of it.
        """
        self._network = not is_loopback(host)
        machine = {host, socket.gethostname(), f"{socket.gethostname()}.local"}
        self._others = {name.lower() for name in others}
        self._known = self._others | {name.lower() for name in machine if self._network}

    def refusal(
        self, host: str | None, origin: str | None, site: str | None, linked: bool
    ) -> str | None:
        """Why a request is refused; None if it is not.

        Args:
            host: Its header Host.
            origin: Its header Origin; browsers send it with all that may change something.
            site: Its header Sec-Fetch-Site, which browsers send with everything, if the address is
                one of this machine or its connection encrypted.
            linked: Whether somebody follows a link to the page itself: from anywhere.
        """
        name = hostname(host)
        if name is None or not self.knows(name):
            return (
                f"this demo does not answer to the name {name!r}: start it with "
                f"--allowed-hosts {name or 'NAME'}, if that is one of its names"
            )
        foreign = site in ELSEWHERE and not linked
        if origin is not None:
            page = urlsplit(origin).netloc if "://" in origin else ""
            foreign = foreign or not page
            foreign = foreign or (page.lower() != str(host).lower() and not self._proxied(page))
        return "the page of another site may not ask this demo" if foreign else None

    def knows(self, name: str) -> bool:
        """Whether the server answers to a name; an address cannot be made to lead elsewhere."""
        return is_loopback(name) or name in self._known or (self._network and is_address(name))

    def _proxied(self, page: str) -> bool:
        """Whether it is the page of a name that was allowed; a proxy may ask by another one."""
        return hostname(page) in self._others


def hostname(host: str | None) -> str | None:
    """The name in `name:port`, lower case, without brackets; None where there is none."""
    try:
        parts = urlsplit(f"//{host or ''}")
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    return parts.hostname and parts.hostname.rstrip(".")


def is_loopback(name: str) -> bool:
    """Whether a name or an address is this machine's own, for nobody else."""
    if name == LOCALHOST or name.endswith(f".{LOCALHOST}"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def is_address(name: str) -> bool:
    """Whether it is an address, and no name that a server of names could give away."""
    return _address(name) is not None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
