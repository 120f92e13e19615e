"""The local stack on loopback, and somebody who is signed in to it: by token for the API, by form and cookies for the pages."""

import html
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

# From start to `ready`; ten times what it takes.
READY_WITHIN_S = 90


class Stack:
    """`family-context local` with files and definitions of its own, until it is stopped."""

    def __init__(self, binary, folder, port):
        self.folder, self.port = Path(folder), port
        self.log = self.folder / "log"
        command = [binary, "local", "--port", str(port), "--data", str(self.folder / "data"),
                   "--sources", str(self.folder / "sources"), "--extracts", str(self.folder / "extracts")]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "LOG": "info"})

    def wait(self):
        """Until it is ready, with the addresses that it printed."""
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            text = self.log.read_text("utf-8", "replace")
            page = re.search(r"^ready http://127\.0\.0\.1:(\d+)$", text, re.M)
            if page:
                issuer = re.search(r"grant_type=client_credentials.* http://127\.0\.0\.1:(\d+)/token", text)
                self.port, self.issuer = int(page[1]), int(issuer[1])
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"the stack is not ready:\n{self.log.read_text('utf-8', 'replace')[-3000:]}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Person:
    """Somebody who uses the tool. Answers are kept, so that asking twice costs nothing."""

    def __init__(self, stack, user):
        self.stack, self.user = stack, user
        self.local, self.cookies, self.kept, self.lock = threading.local(), {}, {}, threading.Lock()
        status, text, _ = self.send(stack.issuer, "POST", "/token", urlencode({"grant_type": "client_credentials", "user": user}))
        self.token = json.loads(text)["access_token"]
        self.sign_in()

    def send(self, port, method, path, body=None, headers=None):
        for again in (False, True):
            connections = self.local.__dict__.setdefault("connections", {})
            if port not in connections:
                connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
            try:
                connections[port].request(method, path, body, {**kind, **(headers or {})})
                answer = connections[port].getresponse()
                return answer.status, answer.read().decode("utf-8", "replace"), answer
            except (http.client.HTTPException, OSError):
                del connections[port]
                if again:
                    raise

    def api(self, path, body=None):
        """The status and the JSON of an answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        status, text, _ = self.send(self.stack.port, "GET" if body is None else "POST", path, None if body is None else json.dumps(body), headers)
        return status, json.loads(text)

    def page(self, path, form=None):
        """The status and the HTML of a page, behind every redirect, and where it was in the end."""
        port, base = self.stack.port, f"http://127.0.0.1:{self.stack.port}"
        body = None if form is None else urlencode(form)
        for _ in range(8):
            headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "Sec-Fetch-Site": "same-origin",
                       "Sec-Fetch-Mode": "navigate", "Origin": f"http://127.0.0.1:{port}"}
            status, text, answer = self.send(port, "GET" if body is None else "POST", path, body, headers)
            if port == self.stack.port:
                for cookie in answer.headers.get_all("Set-Cookie") or []:
                    name, _, value = cookie.split(";")[0].partition("=")
                    self.cookies[name] = value
            if status not in (301, 302, 303, 307):
                return status, text, path
            to = urlsplit(urljoin(f"http://127.0.0.1:{port}{path}", answer.headers["Location"]))
            port, path, body = to.port or port, to.path + (f"?{to.query}" if to.query else ""), None
        raise SystemExit(f"too many redirects from {path}")

    def sign_in(self):
        status, text, _ = self.page("/auth/sign-in")
        first = text.split("</form>")[0]
        fields = {k: html.unescape(v) for k, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', first)}
        if "client_id" not in fields:
            raise SystemExit(f"no sign-in form: {status} {text[:500]}")
        port = self.stack.issuer
        status, _, answer = self.send(port, "POST", "/authorize", urlencode({**fields, "user": self.user}))
        to = urlsplit(answer.headers["Location"])
        self.page(f"{to.path}?{to.query}")
        status, text, _ = self.page("/search")
        found = re.search(r'name="csrf" value="([^"]*)"', text)
        if not found:
            raise SystemExit(f"not signed in: {status} {text[:800]}")
        self.csrf = html.unescape(found[1])
