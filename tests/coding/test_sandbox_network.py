"""What code in the sandbox reaches of the network, by the way out that the host serves."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from autogen._kernel.run import Run, entered

from .internet import lead_to, serving

pytestmark = pytest.mark.wall

FETCH = """
import urllib.request, urllib.error
def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer: print(answer.read().decode())
    except OSError as error: print(error)
"""


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.headers['Host']}{self.path}".encode())

    def log_message(self, *args):
        return


@pytest.fixture
def site(monkeypatch):
    """A made-up internet: every name is public and served by one site on loopback."""
    inner = {"meta.example": "169.254.169.254"}
    with serving(Site) as server:
        lead_to(server, monkeypatch, address_of=lambda host: inner.get(host, "93.184.216.34"))
        yield server


def test_public_hosts_are_reached_by_python_and_curl(sandbox, run, site):
    box = sandbox()
    assert run(box, f"{FETCH}\nfetch('http://a.example/x')").output == "a.example/x\n"
    result = run(box, "curl -sS http://a.example/y; curl -sS -p http://b.example:443/z", "sh")
    assert result.output == "a.example/yb.example:443/z"


def test_refusal_reaches_the_code_with_the_way_to_allow_it(sandbox, run, site):
    box = sandbox(network=["*.example"])
    result = run(box, f"{FETCH}\nfetch('http://other.test/')\nfetch('http://meta.example/')")
    first, second = result.output.splitlines()
    assert first.startswith("HTTP Error 403: Egress refused: other.test is not on the list")
    assert first.endswith("network=['other.test', ...]")
    assert "169.254.169.254, which is not on the public network" in second
    tunnel = run(box, "curl -sS https://other.test/ -o /dev/null -v 2>&1 | grep refused", "sh")
    assert "Egress refused: other.test is not on the list of hosts" in tunnel.output


def test_contacts_are_stored_events_of_the_run(sandbox, run, site):
    box = sandbox(network=["a.example"])
    seen = []
    state = Run(
        id="r",
        sinks=[seen.append],
        make_event=lambda run, kind, data: (
            (kind, data) if kind.startswith("code") else (kind, data, run.next_event_key())
        ),
    )
    with entered(state):
        run(box, f"{FETCH}\nfetch('http://a.example/')\nfetch('http://b.example/')")
        run(box, f"{FETCH}\nfetch('http://a.example/')")
    contacts = [event for event in seen if event[0].startswith("egress")]
    assert [(kind, data["host"], data["port"]) for kind, data, _ in contacts] == [
        ("egress.allowed", "a.example", 80),
        ("egress.refused", "b.example", 80),
        ("egress.allowed", "a.example", 80),
    ]
    assert "not on the list" in contacts[1][1]["reason"]
    assert len({key for _, _, key in contacts}) == 3
    # Events of a leaf take no numbers from the run: a replay does not report them again.
    assert state.next_event_key() == "e1"


def test_there_is_no_other_way_out(sandbox, run, site):
    code = """
import os, socket, subprocess
for act in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=2),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
    lambda: socket.getaddrinfo("a.example", 80),
    lambda: socket.create_server(("127.0.0.1", 3128)),
    lambda: socket.create_server(("0.0.0.0", 3128), reuse_port=True),
):
    try: act(); print("OUT")
    except OSError: print("no")
print(sorted(os.listdir("/proc/self/fd")), [name for _, name in socket.if_nameindex()])
"""
    assert run(sandbox(), code).output == "no\n" * 5 + "['0', '1', '2', '3'] ['lo']\n"


def test_services_inside_are_reached_directly_and_the_hosts_only_by_name(sandbox, run, site):
    port = site.server_address[1]
    code = f"{FETCH}\nfetch('http://127.0.0.1:{port}/')"
    assert "Connection refused" in run(sandbox(), code).output
    assert run(sandbox(network=[f"127.0.0.1:{port}"]), code).output == f"127.0.0.1:{port}/\n"
    code = f"{FETCH}\nimport os\nfetch('http://' + os.environ['WHERE'] + '/')"
    refused = run(sandbox(env={"WHERE": f"127.1:{port}", "NO_PROXY": "", "no_proxy": ""}), code)
    assert "unusual spelling" in refused.output


@pytest.mark.parametrize("network", ["none", "host"])
def test_without_a_policy_there_is_no_proxy(sandbox, run, network):
    box = sandbox(network=network)
    code = "import os, socket\nprint([n for n in os.environ if 'proxy' in n.lower()])"
    assert run(box, code).output == "[]\n"
    assert box._held.link.gate is None


def test_empty_list_refuses_every_host(sandbox, run, site):
    assert (
        "not on the list" in run(sandbox(network=[]), f"{FETCH}\nfetch('http://a.example')").output
    )


def test_way_out_outlives_what_code_does_to_it(sandbox, run, site):
    box = sandbox()
    code = """
import os, signal, socket
for _ in range(300):
    socket.create_connection(("127.0.0.1", 3128)).sendall(b"GET")
os.kill(-1, signal.SIGKILL)
"""
    run(box, code)
    assert run(box, f"{FETCH}\nfetch('http://a.example/x')").output == "a.example/x\n"


def test_way_out_ends_with_the_wall(sandbox, run, site):
    threads, files = threading.active_count(), None
    before = set(threading.enumerate())
    box = sandbox()
    for _ in range(3):
        run(box, f"{FETCH}\nfetch('http://a.example/x')")
        box.stop()
        files = files or len(os.listdir("/proc/self/fd"))
        assert len(os.listdir("/proc/self/fd")) == files
    gates = {one for one in threading.enumerate() if one.name == "autogen-gate"}
    assert not gates - before
    assert threading.active_count() <= threads + 1


def test_tunnel_does_not_outlive_its_block(sandbox, run, site, eventually):
    box = sandbox(timeout=2)
    code = """
import socket
client = socket.create_connection(("127.0.0.1", 3128))
client.sendall(b"CONNECT a.example:443 HTTP/1.1\\r\\n\\r\\n")
print(client.recv(100).split()[1])
"""
    run(box, "pass")
    files = len(os.listdir("/proc/self/fd"))
    assert run(box, code).output == "b'200'\n"
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= files)


@pytest.mark.parametrize("network", [["http://a.example"], ["a.*.b"], "everything", [7]])
def test_network_that_means_nothing_is_refused_at_once(sandbox, network):
    with pytest.raises(ValueError, match="network"):
        sandbox(network=network)
