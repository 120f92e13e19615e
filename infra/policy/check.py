"""Checks infra/template.yaml against rules that no linter knows. Run by tests/deployed/run; needs PyYAML alone.

1. Least privilege, from the source: what the code of a function calls is what its role allows, one action and one table
   or bucket at a time. A call that is not allowed fails, and so does an allowance that nothing uses.
2. Rules of ours on encryption, queues, routes and alarms, which the emulator of tests/deployed does not show.

Reading Rust with regular expressions is enough because every AWS word stands in shared/store: table.rs and bucket.rs say
their actions in a line that starts "IAM:", and the modules beside them each work on one table.
"""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
STORE = ROOT / "shared/store/src"
# Each module of the store works on one table.
TABLES = {"loads": "Loads", "records": "Records", "people": "People", "people_reads": "People", "audit": "Audit", "sessions": "Sessions", "guard": "Guard"}
BUCKETS = {"extracts": "Extracts", "staging": "Staging", "manifests": "Manifests", "reports": "Reports"}
# Crates of ours that functions are made of, besides their own.
LIBRARIES = {"fc-access": "shared/access", "fc-http": "shared/http", "fc-search": "functions/search", "fc-family": "functions/family"}
FUNCTIONS = {"ingest": "Ingest", "matching": "Matching", "search": "Search", "family": "Family", "web": "Web", "audit-archive": "AuditArchive"}

