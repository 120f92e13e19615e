"""Deploys infra/template.yaml with infra/deploy into an emulator of AWS, and uses what came of it as people would.

Each check is a function whose name says what holds. They run in the order in which they stand, because each goes on
from what the last one left; a failure is told and the rest still run. The last line counts them.

The emulator is stood in for nothing: what it drops from the template and the product depends on is applied by its API
(after_the_emulator), and what only real AWS can show is printed at the end.
"""

import base64
import csv
import hashlib
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "target" / "deployed"
FUNCTIONS = ["ingest", "matching", "search", "family", "web", "audit-archive"]
REGION, STACK, AUDIENCE = "eu-west-2", "fc-test", "api://family-context"
# How long anything here may take that is waited for, in seconds. It is looked at every second.
PATIENCE = 180


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what, look, patience=PATIENCE):
    """Looks until there is something, and returns it."""
    until = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"waited {patience} s for {what}"
        time.sleep(1)


class Issuer:
    """A council's identity provider: says where its key is, and signs tokens."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked = {}
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                documents = {"/.well-known/openid-configuration": issuer.discovery, "/keys": issuer.keys}
                document = documents.get(self.path)
                self.send_response(200 if document else 404)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document() if document else {}).encode())

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                token = issuer.redeem({name: values[0] for name, values in form.items()}) if self.path == "/token" else None
                self.send_response(200 if token else 400)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(token or {"error": "invalid_grant"}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def discovery(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self):
        numbers = self.key.public_key().public_numbers()
        text = lambda number: encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
        return {"keys": [{"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": text(numbers.n), "e": text(numbers.e)}]}

    def sign_in(self, address):
        """What the provider's own page does once somebody has signed in there: where it sends the browser back to."""
        query = {name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(address).query).items()}
        assert address.startswith(f"{self.url}/authorize?") and query["response_type"] == "code" and "openid" in query["scope"].split(), address
        code = os.urandom(16).hex()
        self.asked[code] = query
        return f"{query['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': query['state']})}"

    def redeem(self, form):
        """A code is good once, for whoever can show what its challenge was made from."""
        asked = self.asked.pop(form.get("code"), None)
        proof = encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or asked["code_challenge"] != proof or asked["redirect_uri"] != form.get("redirect_uri") or asked["code_challenge_method"] != "S256":
            return None
        return {"id_token": self.token(audience=asked["client_id"], nonce=asked["nonce"]), "access_token": "none", "token_type": "Bearer"}

    def token(self, user="sam.social", roles=("social-worker",), audience=AUDIENCE, lasting=600, key=None, **more):
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "sub": user, "name": "Sam Social", "roles": list(roles), "iat": now - 5, "exp": now + lasting, **more}
        signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT", "kid": "one"}, claims))
        return f"{signed}.{encode((key or self.key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Stack:
    """The emulator, and the stack in it."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.issuer = Issuer()
        self.home = Path(tempfile.mkdtemp(prefix="fc-deployed-"))
        self.log = open(PLACE / "emulator.log", "w")
        settings = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "AUTH": "true", "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "localhost", "MINISTACK_REGION": REGION, "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0", "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        }
        self.emulator = subprocess.Popen(
            [PLACE / "emulator/bin/ministack"], env=settings, stdout=self.log, stderr=subprocess.STDOUT, cwd=self.home, start_new_session=True
        )
        wait_for("the emulator", self.answers)
        self.outputs = {}

    def answers(self):
        assert self.emulator.poll() is None, f"the emulator stopped; see {self.log.name}"
        try:
            return self.http("GET", "/_ministack/health")[0] == 200
        except OSError:
            return False

    def stop(self):
        # The emulator is the leader of a group of its own, in which the functions it starts are.
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.emulator.pid, number)
                self.emulator.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        shutil.rmtree(self.home, ignore_errors=True)

    def http(self, method, path, headers=(), body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), answer.read().decode()

    def api(self, method, path, token=None, body=None, **headers):
        headers["host"] = f"{self.outputs['ApiId']}.execute-api.localhost:{self.port}"
        if token:
            headers["authorization"] = f"Bearer {token}"
        if body is not None:
            headers["content-type"], body = "application/json", json.dumps(body)
        return self.http(method, path, headers, body)

    def client(self, service, keys=None):
        keys = keys or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def deploy(self, *arguments, region=REGION, path=None, patience=600, **settings):
        """infra/deploy, as a cloud engineer would call it."""
        environment = {
            "PATH": path or f"{PLACE / 'tools/bin'}:{os.environ['PATH']}", "HOME": str(self.home), "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": region, **settings,
        }
        done = subprocess.run(
            [ROOT / "infra/deploy", "--stack", STACK, *arguments], env=environment, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=patience
        )
        return done.returncode, done.stdout + done.stderr

    def deploy_for_real(self, *parameters, sources=None):
        sources = ["--sources", sources] if sources else []
        code, said = self.deploy(
            "--prebuilt", PLACE / "prebuilt", "--yes", *sources, "Emulated=true", "ProtectTables=false", f"PublicUrl={self.url}", *parameters
        )
        assert code == 0, said[-6000:]
        described = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        return said

    def role(self, logical):
        return self.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical)["StackResourceDetail"]["PhysicalResourceId"]

    def settings_of(self, function):
        return self.client("lambda").get_function_configuration(FunctionName=f"{STACK}-{function}")

    def after_the_emulator(self):
        """What the emulator drops and the product needs, applied by its API. Each of these is right in the template."""
        functions, queues = self.client("lambda"), self.client("sqs")
        for function in FUNCTIONS:
            variables = self.settings_of(function)["Environment"]["Variables"]
            # Buckets have no name of their own in its addresses.
            variables["S3_PATH_STYLE"] = "true"
            # It makes secrets of any character, whatever the template excludes.
            if "HANDLE_KEY" in variables:
                variables["HANDLE_KEY"] = hashlib.sha256(variables["HANDLE_KEY"].encode()).hexdigest()
            functions.update_function_configuration(FunctionName=f"{STACK}-{function}", Environment={"Variables": variables})
        # It asks for a permission to send a batch, where AWS asks for the one to send a message.
        for role, queue in (("Ingest", "MatchingQueue"), ("Ingest", "IngestQueue"), ("Matching", "IngestQueue")):
            arn = queues.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            statement = {"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": arn}
            self.client("iam").put_role_policy(
                RoleName=self.role(f"{role}Role"), PolicyName=f"emulator-{queue}", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            )
        # A test does not wait five times an hour and a half for a message to be given up.
        for queue in ("IngestQueue", "MatchingQueue"):
            queues.set_queue_attributes(QueueUrl=self.outputs[queue], Attributes={"VisibilityTimeout": "5"})


def prebuilt():
    """What a release holds: a zip of each function, checksums, the operator's tool."""
    place = PLACE / "prebuilt"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    sums = []
    for function in FUNCTIONS:
        binary, stripped = ROOT / "target/release" / function, place / "bootstrap"
        subprocess.run(["strip", "-o", stripped, binary], check=True)
        with zipfile.ZipFile(place / f"{function}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            file.write(stripped, "bootstrap")
        stripped.unlink()
        sums.append(f"{function}.zip")
    shutil.copy(ROOT / "target/release/family-context", place)
    sums.append("family-context")
    (place / "SHA256SUMS").write_text("".join(f"{hashlib.sha256((place / name).read_bytes()).hexdigest()}  {name}\n" for name in sums))
    return place



class Browser:
    """Somebody at the page: keeps cookies, follows where it is sent, and stays at the provider no longer than it must."""

    def __init__(self, stack):
        self.stack, self.cookies = stack, {}

    def go(self, path, form=None):
        for _ in range(8):
            headers = {"host": f"{self.stack.outputs['ApiId']}.execute-api.localhost:{self.stack.port}"}
            if self.cookies:
                headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            body, method = None, "GET" if form is None else "POST"
            if form is not None:
                headers |= {"content-type": "application/x-www-form-urlencoded", "origin": self.stack.url}
                body = urllib.parse.urlencode(form)
            connection = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=60)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    name, value = value.split(";")[0].split("=", 1)
                    self.cookies[name] = value
            text = answer.read().decode()
            if answer.status not in (302, 303):
                return answer.status, text
            path, form = answer.getheader("location"), None
            if path.startswith(self.stack.issuer.url):
                path = self.stack.issuer.sign_in(path)
            path = path.removeprefix(self.stack.url)
        raise AssertionError("sent round and round")


