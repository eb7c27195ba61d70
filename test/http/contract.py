"""docs/openapi.yaml as the tests use it: finds the operation of a request and holds what was sent and answered against it."""
import collections
import gzip
import json
import os
import re
import urllib.parse

import jsonschema
import yaml

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
METHODS = ("get", "post", "put", "patch", "delete")
# Headers that say something of their own: one that is answered has to be written down. The others are every answer's.
TELLING = {"etag", "location", "stet-seq", "idempotency-replayed", "preference-applied", "retry-after",
           "set-cookie", "www-authenticate"}
# The base in a header makes these two 412, and a head that is too large is 431.
OTHER_STATUSES = {("CONCURRENT_MODIFICATION", 412), ("ALREADY_EXISTS", 412), ("TOO_LARGE", 431)}


# Of values that have the same members of the same kinds, so many are held against a schema: the thousands that some tests exchange
# say nothing more, and take minutes.
ALIKE_MAX = 25


def shape(value):
    """What two values have in common that differ in texts, numbers and the lengths of lists alone."""
    if isinstance(value, dict):
        return tuple((name, shape(member)) for name, member in sorted(value.items()))
    if isinstance(value, list):
        return frozenset(map(shape, value))
    return type(value)


class Broken(AssertionError):
    """An exchange that is not as the contract says."""


def statuses():
    """Of src/base/status.def: {code: HTTP status}."""
    with open(os.path.join(TOP, "src/base/status.def"), encoding="utf-8") as file:
        rows = re.findall(r"^STATUS\((\w+),\s*\d+,\s*(\d+),", file.read(), re.M)
    return {code: int(http) for code, http in rows}


class Operation:
    def __init__(self, contract, path, method, item):
        call = item[method]
        self.path, self.method, self.id = path, method.upper(), call["operationId"]
        self.call = call
        self.security = call.get("security", contract.document["security"])
        self.parameters = {}
        for parameter in item.get("parameters", []) + call.get("parameters", []):
            parameter = contract.resolve(parameter)
            self.parameters[parameter["in"], parameter["name"]] = parameter
        self.body = contract.resolve(call["requestBody"]) if "requestBody" in call else None
        self.responses = {str(status): contract.resolve(answer) for status, answer in call["responses"].items()}
        self.pattern = re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part)
                                          for part in re.split(r"(\{\w+\})", path)) + r"\Z")
        self.literals = len(re.sub(r"\{\w+\}", "", path))

    def query_names(self):
        return [name for place, name in self.parameters if place == "query"]