# What a role holds besides the calls of its code, and why: (statement, actions, reason).
RECEIVE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
KEY = {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
GRANTS = {
    "OwnLogs": ({"logs:CreateLogStream", "logs:PutLogEvents"}, "Lambda writes the function's log with its role"),
    "KeyForWhatItReadsAndWrites": (KEY, "tables, buckets and queues ask for the key in the caller's name"),
    "KeyForItsOwnSettings": ({"kms:Decrypt"}, "Lambda opens the function's environment with its role"),
    "OwnQueue": (RECEIVE, "Lambda reads the queue with the role of the function it calls"),
    "SeeThatAFileIsNotThere": ({"s3:ListBucket"}, "without it S3 answers 403 for an object that is gone, and the code looks for 404"),
    "SeeThatAPartIsNotThere": ({"s3:ListBucket"}, "the same"),
    "AuditStream": ({"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}, "Lambda reads the stream with the function's role"),
    "StreamsOfTheAuditTable": ({"dynamodb:ListStreams"}, "the same"),
    "WhatCannotBeArchived": ({"sqs:SendMessage"}, "Lambda names there what it gave up"),
}
problems = []


def problem(words):
    problems.append(words)


# ---------------------------------------------------------------- the source


def code(path):
    """A file without its tests, with calls on one line."""
    text = path.read_text().split("#[cfg(test)]\nmod tests")[0]
    return re.sub(r"\s*\n\s*\.", ".", text)


def functions_of(text):
    """(name, documentation, signature and body) of each; methods of several types may share a name."""
    starts = list(re.finditer(r"((?:^[ \t]*///.*\n|^[ \t]*#\[.*\n)*)^[ \t]*(?:pub(?:\(\w+\))? )?(?:async )?fn (\w+)", text, re.M))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    return [(start.group(2), start.group(1), text[start.end() : end]) for start, end in zip(starts, ends)]


def declared(documentation):
    """Actions in the documentation's "IAM:" line; None without one."""
    words = " ".join(line.strip().removeprefix("///").strip() for line in documentation.splitlines())
    told = re.search(r"IAM:\s*((?:`[a-z0-9]+:\w+`(?:, )?)+)", words)
    return set(re.findall(r"`([a-z0-9]+:\w+)`", told.group(1))) if told else None


def primitives(path):
    # Those behind the seam have the same names, and say nothing.
    found = [(name, declared(documentation)) for name, documentation, _ in functions_of(code(path))]
    return {name: actions for name, actions in found if actions}


def operations():
    """What each function of the store's modules calls on its table: {module: {name: actions}}."""
    table = primitives(STORE / "table.rs")
    assert {"get", "batch_get", "query", "put", "delete", "update", "batch_write", "transact"} <= table.keys(), table
    all_of_them = {}
    for module in TABLES:
        bodies = {}
        for name, documentation, body in functions_of(code(STORE / f"{module}.rs")):
            before = bodies.get(name, ("", ""))
            bodies[name] = (before[0] + documentation, before[1] + body)
        direct, calls = {}, {}
        for name, (_, body) in bodies.items():
            actions = set()
            tables = "|".join([r"self\.table", *re.findall(r"\b(\w+): &Table\b", body)])
            for method in re.findall(rf"(?<![.\w])(?:{tables})\.(\w+)(?:::<[^>]*>)?\(", body):
                if method == "transact":
                    # Its documentation says: as used.
                    kinds = {"Op::Put": "dynamodb:PutItem", "Op::Delete": "dynamodb:DeleteItem", "Op::Check": "dynamodb:ConditionCheckItem"}
                    actions |= {action for kind, action in kinds.items() if kind in body}
                elif method in table:
                    actions |= table[method]
            direct[name] = actions
            calls[name] = {other for other in bodies if other != name and re.search(rf"(?<![.\w]){other}(?:::<[^>]*>)?\(", body)}
        for _ in bodies:  # At most so many steps from one to another.
            for name in bodies:
                for other in calls[name]:
                    direct[name] |= direct[other]
        for name, (documentation, _) in bodies.items():
            told = declared(documentation)
            if told is not None and told != direct[name]:
                problem(f"shared/store/src/{module}.rs: {name} says IAM: {sorted(told)} and calls {sorted(direct[name])}")
        all_of_them[module] = {name: actions for name, actions in direct.items() if actions}
    return all_of_them


def crates_of(function):
    """Folders of the crates that a function is made of."""
    folders, wanted = [], [f"functions/{function}"]
    while wanted:
        folder = wanted.pop()
        if folder in folders:
            continue
        folders.append(folder)
        manifest = (ROOT / folder / "Cargo.toml").read_text().split("[dev-dependencies]")[0]
        source = "\n".join(code(file) for file in (ROOT / folder / "src").glob("**/*.rs"))
        for name, place in LIBRARIES.items():
            used = set(re.findall(rf"{name.replace('-', '_')}::([\w:]+)", source))
            # The description of the API is one document; who serves it calls nothing of the other's.
            if re.search(rf"^{name}\b", manifest, re.M) and not used <= {"api::Token", "api::document"}:
                wanted.append(place)
    return folders


def called_by(function, operations):
    """What a function's code calls: {(resource, action)}."""
    found = set()
    bucket_actions = primitives(STORE / "bucket.rs")
    for folder in crates_of(function):
        files = sorted((ROOT / folder / "src").glob("**/*.rs"))
        if folder != f"functions/{function}":
            files = [file for file in files if file.name != "main.rs"]
        texts = [code(file) for file in files]
        whole = "\n".join(texts)
        for text in texts:
            imports = re.sub(r"\s+", " ", " ".join(re.findall(r"use fc_store::[^;]*;", text)))
            rest = re.sub(r"use fc_store::[^;]*;", "", text)
            for module, known in operations.items():
                bare = re.findall(rf"\b{module}::(?:\{{([^{{}}]*)\}}|(\w+))", imports)
                bare = {name.strip() for group in bare for part in group for name in part.split(",")}
                for name, actions in known.items():
                    named = re.search(rf"\b{module}::{name}\b", rest)
                    imported = name in bare and re.search(rf"(?<![.\w:]){name}(?:::<[^>]*>)?\(", rest)
                    method = module == "sessions" and re.search(rf"(?:\bsessions|Sessions::of\([^)]*\))\.{name}(?:::<[^>]*>)?\(", rest)
                    method = method or (module == "guard" and re.search(rf"\bguard\.{name}\(", rest))
                    if named or imported or method:
                        found |= {(f"{TABLES[module]}Table", action) for action in actions}
        # A helper that is handed a bucket.
        helpers = {}
        for name, _, body in functions_of(whole):
            if re.search(r"\bbucket: &(?:fc_store::)?Bucket\b", body):
                helpers[name] = set().union(*(bucket_actions.get(method, set()) for method in re.findall(r"\bbucket\.(\w+)\(", body)))
        for bucket, resource in BUCKETS.items():
            for method in re.findall(rf"\b{bucket}\.(\w+)\(", whole):
                found |= {(f"{resource}Bucket", action) for action in bucket_actions.get(method, set())}
            for name, actions in helpers.items():
                if re.search(rf"\b{name}\(\s*&(?:\w+\.)*store\.{bucket}\b", whole):
                    found |= {(f"{resource}Bucket", action) for action in actions}
        for name, actions in helpers.items():
            if "BUCKET_ARCHIVE" in whole:
                found |= {("ArchiveBucket", action) for action in actions}
        # What the store keeps in a bucket on a function's behalf.
        if "dead_letters::keeping(" in whole:
            kept = re.findall(r"\bstaging\.(\w+)\(", code(STORE / "dead_letters.rs"))
            found |= {("StagingBucket", action) for method in kept for action in bucket_actions.get(method, set())}
        for queue in re.findall(r'Sqs::from_environment\([^)]*\),?\s*"QUEUE_(\w+)"|Sqs::from_environment\([^,]*,\s*"QUEUE_(\w+)"', whole):
            found.add((f"{(queue[0] or queue[1]).capitalize()}Queue", "sqs:SendMessage"))
    return found


# ---------------------------------------------------------------- the template


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as the long ones."""


def short_form(loader, tag, node):
    kind = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence, yaml.MappingNode: loader.construct_mapping}[type(node)]
    value = kind(node) if isinstance(node, yaml.ScalarNode) else kind(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {"Ref" if tag == "Ref" else tag if tag == "Condition" else f"Fn::{tag}": value}


Loader.add_multi_constructor("!", short_form)
# CloudFormation reads no dates: "2012-10-17" is text.
Loader.yaml_implicit_resolvers = {first: [(tag, expression) for tag, expression in found if tag != "tag:yaml.org,2002:timestamp"] for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def resources():
    template = yaml.load((ROOT / "infra/template.yaml").read_text(), Loader)
    found = {}
    for name, resource in template["Resources"].items():
        if name.startswith("Fn::ForEach::"):
            found.update(resource[2])
        else:
            found[name] = resource
    return template, found


def listed(value):
    return value if isinstance(value, list) else [value]


def resource_of(value):
    """The name of the resource that a statement's Resource is about."""
    if "Fn::GetAtt" in value:
        return value["Fn::GetAtt"][0]
    return re.match(r"\$\{(\w+)\.Arn\}", value["Fn::Sub"]).group(1) if "Fn::Sub" in value else value.get("Ref")


def check_roles(found):
    known = operations()
    count = 0
    for function, name in FUNCTIONS.items():
        called = called_by(function, known)
        if not called:
            problem(f"{function}: no call was found in its code, so this rule reads it wrongly")
        allowed = set()
        [policy] = found[f"{name}Role"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, sid = set(listed(statement["Action"])), statement["Sid"]
            if any("*" in action for action in actions) or "*" in listed(statement["Resource"]):
                problem(f"{name}Role: {sid} holds a wildcard")
            if sid in GRANTS:
                if actions != GRANTS[sid][0]:
                    problem(f"{name}Role: {sid} allows {sorted(actions)}, and the rule's reason is for {sorted(GRANTS[sid][0])}")
                if sid.startswith("KeyFor") and "Condition" not in statement:
                    problem(f"{name}Role: {sid} allows the key without a condition")
                continue
            allowed |= {(resource_of(resource), action) for resource in listed(statement["Resource"]) for action in actions}
        for resource, action in sorted(called - allowed):
            problem(f"{name}Role: the code calls {action} on {resource}, and the role does not allow it")
        for resource, action in sorted(allowed - called):
            problem(f"{name}Role: allows {action} on {resource}, and no code calls it")
        count += len(called)
    return f"{count} permissions of {len(FUNCTIONS)} roles are those that the code uses"


def check_encryption(found):
    key = {"Fn::GetAtt": ["Key", "Arn"]}
    where = {
        "AWS::S3::Bucket": lambda p: p["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"]["KMSMasterKeyID"],
        "AWS::DynamoDB::Table": lambda p: p["SSESpecification"]["KMSMasterKeyId"],
        "AWS::SQS::Queue": lambda p: p["KmsMasterKeyId"],
        "AWS::SNS::Topic": lambda p: p["KmsMasterKeyId"],
        "AWS::Logs::LogGroup": lambda p: p["KmsKeyId"],
        "AWS::SecretsManager::Secret": lambda p: p["KmsKeyId"],
        "AWS::Serverless::Function": lambda p: p["KmsKeyArn"],
    }
    count = 0
    for name, resource in found.items():
        if resource["Type"] in where:
            count += 1
            try:
                used = where[resource["Type"]](resource["Properties"])
            except KeyError:
                used = None
            if used != key:
                problem(f"{name} is not encrypted with the council's key")
    grants = [s for s in found["Key"]["Properties"]["KeyPolicy"]["Statement"] if s["Sid"] == "ServicesThatSendToQueuesAndTopics"]
    services = set(listed(grants[0]["Principal"]["Service"])) if grants else set()
    for service in ("s3.amazonaws.com", "events.amazonaws.com", "cloudwatch.amazonaws.com"):
        if service not in services or not {"kms:Decrypt", "kms:GenerateDataKey"} <= set(listed(grants[0]["Action"])):
            problem(f"{service} may not use the key, so what it sends to an encrypted queue or topic is lost")
    return f"{count} stores, queues, logs and functions are encrypted with the council's key"


def check_data(found):
    tables = {name: resource for name, resource in found.items() if resource["Type"] == "AWS::DynamoDB::Table"}
    for name, table in tables.items():
        properties = table["Properties"]
        if not properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
            problem(f"{name} cannot be restored to a point in time")
        if "DeletionProtectionEnabled" not in properties or not table["DeletionPolicy"].startswith("Retain"):
            problem(f"{name} would go with the stack")
        # Every module but the audit trail's writes items that expire.
        if (properties.get("TimeToLiveSpecification") == {"AttributeName": "expires", "Enabled": True}) == (name == "AuditTable"):
            problem(f"{name}: entries of the audit trail never expire, and items of every other table do")
    buckets = {name: resource for name, resource in found.items() if resource["Type"] == "AWS::S3::Bucket"}
    for name, bucket in buckets.items():
        properties = bucket["Properties"]
        if set(properties["PublicAccessBlockConfiguration"].values()) != {True} or len(properties["PublicAccessBlockConfiguration"]) != 4:
            problem(f"{name} could be made public")
        if properties["VersioningConfiguration"] != {"Status": "Enabled"} or not bucket["DeletionPolicy"].startswith("Retain"):
            problem(f"{name} could lose what is overwritten")
        policy = found.get(f"{name}Policy", {}).get("Properties", {}).get("PolicyDocument", {}).get("Statement", [])
        if not any(s["Effect"] == "Deny" and s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} for s in policy):
            problem(f"{name} can be used without TLS")
    rules = lambda name: buckets[name]["Properties"]["LifecycleConfiguration"]["Rules"]
    if any("ExpirationInDays" in rule for rule in rules("ManifestsBucket")):
        problem("ManifestsBucket deletes by age, and the accepted manifest lasts as long as nothing changes")
    if any("ExpirationInDays" in rule or "NoncurrentVersionExpiration" in rule for rule in rules("ArchiveBucket")):
        problem("ArchiveBucket deletes by rule")
    if not buckets["ArchiveBucket"]["Properties"].get("ObjectLockEnabled"):
        problem("ArchiveBucket is not write-once")
    if not any(s["Effect"] == "Deny" and s["Action"] == "s3:BypassGovernanceRetention" for s in found["ArchiveBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]):
        problem("ArchiveBucket's lock can be bypassed")
    [sessions] = [s for s in found["SearchRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] if s["Sid"] == "Sessions"]
    if sessions.get("Condition") != {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["SEARCH#*"]}}:
        problem("SearchRole can make a session of the page for anybody")
    for name in ("ExtractsBucket", "StagingBucket"):
        if not any("ExpirationInDays" in rule and "NoncurrentVersionExpiration" in rule for rule in rules(name)):
            problem(f"{name} keeps raw data for ever, in its older versions at least")
    return f"{len(tables)} tables and {len(buckets)} buckets keep what they must and lose what they must"


def check_queues(template, found):
    for name in ("Ingest", "Matching"):
        queue, limit = found[f"{name}Queue"]["Properties"], found[f"{name}Function"]["Properties"]["Timeout"]
        visible = template["Parameters"][queue["VisibilityTimeout"]["Ref"]]["Default"]
        if visible < 6 * limit:
            problem(f"{name}Queue shows a message again after {visible} s; six times the function's {limit} s is needed")
        if queue["RedrivePolicy"]["maxReceiveCount"] < 5:
            problem(f"{name}Queue gives up before five tries")
    kept = found["StagingBucket"]["Properties"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] * 86400
    if kept < 2 * found["MatchingDeadLetters"]["Properties"]["MessageRetentionPeriod"]:
        problem("a dead letter may outlive the part that it points to")
    lease = int(re.search(r"LEASE: SignedDuration = SignedDuration::from_mins\((\d+)\)", (STORE / "loads.rs").read_text()).group(1)) * 60
    if found["IngestFunction"]["Properties"]["Timeout"] >= lease:
        problem("ingest may run longer than its lease of the feed")
    mappings = [resource for resource in found.values() if resource["Type"] == "AWS::Lambda::EventSourceMapping"]
    for mapping in mappings:
        if mapping["Properties"]["FunctionResponseTypes"] != ["ReportBatchItemFailures"]:
            problem("an event source takes a whole batch for failed")
    return f"{len(mappings)} event sources are bounded, and give up among dead letters"


def check_routes(found):
    routes = [resource["Properties"] for resource in found.values() if resource["Type"] == "AWS::ApiGatewayV2::Route"]
    for route in routes:
        is_open = route["RouteKey"] in ("GET /v1/openapi.json", "$default")
        if (route["AuthorizationType"] == "NONE") != is_open:
            problem(f"{route['RouteKey']} is {'closed' if is_open else 'open'} at the edge")
    edge = set(re.findall(r'Self::\w+ => "((?:GET|POST|ANY) [^"]+|\$default)"', (ROOT / "infra/local/src/edge.rs").read_text()))
    for key in edge - {route["RouteKey"] for route in routes}:
        problem(f"the local stack has a route {key} and the template has not")
    log = found["Stage"]["Properties"]["AccessLogSettings"]["Format"]
    for word in ("path", "querystring", "sourceIp", "identity", "httpMethod"):
        if word in log:
            problem(f"the access log would hold {word}")
    if not found["Stage"]["Properties"]["DefaultRouteSettings"].get("ThrottlingRateLimit"):
        problem("the API is not throttled")
    return f"{len(routes)} routes, those of the API behind the token check"


def check_edge(found):
    """The allow-list: nothing gets past it, and it lets in whom it should. Its code is run as CloudFront runs it."""
    distribution = found["Distribution"]["Properties"]["DistributionConfig"]
    [origin] = distribution["Origins"]
    behaviour = distribution["DefaultCacheBehavior"]
    if origin["CustomOriginConfig"]["OriginProtocolPolicy"] != "https-only" or behaviour["ViewerProtocolPolicy"] != "https-only":
        problem("CloudFront speaks without TLS")
    if [header["HeaderName"] for header in origin["OriginCustomHeaders"]] != ["x-origin-key"] or '"x-origin-key"' not in (ROOT / "shared/http/src/edge.rs").read_text():
        problem("the functions cannot know what came through CloudFront")
    if [one["EventType"] for one in behaviour["FunctionAssociations"]] != ["viewer-request"] or distribution.get("CacheBehaviors"):
        problem("a request can get past the allow-list")
    if behaviour["CachePolicyId"] != "4135ea2d-6df8-44a3-9df3-4b5a84be39ad":
        problem("CloudFront keeps answers, which hold personal data")
    called = {resource["Properties"]["IntegrationUri"]["Fn::GetAtt"][0] for resource in found.values() if resource["Type"] == "AWS::ApiGatewayV2::Integration"}
    for name in called:
        if "ORIGIN_KEY" not in found[name]["Properties"]["Environment"]["Variables"]:
            problem(f"{name} answers whoever goes round CloudFront")
    code = found["AllowList"]["Properties"]["FunctionCode"]["Fn::Sub"]
    cases = [
        ("198.51.100.0/24", "198.51.100.7", True), ("198.51.100.0/24", "198.51.101.7", False), ("198.51.100.8", "198.51.100.8", True),
        ("198.51.100.8", "198.51.100.9", False), ("203.0.113.0/30,198.51.100.0/24", "198.51.100.1", True), ("10.0.0.0/8", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8:1::7", True), ("2001:db8::/32", "2001:db9::1", False), ("2001:db8::1", "2001:db8:0:0:0:0:0:1", True),
        ("0.0.0.0/0", "192.0.2.1", True), ("0.0.0.0/0", "::1", False), ("1.2.3", "1.2.3.4", False), ("1.2.3.4/99", "1.2.3.4", False), (".", "192.0.2.1", False),
        ("192.0.2.0/25", "192.0.2.127", True), ("192.0.2.0/25", "192.0.2.128", False),
    ]
    for allowed, address, expected in cases:
        asked = f"{code.replace('${AllowedAddresses}', allowed)}\nconsole.log(handler({{viewer: {{ip: '{address}'}}, request: 'in'}}) === 'in')"
        answer = subprocess.run(["node", "-e", asked], capture_output=True, text=True, timeout=60)
        if answer.stdout.strip() != str(expected).lower():
            problem(f"the allow-list {allowed} {'keeps out' if expected else 'lets in'} {address} {answer.stderr[-300:]}")
    return f"{len(called)} functions answer through CloudFront alone where it is, and {len(cases)} addresses are let in or kept out"


def check_alarms(found):
    runbooks = (ROOT / "docs/operations.md").read_text()
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in runbooks.splitlines() if line.startswith("#")}
    alarms = {name: resource for name, resource in found.items() if resource["Type"] == "AWS::CloudWatch::Alarm"}
    for name, alarm in alarms.items():
        description = alarm["Properties"]["AlarmDescription"]["Fn::Sub"]
        anchor = re.search(r"\$\{RunbookUrl\}#([a-z-]+)$", description)
        if not anchor or anchor.group(1) not in headings:
            problem(f"{name}: docs/operations.md has no part for it ({description})")
        if alarm["Properties"].get("AlarmActions") != [{"Ref": "Alarms"}]:
            problem(f"{name} tells nobody")
    # A filter's words are those of a log line that somebody may change.
    source = "\n".join(code(file) for folder in ("functions", "shared") for file in (ROOT / folder).glob("*/src/**/*.rs"))
    for name, resource in found.items():
        if resource["Type"] == "AWS::Logs::MetricFilter":
            for field, words in re.findall(r'\$\.(\w+) = "\*?([^"*]+)\*?"', resource["Properties"]["FilterPattern"]):
                told = words if field != "message" or not words.startswith("load ") else "load "
                if told not in source:
                    problem(f"{name} looks for {field} \"{words}\", which no code says")
    return f"{len(alarms)} kinds of alarm, each with its runbook"


def main():
    template, found = resources()
    done = [check_roles(found), check_encryption(found), check_data(found), check_queues(template, found), check_routes(found), check_edge(found), check_alarms(found)]
    for words in problems:
        print(f"infra/policy: {words}")
    if not problems:
        print("\n".join(done))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