class Checks:
    def __init__(self, stack):
        self.stack = stack
        self.council = PLACE / "council"
        shutil.rmtree(self.council, ignore_errors=True)
        tool = PLACE / "prebuilt/family-context"
        subprocess.run([tool, "synth", "--people", "60", "--seed", "5", "--out", self.council], check=True, capture_output=True)
        with open(self.council / "children_social_care-people.csv", newline="", encoding="utf-8-sig") as file:
            self.rows = list(csv.DictReader(file))

    # -------------------------------------------------------- refusals: nothing is changed

    def stops(self, *arguments, saying, **how):
        code, said = self.stack.deploy(*arguments, **how)
        assert code == 1 and saying in said, f"{arguments} ended with {code} and said:\n{said[-2000:]}"

    def a_wrong_argument_is_explained(self):
        self.stops("--frobnicate", saying='I do not know "--frobnicate"')
        self.stops("--stack", "Fenchester", saying="cannot be a stack's name")
        self.stops("--stack", saying="--stack needs a value")
        self.stops("OidcIsuer=https://login.example", saying='no parameter "OidcIsuer"')
        self.stops("Sources=housing", saying="filled in from the definitions")
        self.stops("status", "destroy", saying="Give one command")
        self.stops("AllowedAddresses=198.51.100.0/24", "CertificateArn=arn:aws:acm:eu-west-2:111122223333:certificate/a", saying="has to be in us-east-1")

    def a_partner_of_no_source_is_refused(self):
        for partner in ("parking:111122223333", "housing:1234", "housing"):
            self.stops("--prebuilt", PLACE / "prebuilt", "--yes", f"Partners={partner}", saying=f'"{partner}" in Partners is no SOURCE:ACCOUNT')

    def a_machine_without_tools_is_told_which(self):
        with tempfile.TemporaryDirectory() as empty:
            for tool in ("bash", "dirname", "env", "sed", "tr", "sort", "head", "grep", "mktemp", "rm", "cut", "python3"):
                os.symlink(shutil.which(tool), f"{empty}/{tool}")
            self.stops("--dry-run", path=empty, saying="the AWS CLI, version 2")
            self.stops("--dry-run", path=empty, saying="cargo-lambda with zig")
            self.stops("--dry-run", "--prebuilt", empty, path=empty, saying="unzip")

    def an_old_tool_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            old = Path(folder) / "sam"
            old.write_text("#!/bin/sh\necho SAM CLI, version 1.90.0\n")
            old.chmod(0o755)
            self.stops("--dry-run", "--prebuilt", folder, path=f"{folder}:{PLACE / 'tools/bin'}:{os.environ['PATH']}", saying="The SAM CLI here is 1.90.0")

    def another_region_is_refused_unless_it_is_named(self):
        self.stops("status", region="us-east-1", saying="which is not London")
        self.stops("status", "--region", "london", saying='"london" is no AWS region')

    def wrong_credentials_are_refused(self):
        self.stops("status", AWS_ACCESS_KEY_ID="AKIANOBODY", saying="AWS does not accept the credentials here")

    def who_may_not_look_at_stacks_is_told_to_ask(self):
        keys = self.user_with({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}]}, "newcomer")
        self.stops(
            "status", AWS_ACCESS_KEY_ID=keys["aws_access_key_id"], AWS_SECRET_ACCESS_KEY=keys["aws_secret_access_key"], saying="You may not look at stacks in account"
        )

    def a_stack_whose_first_deployment_failed_is_not_deployed_over(self):
        formation = self.stack.client("cloudformation")
        code = "function handler(event) { return event.request; }"
        one = {"Name": "one-name", "FunctionCode": code, "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"}}
        resource = {"Type": "AWS::CloudFront::Function", "Properties": one}
        broken = {"Resources": {"One": resource, "Other": {**resource, "DependsOn": "One"}}}
        formation.create_stack(StackName="fc-broken", TemplateBody=json.dumps(broken))
        state = lambda: formation.describe_stacks(StackName="fc-broken")["Stacks"][0]["StackStatus"]
        wait_for("the stack to fail", lambda: state() in ("ROLLBACK_COMPLETE", "CREATE_FAILED"))
        self.stops("--stack", "fc-broken", "--prebuilt", PLACE / "prebuilt", "--yes", saying='The first deployment of "fc-broken" failed')
        code, said = self.stack.deploy("--stack", "fc-broken", "destroy", "--yes")
        assert code == 0, said

    def a_stack_that_is_not_there_is_said_to_be(self):
        for command in ("status", "redrive", "destroy"):
            self.stops(command, saying=f'There is no stack "{STACK}"')

    def a_mistaken_definition_stops_the_deployment(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "infra/sources", folder, dirs_exist_ok=True)
            (Path(folder) / "housing.toml").write_text("name = 7\n")
            self.stops("--prebuilt", PLACE / "prebuilt", "--sources", folder, "--yes", saying="The source definitions have mistakes")

    def a_changed_zip_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(PLACE / "prebuilt", folder, dirs_exist_ok=True)
            with open(f"{folder}/web.zip", "ab") as file:
                file.write(b"x")
            self.stops("--prebuilt", folder, "--yes", "Emulated=true", saying="not what SHA256SUMS says")

    def nothing_of_a_changed_release_is_run(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(PLACE / "prebuilt", folder, dirs_exist_ok=True)
            ran = Path(folder) / "ran"
            (Path(folder) / "family-context").write_text(f"#!/bin/sh\ntouch {ran}\n")
            self.stops("--prebuilt", folder, "--yes", "Emulated=true", saying="not what SHA256SUMS says")
            assert not ran.exists(), "a program was run that is not the release's"

    def functions_for_another_machine_are_refused(self):
        machine = os.uname().machine
        if machine in ("aarch64", "arm64"):
            return
        self.stops("--prebuilt", PLACE / "prebuilt", "--yes", saying="is built for x86_64, and the template runs arm64")

    def a_dry_run_changes_nothing(self):
        code, said = self.stack.deploy("--dry-run", "--prebuilt", PLACE / "prebuilt", "Emulated=true")
        assert code == 0 and "Nothing was changed" in said and re.search(r"\+ Add +PeopleTable +AWS::DynamoDB::Table", said), said[-6000:]
        # The command line's own bucket is in a stack of its own.
        stacks = [stack["StackName"] for stack in self.stack.client("cloudformation").describe_stacks()["Stacks"]]
        assert stacks == ["aws-sam-cli-managed-default"], stacks

    def from_source_functions_are_built_for_arm64(self):
        builder = shutil.which("cargo-lambda")
        if not builder:
            print("not run: cargo-lambda is not on this machine")
            return
        # As in the environment pip put it into: that one's Python knows where zig is.
        path = f"{Path(builder).parent}:{PLACE / 'tools/bin'}:{os.environ['PATH']}"
        homes = {name: os.environ.get(name, str(Path.home() / place)) for name, place in (("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"))}
        code, said = self.stack.deploy("--dry-run", "Emulated=true", path=path, patience=3600, **homes)
        assert code == 0 and "Nothing was changed" in said, said[-4000:]
        for function in FUNCTIONS:
            header = (ROOT / f"target/deploy/{function}/bootstrap").read_bytes()[:20]
            assert header[18:20] == b"\xb7\x00", f"{function} is not built for arm64"

    def without_anybody_to_ask_nothing_is_deployed(self):
        self.stops("--prebuilt", PLACE / "prebuilt", "Emulated=true", saying="There is nobody to ask")

    # -------------------------------------------------------- the first deployment

    def before_an_identity_provider_is_connected_nothing_answers(self):
        said = self.stack.deploy_for_real()
        assert "Next: connect your identity provider" in said, said[-1500:]
        routes = self.stack.client("apigatewayv2").get_routes(ApiId=self.stack.outputs["ApiId"])["Items"]
        assert routes == [], routes
        assert self.stack.api("GET", "/")[0] == 404

    def connecting_it_and_changing_a_definition_is_an_update(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "infra/sources", folder, dirs_exist_ok=True)
            council = Path(folder) / "council.toml"
            council.write_text(council.read_text().replace("Fenchester City Council", "Mudford Borough Council"))
            before = self.stack.settings_of("web")["CodeSha256"]
            issuer = self.stack.issuer.url
            said = self.stack.deploy_for_real(f"OidcIssuer={issuer}", "OidcClientId=page", f"ApiAudience={AUDIENCE}", sources=folder)
            assert "Next: connect" not in said
            assert self.stack.settings_of("web")["CodeSha256"] != before, "the definition is not in the function"
            said = self.stack.deploy_for_real(sources=folder)
            assert "No changes to deploy" in said, said[-3000:]
            code, said = self.stack.deploy("--dry-run", "--prebuilt", PLACE / "prebuilt", "--sources", folder, "Emulated=true", "UnusualOpens=7")
            assert code == 0 and re.search(r"\* Modify +UnusualAccess ", said) and not re.search(r"^\+ Add ", said, re.M), said[-6000:]
            [alarm] = self.stack.client("cloudwatch").describe_alarms(AlarmNames=[f"{STACK}-unusual-access"])["MetricAlarms"]
            assert alarm["Threshold"] != 7, alarm
            self.stack.deploy_for_real("Partners=housing:222233334444", sources=folder)
        self.stack.after_the_emulator()

    # -------------------------------------------------------- what is there

    def all_of_it_is_there(self):
        client, outputs = self.stack.client, self.stack.outputs
        functions = [function["FunctionName"] for function in client("lambda").list_functions()["Functions"]]
        routes = client("apigatewayv2").get_routes(ApiId=outputs["ApiId"])["Items"]
        alarms = client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{STACK}-", MaxRecords=100)["MetricAlarms"]
        roles = [role["RoleName"] for role in client("iam").list_roles()["Roles"] if role["RoleName"].startswith(f"{STACK}-source-")]
        counts = {
            "functions": len(functions),
            "routes": len(routes),
            "alarms": len(alarms),
            "alarms without a runbook": sum("docs/operations.md#" not in alarm["AlarmDescription"] for alarm in alarms),
            "queues": len(client("sqs").list_queues()["QueueUrls"]),
            "tables": len([name for name in client("dynamodb").list_tables()["TableNames"] if name.startswith(f"{STACK}-")]),
            "buckets": len([bucket for bucket in client("s3").list_buckets()["Buckets"] if bucket["Name"].startswith(f"{STACK}-")]),
            "event sources": len(client("lambda").list_event_source_mappings()["EventSourceMappings"]),
            "roles of sources": len(roles),
        }
        print("    " + ", ".join(f"{count} {what}" for what, count in counts.items()))
        enabled = subprocess.run([PLACE / "prebuilt/family-context", "check"], capture_output=True, text=True, check=True).stdout
        enabled = [line for line in enabled.splitlines() if ": " in line and "(off)" not in line]
        assert counts == {
            "functions": 6, "routes": 5, "alarms": 19 + len(enabled), "alarms without a runbook": 0, "queues": 5, "tables": 6, "buckets": 5,
            "event sources": 3, "roles of sources": len(enabled),
        }, counts

    def every_route_of_the_api_asks_for_a_token(self):
        api, client = self.stack.outputs["ApiId"], self.stack.client("apigatewayv2")
        open_routes = {route["RouteKey"] for route in client.get_routes(ApiId=api)["Items"] if route.get("AuthorizationType", "NONE") != "JWT"}
        assert open_routes == {"GET /v1/openapi.json", "$default"}, open_routes
        [authorizer] = client.get_authorizers(ApiId=api)["Items"]
        assert authorizer["JwtConfiguration"] == {"Issuer": self.stack.issuer.url, "Audience": [AUDIENCE]}, authorizer

    def queues_give_up_after_five_tries_and_say_what_failed(self):
        queues = self.stack.client("sqs")
        for queue, dead in (("IngestQueue", "IngestDeadLetters"), ("MatchingQueue", "MatchingDeadLetters")):
            read = lambda name: queues.get_queue_attributes(QueueUrl=self.stack.outputs[name], AttributeNames=["All"])["Attributes"]
            policy = json.loads(read(queue)["RedrivePolicy"])
            assert int(policy["maxReceiveCount"]) == 5 and policy["deadLetterTargetArn"] == read(dead)["QueueArn"], policy
        for source in self.stack.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
            assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], source
            if ":sqs:" in source["EventSourceArn"]:
                assert source["ScalingConfig"]["MaximumConcurrency"] in (4, 10), source
            else:
                assert source["MaximumRecordAgeInSeconds"] == 82800, source

    def only_functions_that_hash_know_the_hashing_secret(self):
        knows = {function for function in FUNCTIONS if "HANDLE_KEY" in self.stack.settings_of(function)["Environment"]["Variables"]}
        assert knows == set(FUNCTIONS) - {"audit-archive"}, knows

    # -------------------------------------------------------- source owners

    def as_source(self, source):
        arn = f"arn:aws:iam::000000000000:role/{STACK}-source-{source}"
        keys = self.user_with({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": arn}]}, f"owner-{source}")
        given = self.stack.client("sts", keys).assume_role(RoleArn=arn, RoleSessionName="upload")["Credentials"]
        return self.stack.client("s3", {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"], "aws_session_token": given["SessionToken"]})

    def user_with(self, document, name):
        iam = self.stack.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def denied(self, what, call):
        try:
            call()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in ("AccessDenied", "AccessDeniedException", "AuthorizationError"), f"{what}: {error}"
            return
        raise AssertionError(f"{what} was allowed")

    def a_source_owner_uploads_to_its_own_place_alone(self):
        extracts, reports = self.stack.outputs["ExtractsBucket"], self.stack.outputs["ReportsBucket"]
        self.owner = self.as_source("children_social_care")
        body = (self.council / "children_social_care-people.csv").read_bytes()
        self.denied("a file for another source", lambda: self.owner.put_object(Bucket=extracts, Key="housing/people/a.csv", Body=body))
        self.denied("listing the files", lambda: self.owner.list_objects_v2(Bucket=extracts))
        self.denied("a report of another source", lambda: self.owner.get_object(Bucket=reports, Key="housing/people/latest.json"))
        self.owner.put_object(Bucket=extracts, Key="children_social_care/people/2026-03-01.csv", Body=body)
        self.denied("reading an uploaded file", lambda: self.owner.get_object(Bucket=extracts, Key="children_social_care/people/2026-03-01.csv"))

    def a_partners_account_may_upload_for_its_source_alone(self):
        iam, extracts, reports = self.stack.client("iam"), self.stack.outputs["ExtractsBucket"], self.stack.outputs["ReportsBucket"]
        role = iam.get_role(RoleName=f"{STACK}-partner-housing")["Role"]
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"AWS": "arn:aws:iam::222233334444:root"}, trust
        assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": f"{STACK}-housing"}}, trust
        document = iam.get_role_policy(RoleName=f"{STACK}-partner-housing", PolicyName="source")["PolicyDocument"]
        partner = self.stack.client("s3", self.user_with(document, "as-partner"))
        self.denied("a file for another source", lambda: partner.put_object(Bucket=extracts, Key="schools/people/a.csv", Body=b"x"))
        self.denied("a report of another source", lambda: partner.get_object(Bucket=reports, Key="schools/people/latest.json"))
        partner.put_object(Bucket=extracts, Key="housing/people/2026-03-01.csv", Body=(self.council / "housing.csv").read_bytes())

    def its_owner_reads_what_came_of_the_file(self):
        def report():
            try:
                return json.load(self.owner.get_object(Bucket=self.stack.outputs["ReportsBucket"], Key="children_social_care/people/latest.json")["Body"])
            except ClientError:
                return None

        found = wait_for("the load report", report)
        assert found["rows"]["read"] == len(self.rows), found["rows"]

    # -------------------------------------------------------- people who look others up

    def search(self, token, **terms):
        return self.stack.api("POST", "/v1/people/search", token, terms)

    def a_child_in_the_file_is_found_by_name(self):
        token = self.stack.issuer.token()
        self.surname = next(value for row in self.rows[:1] for name, value in row.items() if "surname" in name.lower() or "last" in name.lower())

        def found():
            status, _, body = self.search(token, surname=self.surname)
            assert status == 200, f"{status} {body}"
            return json.loads(body)["people"]

        self.person = wait_for("the child to be found", found)[0]["id"]
        status, headers, body = self.stack.api("GET", f"/v1/people/{self.person}", token)
        assert status == 200 and json.loads(body)["person"]["id"] == self.person, f"{status} {body}"
        assert headers["cache-control"] == "no-store", headers

    def without_a_good_token_the_api_shows_nothing(self):
        issuer = self.stack.issuer
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        for what, token, status in (
            ("no token", None, 401),
            ("no token at all like one", "nonsense", 401),
            ("a token that has run out", issuer.token(lasting=-1), 401),
            ("a token for another program", issuer.token(audience="api://another"), 401),
            ("a token that somebody else signed", issuer.token(key=stranger), 401),
            ("a token without a role", issuer.token(roles=()), 403),
            ("a steward's token", issuer.token(roles=("steward",)), 403),
        ):
            got = self.search(token, surname=self.surname)
            assert got[0] == status and self.person not in got[2], f"{what}: {got}"
        assert self.stack.api("GET", f"/v1/people/{self.person}")[0] == 401
        assert self.stack.api("GET", "/v1/openapi.json")[0] == 200

    def the_page_asks_to_sign_in_at_the_councils_provider(self):
        status, headers, body = self.stack.api("GET", "/")
        assert status == 200 and "Mudford Borough Council" in body, f"{status} {body[:500]}"
        status, headers, _ = self.stack.api("GET", "/search")
        assert status in (302, 303, 401) and self.person not in _, status
        status, headers, _ = self.stack.api("GET", "/auth/sign-in")
        assert status in (302, 303), status
        assert headers["location"].startswith(f"{self.stack.issuer.url}/authorize?"), headers
        assert "code_challenge_method=S256" in headers["location"] and "client_id=page" in headers["location"], headers

    def somebody_signs_in_at_the_page_and_finds_the_child(self):
        browser = Browser(self.stack)
        status, page = browser.go("/auth/sign-in")
        assert status == 200 and "Sam Social" in page, f"{status} {page[:800]}"
        csrf = re.search(r'name="csrf" value="([^"]+)"', page).group(1)
        status, page = browser.go("/search", {"csrf": csrf, "by": "name", "surname": self.surname, "forename": "", "day": "", "month": "", "year": ""})
        assert status == 200 and self.person in page and self.surname in page, f"{status} {page[:800]}"
        status, page = browser.go(f"/people/{self.person}")
        assert status == 200 and self.surname in page, f"{status} {page[:800]}"
        assert Browser(self.stack).go("/search")[1].count(self.surname) == 0, "without the cookie nothing is shown"
        status, _ = browser.go("/search", {"csrf": "forged", "by": "name", "surname": self.surname})
        assert status == 403, status

    def what_was_looked_up_is_in_the_archive(self):
        s3, bucket = self.stack.client("s3"), self.stack.outputs["ArchiveBucket"]

        def archived():
            listed = s3.list_objects_v2(Bucket=bucket, Prefix="entries/").get("Contents", [])
            lines = [json.loads(line) for one in listed for line in s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().splitlines()]
            return [line for line in lines if line["entry"].get("act") == "open-person" and line["entry"].get("stage") == "outcome"]

        entry = wait_for("the audit entry in the archive", archived)[0]["entry"]
        assert entry["user"]["id"] == "sam.social" and self.person in json.dumps(entry), entry

    # -------------------------------------------------------- what goes wrong

    def a_poison_message_ends_among_the_dead_letters(self):
        queues = self.stack.client("sqs")
        for queue, dead in (("IngestQueue", "IngestDeadLetters"), ("MatchingQueue", "MatchingDeadLetters")):
            queues.send_message(QueueUrl=self.stack.outputs[queue], MessageBody='{"nonsense":1}')
        for dead in ("IngestDeadLetters", "MatchingDeadLetters"):
            count = lambda: int(queues.get_queue_attributes(QueueUrl=self.stack.outputs[dead], AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]["ApproximateNumberOfMessages"])
            wait_for(f"the message in {dead}", count)

    def a_file_that_is_none_is_refused_and_told(self):
        s3 = self.stack.client("s3")
        s3.put_object(Bucket=self.stack.outputs["ExtractsBucket"], Key="housing/people/broken.csv", Body=b"\x00\x01\x02 not a file")

        def report():
            try:
                found = json.load(s3.get_object(Bucket=self.stack.outputs["ReportsBucket"], Key="housing/people/latest.json")["Body"])
                # The partner's file came before it.
                return found["state"] in ("refused", "held")
            except ClientError:
                return None

        wait_for("the report that it was refused", report)

    def each_role_allows_its_calls_and_no_other(self):
        iam, outputs = self.stack.client("iam"), self.stack.outputs
        key = {"pk": {"S": "nobody"}, "sk": {"S": "nothing"}}
        item = {**key, "rev": {"N": "1"}}
        get = lambda table: lambda db, s3: db.get_item(TableName=outputs[table], Key=key)
        put = lambda table: lambda db, s3: db.put_item(TableName=outputs[table], Item=item)
        cases = {
            "Ingest": ([get("LoadsTable"), get("GuardTable"), put("GuardTable"), lambda db, s3: s3.put_object(Bucket=outputs["ReportsBucket"], Key="test/a", Body=b"")], [get("PeopleTable"), get("RecordsTable"), lambda db, s3: s3.delete_object(Bucket=outputs["ExtractsBucket"], Key="a")]),
            "Matching": ([get("RecordsTable"), lambda db, s3: db.batch_get_item(RequestItems={outputs["PeopleTable"]: {"Keys": [key]}})], [get("AuditTable"), get("GuardTable"), lambda db, s3: s3.get_object(Bucket=outputs["ExtractsBucket"], Key="a"), lambda db, s3: db.scan(TableName=outputs["RecordsTable"])]),
            "Search": ([get("GuardTable"), lambda db, s3: db.query(TableName=outputs["PeopleTable"], KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "nobody"}})], [get("RecordsTable"), put("PeopleTable"), put("GuardTable"), lambda db, s3: db.scan(TableName=outputs["PeopleTable"])]),
            "Family": ([get("PeopleTable"), get("GuardTable")], [put("GuardTable"), get("RecordsTable"), get("SessionsTable"), lambda db, s3: db.delete_item(TableName=outputs["AuditTable"], Key=key)]),
            "Web": ([get("SessionsTable"), get("PeopleTable")], [get("RecordsTable"), put("PeopleTable"), lambda db, s3: db.update_item(TableName=outputs["AuditTable"], Key=key)]),
            "AuditArchive": ([lambda db, s3: s3.put_object(Bucket=outputs["ArchiveBucket"], Key="test/a", Body=b"")], [get("AuditTable"), lambda db, s3: s3.delete_object(Bucket=outputs["ArchiveBucket"], Key="test/a")]),
        }
        for name, (allowed, forbidden) in cases.items():
            role, policy = self.stack.role(f"{name}Role"), "audit-archive" if name == "AuditArchive" else name.lower()
            keys = self.user_with(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"], f"as-{name}")
            db, s3 = self.stack.client("dynamodb", keys), self.stack.client("s3", keys)
            for call in allowed:
                call(db, s3)
            for number, call in enumerate(forbidden):
                self.denied(f"{name}, forbidden call {number}", lambda: call(db, s3))

    def status_says_what_failed(self):
        code, said = self.stack.deploy("status")
        assert code == 0, said
        assert re.search(r"^IngestDeadLetters +[1-9]\d* waiting$", said, re.M), said

    # -------------------------------------------------------- and goes away

    def destroying_it_keeps_data_and_nothing_else(self):
        self.stops("destroy", saying="There is nobody to ask")
        code, said = self.stack.deploy("destroy", "--yes")
        assert code == 0, said
        client = self.stack.client
        buckets = sorted(bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"] if bucket["Name"].startswith(f"{STACK}-"))
        assert len(buckets) == 5, buckets
        tables = [name for name in client("dynamodb").list_tables()["TableNames"] if name.startswith(f"{STACK}-")]
        assert len(tables) == 6, tables
        assert all(name in said for name in (*buckets, *tables)), said
        assert client("lambda").list_functions()["Functions"] == []
        assert client("sqs").list_queues().get("QueueUrls", []) == []
        assert client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"] == []
        assert not [role for role in client("iam").list_roles()["Roles"] if role["RoleName"].startswith(f"{STACK}-")]


ONLY_AWS_CAN_SHOW = """
Not shown by this test, because the emulator leaves them out; infra/policy/check.py looks at them in the template:
  point-in-time recovery, time to live and encryption of tables; encryption, lifecycle and Object Lock of buckets;
  grants of the key; TLS alone; throttling and access logs of the API; metric filters and what rings the alarms;
  the budget; the hashing secret as CloudFormation makes it; CloudFront and its allow-list; moving dead letters back;
  arm64; start times."""


def main():
    wanted = sys.argv[1:]
    prebuilt()
    stack, passed, failures = Stack(), 0, []
    try:
        checks = Checks(stack)
        for name, check in vars(Checks).items():
            if name.startswith("_") or name in ("stops", "as_source", "user_with", "denied", "search"):
                continue
            if wanted and not any(word in name for word in wanted):
                continue
            began, words = time.monotonic(), name.replace("_", " ")
            try:
                check(checks)
                passed += 1
                print(f"ok      {words} ({time.monotonic() - began:.0f} s)", flush=True)
            except Exception as error:  # Told, and the rest still run.
                failures.append(words)
                print(f"FAILED  {words}\n        {type(error).__name__}: {error}", flush=True)
    finally:
        stack.stop()
    print(ONLY_AWS_CAN_SHOW)
    print(f"\n{passed} passed, {len(failures)} failed")
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
