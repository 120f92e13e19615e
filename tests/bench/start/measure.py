"""Sizes of the functions' zips, and the time from starting a process to its first call of the Runtime API.

Each function runs as Lambda runs it, with the template's settings, against a Runtime API and a table on this machine. Those
that people wait for read a key of the table first, so for them two times are told: until the table was asked, which is
the start without the warm-up read, and until the first call.
"""

import io
import os
import statistics
import subprocess
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ["ingest", "matching", "search", "family", "web", "audit-archive"]
RUNS = 30


class Seen:
    """When a server on this machine was first asked."""

    def __init__(self, answers):
        seen = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                seen.note()
                # As in Lambda, where nothing comes until there is an event. Ended with the process that asked.
                self.rfile.read(1)

            def do_POST(self):
                seen.note()
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(answers)))
                self.end_headers()
                self.wfile.write(answers)

            def log_message(self, *_):
                pass

        self.asked = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self):
        if not self.asked.is_set():
            self.at = time.perf_counter()
            self.asked.set()


def start(binary):
    """Milliseconds until the table was asked (None if it was not), and until the first call."""
    runtime, table = Seen(b""), Seen(b'{"Responses":{},"UnprocessedKeys":{}}')
    settings = {
        "AWS_LAMBDA_RUNTIME_API": runtime.address, "AWS_LAMBDA_FUNCTION_NAME": binary.name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_LOG_GROUP_NAME": "bench", "AWS_LAMBDA_LOG_STREAM_NAME": "bench", "AWS_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_ENDPOINT_URL": f"http://{table.address}", "HANDLE_KEY": "07" * 32,
        "SOURCES_DIR": str(ROOT / "infra/sources"), "PUBLIC_URL": "https://context.council.example", "OIDC_ISSUER": "https://login.council.example",
        "OIDC_CLIENT_ID": "bench", "BUCKET_ARCHIVE": "archive", "QUEUE_INGEST": "http://127.0.0.1:9/a", "QUEUE_MATCHING": "http://127.0.0.1:9/b",
    }
    settings |= {f"TABLE_{name}": name.lower() for name in ("LOADS", "RECORDS", "PEOPLE", "AUDIT", "SESSIONS")}
    settings |= {f"BUCKET_{name}": name.lower() for name in ("EXTRACTS", "STAGING", "REPORTS", "MANIFESTS")}
    began = time.perf_counter()
    process = subprocess.Popen([binary], env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert runtime.asked.wait(10), f"{binary.name} did not start"
    finally:
        process.kill()
        process.wait()
        runtime.server.shutdown()
        table.server.shutdown()
    since = lambda seen: (seen.at - began) * 1000 if seen.asked.is_set() else None
    return since(table), since(runtime)


def zipped(binary):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.write(binary, "bootstrap")
        for definition in sorted((ROOT / "infra/sources").glob("*.toml")):
            file.write(definition, f"sources/{definition.name}")
    return len(packed.getvalue())


def main():
    print(f"{os.cpu_count()} cores; {RUNS} starts each, milliseconds: median (longest)\n")
    print(f"{'function':<14} {'arm64 zip, MiB':>15} {'until the table is asked':>26} {'until the first call':>22}")
    for name in FUNCTIONS:
        arm, native = ROOT / f"target/lambda/{name}/bootstrap", ROOT / f"target/{os.uname().machine}-unknown-linux-gnu/lambda/{name}"
        size = f"{zipped(arm) / 2**20:.2f}" if arm.is_file() else "not built"
        runs = [start(native) for _ in range(RUNS)] if native.is_file() else []
        told = lambda times: f"{statistics.median(times):.1f} ({max(times):.1f})" if times else "-"
        asked = told([table for table, _ in runs if table is not None])
        print(f"{name:<14} {size:>15} {asked:>26} {told([first for _, first in runs]):>22}")


if __name__ == "__main__":
    main()
