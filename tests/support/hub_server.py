"""A stand-in for the Hugging Face Hub: what its client asks of it to fetch and to push models."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse


class Hub:
    """Repositories as {hub id: {revision: {file name: bytes}}}, on a port of this machine."""

    def __init__(self):
        self.repositories = {}
        handler = type("BoundHandler", (Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def commit_of(files):
    parts = [name.encode() + files[name] for name in sorted(files)]
    return hashlib.sha1(b"".join(parts)).hexdigest()


class Handler(BaseHTTPRequestHandler):
    hub = None

    def log_message(self, *arguments):
        pass

    def answer(self, status, values=None, headers=None, body=b""):
        data = body if values is None else json.dumps(values).encode()
        self.send_response(status)
        headers = {"Content-Length": str(len(data)), **(headers or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def missing(self, what):
        self.answer(404, {"error": "not found"}, {"X-Error-Code": f"{what}NotFound"})

    def files(self, hub_id, revision):
        revisions = self.hub.repositories.get(hub_id)
        if revisions is None:
            return self.missing("Repo")
        named = revisions | {commit_of(files): files for files in revisions.values()}
        return named[revision] if revision in named else self.missing("Revision")

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        parts = [unquote(part) for part in urlparse(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "models"]:
            hub_id, (what, *rest) = "/".join(parts[2:4]), parts[4:] or ["revision"]
            files = self.files(hub_id, rest[0] if rest else "main")
            if files is None:
                return
            if what == "tree":
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                    for name, data in files.items()
                ]
                self.answer(200, tree)
                return
            names = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            self.answer(200, {"id": hub_id, "sha": commit_of(files), "siblings": names})
            return
        if parts[2:3] != ["resolve"]:
            self.missing("Entry")
            return
        hub_id, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
        files = self.files(hub_id, revision)
        if files is None:
            return
        if name not in files:
            self.missing("Entry")
            return
        etag = hashlib.sha1(files[name]).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit_of(files)}
        self.answer(200, headers=headers, body=files[name])

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlparse(self.path).path.strip("/").split("/")
        if parts == ["api", "repos", "create"]:
            values = json.loads(body)
            owner = values.get("organization") or "user"
            hub_id = f"{owner}/{values['name']}"
            self.hub.repositories.setdefault(hub_id, {"main": {}})
            self.answer(200, {"url": f"{self.hub.address}/{hub_id}"})
        elif parts == ["api", "validate-yaml"]:
            self.answer(200, {"errors": [], "warnings": []})
        elif parts[4:5] == ["preupload"]:
            files = json.loads(body)["files"]
            modes = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in files
            ]
            self.answer(200, {"files": modes})
        elif parts[4:5] == ["commit"]:
            hub_id = "/".join(parts[2:4])
            files = dict(self.hub.repositories[hub_id].get(parts[5], {}))
            for line in body.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            self.hub.repositories[hub_id][parts[5]] = files
            oid = commit_of(files)
            url = f"{self.hub.address}/{hub_id}/commit/{oid}"
            self.answer(200, {"commitUrl": url, "commitOid": oid})
        else:
            self.missing("Entry")
