"""A cloud in another language: what docs/protocol.md promises, done with nothing but proto/ and Python's grpcio.

It makes a certificate authority, lets one node enrol, accepts its line, sends it create_runtime, waits for the result,
sends delete_runtime, and ends. Every frame is written to standard output as one JSON line, which is also how the recorded
exchange in docs/protocol.md was made. Usage: cloud.py STUBS FOLDER IMAGE
"""

import base64
import hashlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from concurrent import futures

stubs, folder, image = sys.argv[1:4]
sys.path.insert(0, stubs)

import grpc  # noqa: E402
from google.protobuf.json_format import MessageToDict  # noqa: E402
from google.protobuf.timestamp_pb2 import Timestamp  # noqa: E402

from edge.v1 import control_pb2, control_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc  # noqa: E402

TRUST_DOMAIN = "python.test"
NODE_ID = "press-7"
LEASE_MS = 6000


def say(kind, **what):
    # One write: lines of two threads must not run into each other.
    sys.stdout.write(json.dumps({"what": kind, **what}) + "\n")
    sys.stdout.flush()


def frame(direction, message):
    say("frame", direction=direction, frame=MessageToDict(message, preserving_proto_field_name=True))


def openssl(*args, given=None):
    return subprocess.run(["openssl", *args], cwd=folder, input=given, check=True, capture_output=True).stdout


def issue(name, csr_args, extensions):
    with open(os.path.join(folder, name + ".ext"), "w", encoding="ascii") as file:
        file.write(extensions)
    openssl("x509", "-req", *csr_args, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", name + ".ext", "-out", name + ".pem")


def read(name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
        "/CN=a cloud in Python", "-keyout", "ca.key", "-out", "ca.pem")
openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout",
        "server.key", "-out", "server.csr")
issue("server", ["-in", "server.csr"], "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
spki = openssl("pkey", "-pubin", "-outform", "der", given=openssl("x509", "-in", "ca.pem", "-pubkey", "-noout"))

secret = os.urandom(32)
token_used = threading.Event()


class Enrolment(enrolment_pb2_grpc.EnrolmentServicer):
    def Enroll(self, request, context):
        if request.token_id != "t1" or request.token_secret != secret or token_used.is_set():
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "this token is not good here")
        token_used.set()
        with open(os.path.join(folder, "node.der"), "wb") as file:
            file.write(request.csr_der)
        openssl("req", "-inform", "der", "-in", "node.der", "-verify", "-noout")
        issue("node", ["-inform", "der", "-in", "node.der"],
              f"subjectAltName=URI:spiffe://{TRUST_DOMAIN}/node/{NODE_ID}\nextendedKeyUsage=clientAuth\n"
              "keyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n")
        ends = Timestamp()
        ends.FromSeconds(int(time.time()) + 2 * 86400)
        say("enrolled", host_name=request.host_name)
        return enrolment_pb2.EnrollResponse(
            node_id=NODE_ID, certificate_pem=read("node.pem").decode(), ca_pem=read("ca.pem").decode(),
            line_addresses=[f"localhost:{line_port}"], expires_at=ends)


finished = threading.Event()


class Control(control_pb2_grpc.ControlServicer):
    def Connect(self, frames, context):
        names = context.auth_context().get("x509_subject_alternative_name", [])
        say("connected", names=[name.decode() for name in names])
        outgoing = queue.Queue()
        threading.Thread(target=self.listen, args=(frames, outgoing), daemon=True).start()
        while True:
            message = outgoing.get()
            if message is None:
                return
            frame("down", message)
            yield message

    def listen(self, frames, outgoing):
        try:
            for up in frames:
                frame("up", up)
                self.answer(up, outgoing)
        except grpc.RpcError:
            pass
        outgoing.put(None)

    def answer(self, up, outgoing):
        body = up.WhichOneof("body")
        now = Timestamp()
        now.GetCurrentTime()
        if body == "hello":
            welcome = control_pb2.HubFrame()
            welcome.welcome.session_id = "s-1"
            welcome.welcome.protocol = 1
            welcome.welcome.lease_ms = LEASE_MS
            welcome.welcome.beat_interval_ms = LEASE_MS // 3
            welcome.welcome.server_time.CopyFrom(now)
            welcome.welcome.reports_through = 0
            welcome.welcome.command_window = 8
            welcome.welcome.max_frame_bytes = 1 << 20
            welcome.welcome.node_id = NODE_ID
            outgoing.put(welcome)
            command = control_pb2.HubFrame()
            command.command.sequence = 1
            command.command.command.id = "py-1"
            command.command.command.budget_ms = 60000
            command.command.command.actor = "python"
            spec = command.command.command.create_runtime.spec
            spec.name, spec.image, spec.profile = "from-python", image, 2
            outgoing.put(command)
        elif body == "beat":
            beat = control_pb2.HubFrame()
            beat.beat.server_time.CopyFrom(now)
            outgoing.put(beat)
        elif body == "report":
            if up.report.sequence > 0:
                ack = control_pb2.HubFrame()
                ack.reports_ack.through_sequence = up.report.sequence
                outgoing.put(ack)
            if up.report.WhichOneof("entry") == "result":
                self.result(up.report.result, outgoing)

    def result(self, result, outgoing):
        if result.command_id == "py-1" and result.WhichOneof("outcome") == "create_runtime":
            command = control_pb2.HubFrame()
            command.command.sequence = 2
            command.command.command.id = "py-2"
            command.command.command.delete_runtime.name = "from-python"
            outgoing.put(command)
        else:
            threading.Timer(0.5, finished.set).start()


def serve(servicer, add, root_pem, require_client):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    add(servicer, server)
    chain = read("server.pem") + read("ca.pem")
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials(
        [(read("server.key"), chain)], root_certificates=root_pem, require_client_auth=require_client))
    server.start()
    return server, port


line, line_port = serve(Control(), control_pb2_grpc.add_ControlServicer_to_server, read("ca.pem"), True)
door, door_port = serve(Enrolment(), enrolment_pb2_grpc.add_EnrolmentServicer_to_server, None, False)

token = enrolment_pb2.EnrolmentToken(
    addresses=[f"localhost:{door_port}"], ca_sha256=hashlib.sha256(spki).digest(), id="t1", secret=secret)
token.checksum = hashlib.sha256(token.SerializeToString(deterministic=True)).digest()[:4]
text = base64.urlsafe_b64encode(token.SerializeToString(deterministic=True)).decode().rstrip("=")
say("token", token="edge1_" + text)

done = finished.wait(timeout=90)
line.stop(grace=1)
door.stop(grace=1)
say("done", ok=done)
sys.exit(0 if done else 1)
