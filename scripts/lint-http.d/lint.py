"""Every endpoint of a server of its own, asked by hand over a socket, and each answer given to httplint.

A note that is neither good nor neutral and is not in notes.txt fails the run; so does an entry of notes.txt that no answer calls for.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from httplint.message import HttpRequestLinter, HttpResponseLinter
from httplint.note import levels

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRET = "a secret of the linter, long enough for HS256"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    """One response, read by its length."""

    def __init__(self, stream, method):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = stream.read(1)
            assert byte, f"the connection ended within a head: {head!r}"
            head += byte
        lines = head[:-4].split(b"\r\n")
        self.version, self.status, self.phrase = (lines[0].split(b" ", 2) + [b""])[:3]
        self.fields = [(line.split(b":", 1)[0], line.split(b":", 1)[1].strip()) for line in lines[1:]]
        self.headers = {name.decode().lower(): value.strip().decode("latin-1") for name, value in self.fields}
        empty = method == "HEAD" or self.status in (b"204", b"304")
        # A stream of events has no end; its head is what is judged.
        self.endless = self.headers.get("content-type") == "text/event-stream"
        self.body = b"" if empty or self.endless else stream.read(int(self.headers["content-length"]))

    def json(self):
        return json.loads(self.body)


class Server:
    def __init__(self, folder):
        self.port, ops = free_port(), free_port()
        environment = {"PATH": os.environ["PATH"], "REELGATE__AUTH__SECRET": SECRET, "REELGATE__TRASH__KEEP_MS": "3600000"}
        self.environment = environment
        self.folder = folder
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            [ROOT / "target/debug/reelgate", "all", f"--data-dir={folder}/data", f"--listen=127.0.0.1:{self.port}",
             f"--ops-listen=127.0.0.1:{ops}"],
            env=environment, stderr=self.log, stdout=self.log)
        self.ops = ops
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)

    def jwt(self, *arguments):
        command = [ROOT / "target/debug/reelgate", "token", f"--data-dir={self.folder}/data", *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def ask(self, method, path, headers=(), body=b"", port=None):
        port = port or self.port
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
            lines += [f"{name}: {value}" for name, value in headers]
            if body:
                lines.append(f"Content-Length: {len(body)}")
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            return Answer(connection.makefile("rb"), method)


class Linter:
    def __init__(self):
        self.accepted, self.needed, self.complaints, self.asked = self.read_notes(), set(), [], 0

    @staticmethod
    def read_notes():
        """Name of the note, and before which paths it is meant so; the reason is for readers."""
        lines = (ROOT / "scripts/lint-http.d/notes.txt").read_text().splitlines()
        return {line.split()[0] for line in lines if line and not line.startswith("#")}

    def judge(self, server, name, method, path, headers=(), body=b"", port=None, wanted=None):
        answer = server.ask(method, path, headers, body, port)
        assert wanted is None or answer.status == str(wanted).encode(), f"{name}: {answer.status} {answer.body[:300]}"
        self.asked += 1
        request = HttpRequestLinter()
        request.process_request_topline(method.encode(), f"http://127.0.0.1{path}".encode(), b"1.1")
        request.process_headers([(b"Host", b"127.0.0.1")] + [(n.encode(), v.encode()) for n, v in headers])
        request.finish_content(True, [])
        response = HttpResponseLinter(start_time=time.time(), _related=request)
        response.is_head_response = method == "HEAD"
        response.process_response_topline(answer.version.removeprefix(b"HTTP/"), answer.status, answer.phrase)
        response.process_headers(answer.fields)
        if not answer.endless:
            response.feed_content(answer.body)
            response.finish_content(True, [])
        for note in response.notes:
            kind = type(note).__name__
            if note.level in (levels.GOOD, levels.INFO):
                continue
            if kind in self.accepted:
                self.needed.add(kind)
            else:
                self.complaints.append(f"{name}: {note.level.value} {kind} ({note.subject}): {note.summary}")
        return answer


def clip(folder):
    path = folder / "clip.mp4"
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=3",
         "-f", "lavfi", "-i", "sine=duration=3", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g",
         "50", "-c:a", "aac", "-movflags", "+faststart", path], check=True)
    return path.read_bytes()


def form(name, kind, content):
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


def everything(server, linter, folder):
    bearer = [("Authorization", f"Bearer {server.jwt('--sub', 'alice', '--org', 'acme', '--role', 'admin')}")]
    multipart = bearer + [("Content-Type", "multipart/form-data; boundary=x")]
    json_type = bearer + [("Content-Type", "application/json")]

    def judge(name, method, path, headers=(), body=b"", wanted=None, port=None):
        return linter.judge(server, name, method, path, headers, body, port, wanted)

    uploaded = judge("upload", "POST", "/v1/files", multipart, form("clip.mp4", "video/mp4", clip(folder)), 200)
    film = uploaded.json()["files"][0]["id"]
    location = uploaded.json()["files"][0]["location"]
    page = form("page.html", "text/html", b"<p>hello")
    text = judge("upload a page", "POST", "/v1/files", multipart, page, 200).json()["files"][0]["id"]
    deadline = time.monotonic() + 120
    while server.ask("GET", f"/v1/files/{film}/info", bearer).json()["progress"] < 1:
        assert time.monotonic() < deadline, (server.folder / "log").read_text()
        time.sleep(0.2)
    token = judge("mint", "POST", "/v1/files/token", bearer, b"", 200).json()["token"]
    stream = f"/v1/files/stream/{film}"

    judge("page", "GET", "/", wanted=200)
    judge("list", "GET", "/v1/files", bearer, wanted=200)
    judge("info", "GET", f"/v1/files/{film}/info", bearer, wanted=200)
    whole = judge("stream", "GET", f"{stream}?token={token}", wanted=200)
    judge("head", "HEAD", f"{stream}?token={token}", wanted=200)
    judge("range", "GET", f"{stream}?token={token}", [("Range", "bytes=5-99")], wanted=206)
    judge("ranges", "GET", f"{stream}?token={token}", [("Range", "bytes=0-4,5000-5004")], wanted=206)
    judge("no range", "GET", f"{stream}?token={token}", [("Range", "bytes=99999999-")], wanted=416)
    judge("same", "GET", f"{stream}?token={token}", [("If-None-Match", whole.headers["etag"])], wanted=304)
    judge("changed", "GET", f"{stream}?token={token}", [("If-Match", '"x"')], wanted=412)
    judge("location", "GET", f"/v1/files/stream?location={location}&token={token}", wanted=200)
    judge("open location", "POST", "/v1/files/location", json_type, json.dumps({"location": location}).encode(), 200)
    judge("source", "GET", f"/v1/files/{film}", bearer, wanted=200)
    judge("attachment", "GET", f"/v1/files/{text}", bearer, wanted=200)
    for image in ("poster", "storyboard.jpg", "storyboard.vtt", "thumbnail?t=1&w=160"):
        judge(image, "GET", f"/v1/files/{film}/{image}", bearer)

    master = judge("master", "GET", f"{stream}/master.m3u8?token={token}", wanted=200)
    media = next(line for line in master.body.decode().splitlines() if line and not line.startswith("#"))
    judge("manifest", "GET", f"{stream}/manifest.mpd?token={token}", wanted=200)
    playlist = judge("playlist", "GET", f"{stream}/{media}", wanted=200)
    segment = next(line for line in playlist.body.decode().splitlines() if line and not line.startswith("#"))
    folder_of = f"{stream}/{media.rsplit('/', 1)[0]}"
    judge("segment", "GET", f"{folder_of}/{segment}", wanted=200)
    judge("init", "GET", f"{folder_of}/init.mp4", wanted=200)

    captions = f"/v1/files/{film}/captions"
    document = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
    judge("add captions", "POST", f"{captions}?language=en", bearer, document, 200)
    judge("captions", "GET", f"{captions}/en.vtt", bearer, wanted=200)
    judge("remove captions", "DELETE", f"{captions}/en.vtt", bearer)
    jobs = judge("jobs", "GET", f"/v1/jobs?file_id={film}", bearer, wanted=200)
    job = jobs.json()["jobs"][0]["id"]
    judge("job", "GET", f"/v1/jobs/{job}", bearer, wanted=200)
    judge("retry job", "POST", f"/v1/jobs/{job}/retry", bearer)
    judge("cancel job", "POST", f"/v1/jobs/{job}/cancel", bearer)
    judge("retry file", "POST", f"/v1/files/{film}/retry", bearer)
    judge("leases", "GET", "/v1/leases", bearer)
    judge("preflight", "OPTIONS", stream, [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")])

    judge("no token", "GET", stream, wanted=422)
    judge("bad token", "GET", f"{stream}?token=x", wanted=401)
    judge("not signed in", "GET", "/v1/files", wanted=401)
    judge("no file", "GET", "/v1/files/018f4b1e-0000-7000-8000-000000000001/info", bearer, wanted=404)
    judge("no path", "GET", "/nothing", wanted=404)
    judge("no method", "PUT", "/v1/files", bearer, wanted=405)
    judge("no form", "POST", "/v1/files", bearer, b"hello", 415)
    judge("bad form", "POST", "/v1/files", multipart, b"hello", 400)
    labels(judge, bearer, json_type, text)
    uploads(judge, bearer, json_type)
    webhooks(judge, bearer, json_type)
    judge("usage", "GET", "/v1/usage", bearer, wanted=200)
    judge("document", "GET", "/openapi.json", wanted=200)
    judge("its page", "GET", "/docs")
    judge("events", "GET", "/v1/events", bearer, wanted=200)
    judge("revoke", "POST", "/v1/leases/revoke", json_type, b"{}")
    judge("delete", "DELETE", f"/v1/files/{film}", bearer, wanted=200)
    judge("restore", "POST", f"/v1/files/{film}/restore", bearer, wanted=200)
    judge("not in the trash", "POST", f"/v1/files/{film}/restore", bearer, wanted=409)
    gone = json.dumps({"ids": [film], "permanent": True}).encode()
    judge("delete many", "POST", "/v1/files/delete", json_type, gone, 200)
    for path in ("/healthz", "/readyz", "/metrics"):
        judge(path, "GET", path, wanted=200, port=server.ops)


def labels(judge, bearer, json_type, file):
    path = f"/v1/files/{file}"
    judge("change", "PATCH", path, json_type, b'{"tags": ["a"], "filename": "b.html"}', 200)
    judge("change nothing known", "PATCH", path, json_type, b'{"colour": "red"}', 422)
    judge("filtered list", "GET", "/v1/files?tag=a&sort=-name&limit=1", bearer, wanted=200)
    judge("bad filter", "GET", "/v1/files?limit=0", bearer, wanted=422)


def uploads(judge, bearer, json_type):
    """A resumable upload from its token to its end, in the words of tus."""
    tus = [("Tus-Resumable", "1.0.0")]
    piece = tus + [("Content-Type", "application/offset+octet-stream")]
    token = judge("upload token", "POST", "/v1/uploads/token", json_type, b"{}", 200).json()["token"]
    judge("tus options", "OPTIONS", "/v1/uploads")
    judge("tus version", "POST", "/v1/uploads", bearer + [("Tus-Resumable", "0.2.2"), ("Upload-Length", "5")], wanted=412)
    judge("tus create by token", "POST", "/v1/uploads", [("Reelgate-Upload-Token", token)] + tus + [("Upload-Length", "5")], wanted=201)
    begun = judge("tus create", "POST", "/v1/uploads", bearer + tus + [("Upload-Length", "5")], wanted=201)
    address = begun.headers["location"]
    address = address[address.index("/v1/"):]
    judge("tus patch", "PATCH", address, piece + [("Upload-Offset", "0")], b"abc", 204)
    judge("tus wrong offset", "PATCH", address, piece + [("Upload-Offset", "0")], b"abc", 409)
    judge("tus head", "HEAD", address, tus, wanted=200)
    judge("tus end", "PATCH", address, piece + [("Upload-Offset", "3")], b"de", 204)
    other = judge("tus create another", "POST", "/v1/uploads", bearer + tus + [("Upload-Length", "5")], wanted=201)
    other = other.headers["location"]
    judge("tus terminate", "DELETE", other[other.index("/v1/"):], tus, wanted=204)
    judge("tus gone", "HEAD", other[other.index("/v1/"):], tus)


def webhooks(judge, bearer, json_type):
    wish = {"url": "https://hooks.example/reelgate", "events": ["file.ready"]}
    made = judge("add webhook", "POST", "/v1/webhooks", json_type, json.dumps(wish).encode(), 200)
    path = f"/v1/webhooks/{made.json()['id']}"
    judge("webhooks", "GET", "/v1/webhooks", bearer, wanted=200)
    judge("webhook", "GET", path, bearer, wanted=200)
    judge("change webhook", "PATCH", path, json_type, b'{"description": "ours"}', 200)
    judge("bad webhook", "POST", "/v1/webhooks", json_type, b'{"url": "http://127.0.0.1/"}', 422)
    delivery = judge("try webhook", "POST", f"{path}/test", bearer, wanted=200).json()["id"]
    judge("deliveries", "GET", f"{path}/deliveries", bearer, wanted=200)
    judge("resend", "POST", f"{path}/deliveries/{delivery}/resend", bearer)
    judge("rotate secret", "POST", f"{path}/rotate", json_type, b"{}")
    judge("remove webhook", "DELETE", path, bearer)
    judge("no webhook", "GET", path, bearer, wanted=404)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="reelgate-lint-"))
    server, linter = None, Linter()
    try:
        server = Server(folder)
        everything(server, linter, folder)
    finally:
        if server:
            server.process.terminate()
            server.process.wait(60)
        shutil.rmtree(folder)
    complaints = linter.complaints
    complaints += [f"notes.txt: {name} is not called for any more" for name in linter.accepted - linter.needed]
    print("\n".join(complaints))
    print(f"{linter.asked} answers, {len(complaints)} complaints, {len(linter.needed)} kinds of note meant so")
    return 1 if complaints else 0


sys.exit(main())
