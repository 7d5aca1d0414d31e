"""schemathesis before the server whose address is given, as the admin alice whom REELGATE_JWT says.

First the document is validated, then files are made in several states, so that requests meet more than 404; their ids are what half of
all requests name. Fails when the validator or schemathesis complains.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from importlib.metadata import version

from openapi_spec_validator import OpenAPIV31SpecValidator

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = int(os.environ.get("EXAMPLES", "50"))
SEED = os.environ.get("SEED", "7")
PHASES = os.environ.get("PHASES", "examples,coverage,fuzzing")
# One: with more, Python 3.11 fails within schemathesis now and then (recursion depth of its parser).
WORKERS = "1"
# Files that may be deleted.
VICTIMS = 20
USER_AGENT = f"schemathesis/{version('schemathesis')}"


class Api:
    def __init__(self, url, jwt):
        self.url, self.jwt = url, jwt

    def ask(self, method, path, body=None, content_type=None):
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.jwt}")
        if content_type:
            request.add_header("Content-Type", content_type)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def packaged(self, file):
        """Lease, generation and rendition of a playlist, of a playback that this client has begun."""
        token = self.ask("POST", "/v1/files/token")["token"]
        address = f"{self.url}/v1/files/stream/{file}/master.m3u8?token={token}"
        # A lease is its client's: what asks later is taken for the same.
        request = urllib.request.Request(address, headers={"User-Agent": USER_AGENT})
        with urllib.request.urlopen(request, timeout=60) as answer:
            master = answer.read().decode()
        return re.search(r"([\w-]{22})/(\d+)/([^/\"]+)/\d+/index.m3u8", master).groups()

    def upload(self, name, kind, content):
        head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
        body = head.encode() + content + b"\r\n--x--\r\n"
        return self.ask("POST", "/v1/files", body, "multipart/form-data; boundary=x")["files"][0]

    def settled(self, file):
        deadline = time.monotonic() + 180
        while True:
            info = self.ask("GET", f"/v1/files/{file}/info")
            if info["progress"] == 1 or info["state"] == "failed":
                return info
            assert time.monotonic() < deadline, info
            time.sleep(0.2)


def clip(folder):
    path = folder / "clip.mp4"
    subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=3",
         "-f", "lavfi", "-i", "sine=duration=3", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g",
         "50", "-c:a", "aac", "-movflags", "+faststart", path], check=True)
    return path.read_bytes()


def stage(api, folder):
    """Files to be asked for: a film with captions, a text, one that has failed."""
    film = api.upload("clip.mp4", "video/mp4", clip(folder))
    text = api.upload("notes.txt", "text/plain", b"notes")
    failed = api.upload("broken.mp4", "video/mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + b"no film" * 200)
    api.settled(failed["id"])
    api.settled(film["id"])
    words = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
    api.ask("POST", f"/v1/files/{film['id']}/captions?language=en", words, "text/vtt")
    jobs = api.ask("GET", "/v1/jobs")["jobs"]
    hook = json.dumps({"url": "https://127.0.0.1:1/"}).encode()
    webhooks = [api.ask("POST", "/v1/webhooks", hook, "application/json")["id"] for _ in range(5)]
    victims = [api.upload(f"victim-{number}.txt", "text/plain", b"victim")["id"] for number in range(VICTIMS)]
    lease, generation, rendition = api.packaged(film["id"])
    return {
        "films": [film["id"]],
        "leases": [lease],
        "generations": [int(generation)],
        "packaged": [rendition],
        "tracks": [0, 1],
        "files": [film["id"], text["id"], failed["id"]],
        "victims": victims,
        "webhooks": webhooks,
        "locations": [film["location"], text["location"]],
        "jobs": [job["id"] for job in jobs],
        "renditions": ["source", *(one["name"] for one in api.settled(film["id"])["renditions"])],
        "languages": ["en"],
    }


def configuration(known, folder):
    """The checked-in one, with what only this run knows."""
    lines = [(HERE / "schemathesis.toml").read_text()]
    for name, values in known.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines.append("[parameters]")
    bound = {
        "path.file_id": "files", "query.file_id": "files", "path.job_id": "jobs", "query.location": "locations",
        "query.rendition": "renditions", "path.rendition": "renditions", "path.language": "languages", "path.webhook_id": "webhooks",
    }
    lines += [f'"{name}" = {{ dictionary = "{which}", probability = 0.6 }}' for name, which in bound.items()]
    # Of what is asked for by all others nothing is deleted.
    lines += ["[[operations]]", 'include-operation-id = "deleteFile"']
    lines += ['parameters = { "path.file_id" = { dictionary = "victims", probability = 0.8 } }']
    # Below a lease all parts of an address must fit.
    fit = {"file_id": "films", "lease": "leases", "generation": "generations", "rendition": "packaged", "track": "tracks"}
    values = [f'"path.{name}" = {{ dictionary = "{which}", probability = 0.9 }}' for name, which in fit.items()]
    lines += ["[[operations]]", 'include-path-regex = "lease"', f"parameters = {{ {', '.join(values)} }}"]
    path = folder / "schemathesis.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def validated(url):
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=60) as answer:
        document = json.load(answer)
    OpenAPIV31SpecValidator(document).validate()
    print(f"/openapi.json is OpenAPI {document['openapi']}: {len(document['paths'])} paths")


def lint(url, jwt, folder):
    validated(url)
    config = configuration(stage(Api(url, jwt), folder), folder)
    command = [
        pathlib.Path(sys.executable).parent / "st", "--config-file", config, "run", f"{url}/openapi.json",
        "--max-examples", str(EXAMPLES), "--seed", SEED, "--workers", WORKERS, "--phases", PHASES,
        "--continue-on-failure", "--no-color",
    ]
    environment = {**os.environ, "REELGATE_JWT": jwt, "PYTHONPATH": str(HERE)}
    return subprocess.run(command, cwd=folder, env=environment).returncode


def main():
    with tempfile.TemporaryDirectory() as folder:
        return lint(sys.argv[1].rstrip("/"), os.environ["REELGATE_JWT"], pathlib.Path(folder))


sys.exit(main())