class Contract:
    def __init__(self):
        with open(os.path.join(TOP, "docs/openapi.yaml"), encoding="utf-8") as file:
            self.text = file.read()
        self.document = yaml.load(self.text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.statuses = statuses()
        self.validators = {}
        self.alike = collections.Counter()
        self.operations = [Operation(self, path, method, item) for path, item in self.document["paths"].items()
                           for method in METHODS if method in item]
        failure = self.document["components"]["schemas"]["FailureProblem"]
        self.failures = set(failure["properties"]["status"]["enum"])

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"][2:].split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            whole = {"allOf": [schema], "components": self.document["components"]}
            self.validators[key] = jsonschema.Draft202012Validator(whole)
        return key, self.validators[key]

    def check_value(self, schema, value, words):
        key, validator = self.validator(schema)
        alike = (key, shape(value))
        self.alike[alike] += 1
        if self.alike[alike] > ALIKE_MAX:
            return
        for error in validator.iter_errors(value):
            best = jsonschema.exceptions.best_match([error])
            raise Broken(f"{words}: {best.message[:300]} at {'/'.join(map(str, best.absolute_path))} "
                         f"of {json.dumps(value)[:1500]}")

    def find(self, method, path):
        """The operation, or None. HEAD is answered as GET is."""
        method = "GET" if method == "HEAD" else method
        found = [one for one in self.operations if one.method == method and one.pattern.match(path)]
        return max(found, key=lambda one: one.literals, default=None)

    def check(self, method, target, request, status, headers, body):
        """Holds one exchange against the document. request: (headers, body). Header names in lower case.

        Returns (operation id, the key of its response), or None for what is no operation of ours.
        """
        path = urllib.parse.urlsplit(target).path if not target.startswith("/") else target.partition("?")[0]
        operation = self.find(method, path)
        where = f"{method} {target[:200]} -> {status}"
        if operation is None:
            if headers.get("content-type") == "application/problem+json" and body:
                self.check_value({"$ref": "#/components/schemas/Problem"}, json.loads(body), where)
            return None
        where = f"{operation.id}: {where}"
        key = str(status)
        if key not in operation.responses:
            if status not in self.failures:
                raise Broken(f"{where}: the status is not documented: {body[:400]!r}")
            key = "default"
        response = operation.responses[key]
        self.check_headers(response, headers, where)
        self.check_body(method, response, headers, body, where)
        self.check_problem(status, headers, body, where)
        if 200 <= status < 300 and method != "HEAD":
            self.check_request(operation, target, *request, where)
        return operation.id, key

    def check_headers(self, response, headers, where):
        documented = {name.lower(): self.resolve(header) for name, header in response.get("headers", {}).items()}
        for name, header in documented.items():
            if name in headers:
                self.check_value(header["schema"], headers[name], f"{where}: {name}")
            elif header.get("required"):
                raise Broken(f"{where}: there is no {name}")
        surplus = (TELLING & set(headers)) - set(documented)
        if surplus:
            raise Broken(f"{where}: not documented: {sorted(surplus)}")

    def check_body(self, method, response, headers, body, where):
        content = response.get("content")
        if body and headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if method == "HEAD" or (not body and headers.get("preference-applied") == "return=minimal"):
            if body:
                raise Broken(f"{where}: there is a body: {body[:200]!r}")
            return
        if not content:
            if body:
                raise Broken(f"{where}: there is a body: {body[:200]!r}")
            return
        media = headers.get("content-type", "").partition(";")[0].strip()
        if media not in content:
            raise Broken(f"{where}: {media!r} is not documented: {body[:200]!r}")
        if media.endswith(("/json", "+json")):
            self.check_value(content[media].get("schema", {}), json.loads(body), where)
        elif "x-stet-line" in content[media]:
            self.check_lines(content[media], body.decode(), where)
        elif content[media].get("schema", {}).get("format") == "binary":
            if not body:
                raise Broken(f"{where}: an empty file")
        elif media == "text/event-stream":
            self.check_events(content[media]["x-stet-events"], body, where)
        else:
            self.check_value(content[media].get("schema", {}), body.decode(), where)

    def check_lines(self, content, text, where):
        """The first one and the last are their own."""
        lines = text.splitlines()
        schemas = [content["x-stet-first-line"], *[content["x-stet-line"]] * (len(lines) - 2), content["x-stet-last-line"]]
        if len(lines) != len(schemas):
            raise Broken(f"{where}: not whole: {text[:200]!r}")
        for schema, line in zip(schemas, lines):
            self.check_value(schema, json.loads(line), where)

    def check_events(self, known, body, where):
        """Whole events only: a stream may be cut anywhere."""
        for block in body.decode().split("\n\n")[:-1]:
            fields = [line.partition(": ")[::2] for line in block.split("\n")]
            event = "".join(value for name, value in fields if name == "event")
            data = "\n".join(value for name, value in fields if name == "data")
            if not event and [name for name, _ in fields] == ["retry"]:
                continue
            if event not in known:
                raise Broken(f"{where}: no such event: {block[:200]!r}")
            self.check_value(known[event], json.loads(data), f"{where}: {event}")

    def check_problem(self, status, headers, body, where):
        if headers.get("content-type") != "application/problem+json" or not body:
            if status >= 400 and body:
                raise Broken(f"{where}: a refusal that is no problem document")
            return
        problem = json.loads(body)
        code = problem["code"]
        if problem["status"] != status or problem["type"] != f"urn:stet:problem:{code}":
            raise Broken(f"{where}: the document says otherwise: {problem}")
        if self.statuses[code] != status and (code, status) not in OTHER_STATUSES:
            raise Broken(f"{where}: {code} is {self.statuses[code]} in status.def")
        if headers["x-request-id"] != problem["request_id"]:
            raise Broken(f"{where}: two request ids")

    def check_request(self, operation, target, headers, body, where):
        """What was accepted must be allowed by the document."""
        for name, _ in urllib.parse.parse_qsl(target.partition("?")[2], keep_blank_values=True):
            if ("query", name) not in operation.parameters:
                raise Broken(f"{where}: the parameter {name!r} is not documented")
        if not body or operation.body is None:
            return
        media = headers.get("content-type", "").partition(";")[0].strip()
        known = {name.lower(): content for name, content in operation.body["content"].items()}
        if not media and len(known) == 1:
            media = next(iter(known))  # Where there is no choice, none has to be named.
        if media.lower() not in known:
            raise Broken(f"{where}: a body of {media!r} is not documented")
        content = known[media.lower()]
        if "x-stet-line" in content or not media.lower().endswith(("/json", "+json")):
            return
        self.check_value(content["schema"], json.loads(body), f"{where}: the request")
