"""Where the preview listens, and what it says of that."""

from __future__ import annotations

import logging
import re
import socket
import urllib.request
from types import SimpleNamespace

import psutil
import pytest

from stages.errors import ConfigError
from stages.preview.address import parse_address, urls_elsewhere
from stages.preview.browser import BrowserConfig
from tests.preview.conftest import INFO, PATIENCE_S, FakeBracket, Stand


def test_an_address_in_use_is_a_mistake_told_in_one_line(stand: Stand) -> None:
    url = stand.server().url
    assert url is not None
    taken = url.removeprefix("http://").rstrip("/")
    stage = stand.stage(address=taken)
    with pytest.raises(
        ConfigError, match=f"^preview: cannot listen on {taken}: Address already in use; choose another"
    ):
        stage.open(INFO)
    with pytest.raises(ConfigError, match=r"^preview: cannot listen on nowhere\.invalid:0: [^\n]+; choose another"):
        stand.stage(address="nowhere.invalid:0").open(INFO)


def test_only_a_named_host_lets_other_machines_watch_and_that_is_said_once(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        stand.server("0")
        stand.server("localhost:0")
        assert caplog.messages == []
        server = stand.server("*:0", bracket=FakeBracket())
    (warning,) = caplog.messages
    assert warning.startswith("the preview is open to everybody on the network")
    assert warning.endswith("has no password: whoever reaches it can watch and change its exposures")
    with urllib.request.urlopen(f"{server.url}status", timeout=PATIENCE_S) as answer:
        assert answer.status == 200


def interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cable, a radio that is off, and the machine itself."""
    addresses = {
        "lo": [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")],
        "eth0": [(socket.AF_INET, "192.0.2.7"), (socket.AF_INET6, "2001:db8::7"), (socket.AF_INET6, "fe80::1%eth0")],
        "wlan0": [(socket.AF_INET, "192.0.2.8")],
    }
    monkeypatch.setattr(
        psutil,
        "net_if_addrs",
        lambda: {k: [SimpleNamespace(family=f, address=a) for f, a in v] for k, v in addresses.items()},
    )
    monkeypatch.setattr(
        psutil, "net_if_stats", lambda: {name: SimpleNamespace(isup=name != "wlan0") for name in addresses}
    )


@pytest.mark.parametrize(
    ("host", "urls"),
    [
        ("0.0.0.0", ["http://192.0.2.7:80/"]),
        ("::", ["http://[2001:db8::7]:80/"]),
        ("camera.local", ["http://camera.local:80/"]),
        ("127.0.0.1", []),
    ],
)
def test_other_machines_are_told_an_address_they_can_open(
    monkeypatch: pytest.MonkeyPatch, host: str, urls: list[str]
) -> None:
    interfaces(monkeypatch)
    assert urls_elsewhere(host, 80) == urls


def test_whoever_opens_it_to_the_network_is_told_where(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    interfaces(monkeypatch)
    stage = stand.stage(address="*:0")
    assert list(stage.urls_elsewhere) == []
    stage.open(INFO)
    assert stage.url is not None
    there = stage.url.replace("127.0.0.1", "192.0.2.7")
    assert list(stage.urls_elsewhere) == [there]
    assert f"open to everybody on the network at {there}; it has no password" in caplog.text


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("*:80", ("0.0.0.0", 80)),
        ("camera.local:80", ("camera.local", 80)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_addresses(address: str, meant: tuple[str, int]) -> None:
    assert parse_address(address) == meant


@pytest.mark.parametrize("address", ["", "host", ":8080", "host:", "host:x", "host:65536", "::1:80", "[::1]", "²:80²"])
def test_no_addresses(address: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(address))):
        BrowserConfig(address=address)
