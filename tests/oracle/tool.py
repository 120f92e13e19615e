"""The running tool: started on loopback, asked through its JSON API, and ended."""

import http.client
import json
import os
import signal
import subprocess
import time
from pathlib import Path

START_SECONDS = 120


class Tool:
    """The local stack with a folder of extracts and one of definitions."""

    def __init__(self, program, extracts, sources, port, log):
        self.port, self.log = port, Path(log)
        command = [str(program), "local", "--port", str(port), "--extracts", str(extracts), "--sources", str(sources)]
        self.output = open(self.log, "w", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.connection, self.token, self.asked_at = None, None, 0.0
        try:
            self._wait()
        except BaseException:
            self.end()
            raise

    def _wait(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            said = self.log.read_text("utf-8", "replace")
            lines = said.splitlines()
            ready = next((line for line in lines if line.startswith("ready http://127.0.0.1:")), None)
            if ready:
                self.port = int(ready.rsplit(":", 1)[1].strip("/"))
                token = next((word for line in lines for word in line.split() if word.endswith("/token")), "")
                self.token_port = int(token.split(":")[2].split("/")[0]) if token else self.port + 1
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the tool did not start; it said:\n{self.log.read_text('utf-8', 'replace')[-3000:]}")

    def loads(self):
        """The lines that say what became of each file."""
        said = self.log.read_text("utf-8", "replace").splitlines()
        return [line for line in said if line.startswith("load report:")]

    def _sign_in(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.token_port, timeout=30)
        connection.request(
            "POST", "/token", "grant_type=client_credentials&user=sam.social",
            {"content-type": "application/x-www-form-urlencoded"},
        )
        self.token = json.loads(connection.getresponse().read())["access_token"]
        connection.close()
        self.asked_at = time.monotonic()

    def _ask(self, method, path, body=None):
        if self.token is None or time.monotonic() - self.asked_at > 120:
            self._sign_in()
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        for attempt in range(3):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                answer = self.connection.getresponse()
                text = answer.read().decode("utf-8")
            except (http.client.HTTPException, OSError):
                self.connection = None
                if attempt == 2:
                    raise
                continue
            if answer.status in (429, 503) and attempt < 2:
                time.sleep(1)
                continue
            return answer.status, text
        raise RuntimeError("no answer")

    def search(self, surname="", forename="", birth="", case=""):
        """The answer to a search."""
        body = {"surname": surname, "forename": forename, "date_of_birth": birth, "case_id": case}
        status, text = self._ask("POST", "/v1/people/search", body)
        if status != 200:
            raise RuntimeError(f"a search was answered with {status}: {text[:300]}")
        return json.loads(text)

    def person(self, id, query=""):
        """A person's page as JSON, or None where there is none; and its text."""
        status, text = self._ask("GET", f"/v1/people/{id}{query}")
        if status == 404:
            return None, ""
        if status != 200:
            raise RuntimeError(f"a person was answered with {status}: {text[:300]}")
        return json.loads(text), text

    def end(self):
        """Ends the program that was started here, and no other."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.kill(self.process.pid, signal.SIGKILL)
                self.process.wait(20)
        self.output.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
