"""The broker and the gateway of the node, from a program in Python: the standard library is enough."""

import base64
import http.client
import json
import os
import socket
import struct


class Refused(Exception):
    """What the node said no to, with its sentence."""


class _Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["ORCHESTRATOR_BROKER"])


def ask(service, method, body=None):
    """Asks the broker, as in ask("Broker", "GetSelf") or ask("Sessions", "ListSessions")."""
    return _post("broker", f"/edge.v1.{service}/{method}", body or {})


def chat(model, messages):
    """Asks a language model by its alias. Returns what it says."""
    answer = _post("gateway", "/llm/v1/chat/completions", {"model": model, "messages": messages})
    return answer["choices"][0]["message"]["content"]


def stream(method, body=None):
    """What a method of the broker answers again and again, as in: for call in stream("TakeCalls")"""
    asked = json.dumps(body or {}).encode()
    connection = _Connection("broker")
    kind = {"content-type": "application/connect+json"}
    connection.request("POST", f"/edge.v1.Broker/{method}", struct.pack(">BI", 0, len(asked)) + asked, kind)
    answer = connection.getresponse()
    while head := answer.read(5):
        flags, length = struct.unpack(">BI", head)
        value = json.loads(answer.read(length))
        if not flags & 2:
            yield value
        elif "error" in value:
            raise Refused(f"{value['error'].get('code')}: {value['error'].get('message')}")


def to_bytes(text):
    """Bytes travel as base64 in JSON."""
    return base64.b64encode(text.encode()).decode()


def from_bytes(text):
    return base64.b64decode(text).decode()


def _post(host, path, body):
    connection = _Connection(host)
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    said = json.loads(answer.read())
    if answer.status == 200:
        return said
    error = said.get("error", said)
    raise Refused(f"{error.get('code')}: {error.get('message')}")
