#!/usr/bin/env python3
"""docs/openapi.yaml is a sound document and names the routes the program has, and no others.

    openapi_test.py STET ROUTE_LIST [FUNCTION...]
"""
import json
import os
import re
import subprocess
import sys

ROUTE_LIST = sys.argv.pop(2)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

import jsonschema  # noqa: E402
from contract import METHODS, TOP, Broken, Contract  # noqa: E402
from harness import check, main, must, test  # noqa: E402

contract = Contract()
document = contract.document
# What the objects of OpenAPI 3.1 may hold, and must. A misspelt key would say nothing to anybody.
OBJECTS = {
    "root": ("openapi info", "jsonSchemaDialect servers paths webhooks components security tags externalDocs"),
    "info": ("title version", "summary description termsOfService contact license"),
    "path": ("", "summary description servers parameters " + " ".join(METHODS)),
    "operation": ("operationId tags summary responses",
                  "description externalDocs parameters requestBody deprecated security servers"),
    "parameter": ("name in schema", "description required deprecated allowEmptyValue style explode example examples"),
    "body": ("content", "description required"),
    "media": ("", "schema example examples encoding"),
    "response": ("description", "headers content links"),
    "header": ("schema", "description required deprecated example"),
}


# What schemas say here. Others of JSON Schema may be added; a slip of the pen may not.
KEYWORDS = set("""$ref type enum const description deprecated default format pattern minLength maxLength minimum maximum exclusiveMinimum
    items minItems maxItems properties required dependentRequired additionalProperties unevaluatedProperties allOf anyOf oneOf""".split())


def check_keys(kind, node, where):
    required, optional = (set(words.split()) for words in OBJECTS[kind])
    keys = {key for key in node if not str(key).startswith("x-")}
    check(required <= keys, f"{where}: {sorted(required - keys)} is missing")
    check(keys <= required | optional, f"{where}: {sorted(keys - required - optional)} means nothing there")


def walk(node, where=""):
    yield where, node
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield from walk(child, f"{where}/{str(key).replace('~', '~0').replace('/', '~1')}")


def schemas():
    """Every schema of the document with its place."""
    for where, node in walk(document):
        if isinstance(node, dict) and "schema" in node and re.search(r"/(content/[^/]*|parameters/[^/]*|headers/[^/]*)$", where):
            yield where + "/schema", node["schema"]
    for name, schema in document["components"]["schemas"].items():
        yield f"/components/schemas/{name}", schema


@test
def every_reference_leads_somewhere(folder):
    named = set()
    for where, node in walk(document):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            check(node["$ref"].startswith("#/components/"), f"{where}: {node['$ref']}")
            try:
                contract.resolve(node)
            except (KeyError, TypeError):
                raise AssertionError(f"{where}: there is no {node['$ref']}") from None
            named.add(node["$ref"])
    for kind, items in document["components"].items():
        for name in items if kind != "securitySchemes" else ():
            check(f"#/components/{kind}/{name}" in named, f"nobody uses {kind}/{name}")


@test
def every_object_has_the_keys_that_openapi_gives_it(folder):
    check(document["openapi"].startswith("3.1."), document["openapi"])
    check_keys("root", document, "the document")
    check_keys("info", document["info"], "info")
    for name in document["components"]["schemas"]:
        check(re.fullmatch(r"[A-Z][A-Za-z]*", name), name)
    for path, item in document["paths"].items():
        check_keys("path", item, path)
        for parameter in item.get("parameters", []):
            check_keys("parameter", contract.resolve(parameter), path)
    for operation in contract.operations:
        where = operation.id
        check_keys("operation", operation.call, where)
        if operation.body is not None:
            check_keys("body", operation.body, where)
            for media in operation.body["content"].values():
                check_keys("media", media, where)
        for status, response in operation.responses.items():
            check(re.fullmatch(r"[1-5][0-9]{2}|default", status), f"{where}: {status}")
            check_keys("response", response, f"{where} {status}")
            for header in response.get("headers", {}).values():
                check_keys("header", contract.resolve(header), f"{where} {status}")
            for media in response.get("content", {}).values():
                check_keys("media", media, f"{where} {status}")
        for parameter in operation.parameters.values():
            check_keys("parameter", parameter, where)


@test
def every_schema_is_a_schema_and_every_example_fits(folder):
    count = 0
    for where, schema in schemas():
        jsonschema.Draft202012Validator.check_schema(schema)
        count += 1
    check(count > 300, f"only {count} schemas were found")
    for where, node in walk(document):
        if not isinstance(node, dict) or "schema" not in node or "example" not in node:
            continue
        contract.check_value(node["schema"], node["example"], where)
        if "x-stet-line" in node:
            for line in node["example"].splitlines():
                contract.check_value(node["x-stet-line"], json.loads(line), where)


def subschemas(schema):
    yield schema
    children = [*schema.get("properties", {}).values(), *(one for name in ("allOf", "anyOf", "oneOf") for one in schema.get(name, []))]
    children += [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]
    for child in children:
        yield from subschemas(child)


@test
def schemas_say_nothing_that_nobody_reads(folder):
    for where, schema in schemas():
        for one in subschemas(schema):
            check(set(one) <= KEYWORDS, f"{where}: {sorted(set(one) - KEYWORDS)}")
            check(set(one.get("required", [])) <= set(one.get("properties", {})) or "allOf" in one, f"{where}: {one.get('required')}")
    for where, node in walk(document):
        check(node is not None or "/example" in where, f"{where} is null: a comma that was not quoted?")


@test
def path_parameters_are_those_of_the_path(folder):
    for operation in contract.operations:
        declared = [name for place, name in operation.parameters if place == "path"]
        check(sorted(declared) == sorted(re.findall(r"\{(\w+)\}", operation.path)), f"{operation.id}: {declared}")
        for (place, name), parameter in operation.parameters.items():
            check(place in ("path", "query", "header"), f"{operation.id}: {place}")
            check(place != "path" or parameter.get("required") is True, f"{operation.id}: {name}")
            check(place == "header" or "example" in parameter, f"{operation.id}: {name} has no example")
        listed = [contract.resolve(one) for one in operation.call.get("parameters", [])]
        names = [(one["in"], one["name"]) for one in listed]
        check(len(names) == len(set(names)), f"{operation.id}: a parameter is listed twice")


@test
def operation_ids_are_unique_and_plain(folder):
    ids = [operation.id for operation in contract.operations]
    check(len(ids) == len(set(ids)), "an operation id stands twice")
    for name in ids:
        check(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name), name)
    tags = {tag["name"] for tag in document["tags"]}
    used = {tag for operation in contract.operations for tag in operation.call["tags"]}
    check(tags == used, f"{tags} are described, {used} are used")


@test
def the_routes_are_those_of_the_program(folder):
    rows = json.loads(subprocess.run([ROUTE_LIST], capture_output=True, check=True, text=True).stdout)
    check(len(rows) > 40, rows)
    program = {(row["path"], row["method"]): row for row in rows}
    documented = {(operation.path, operation.method): operation for operation in contract.operations}
    for place in sorted(set(program) - set(documented)):
        raise AssertionError(f"docs/openapi.yaml lacks {place}; CONTRIBUTING.md says how to add it")
    for place in sorted(set(documented) - set(program)):
        raise AssertionError(f"docs/openapi.yaml has {place}, the program does not")
    for place, row in program.items():
        operation = documented[place]
        check(operation.id == row["operation"], f"{place}: {operation.id} in the document, {row['operation']} in the program")
        check((operation.security == [{}]) == (row["access"] in ("none", "login")), f"{place}: who may call it")
        check((operation.body is not None) == (row["body_bytes_max"] > 0), f"{place}: whether it takes a body")
        for access, words in (("admin", "or administrators."), ("server", "or administrators of the server.")):
            check((row["access"] == access) == (words in operation.call.get("description", "")),
                  f"{place}: the description says whether it is for administrators, and for which")


@test
def the_codes_are_those_of_the_table(folder):
    listed = document["components"]["schemas"]["Code"]["enum"]
    # OK is no refusal. The library's own codes never leave the process, but the table is one.
    check(listed == [code for code in contract.statuses if code != "OK"],
          f"docs/openapi.yaml lists {listed}, src/base/status.def {list(contract.statuses)}")
    failures = document["components"]["schemas"]["FailureProblem"]["properties"]["code"]["enum"]
    # A size may be that of the head (431), too; 413 else is the request's own fault.
    expected = [code for code, status in contract.statuses.items()
                if (status in contract.failures and status != 413) or code == "TOO_LARGE"]
    check(failures == expected, f"`default` lists {failures}, but {expected} have its statuses")


@test
def the_version_is_the_programs(folder):
    check(must("version").out.split()[1] == document["info"]["version"], must("version"))


@test
def an_answer_that_is_not_as_documented_is_found(folder):
    """The validator itself: each of these is wrong in one place."""
    record = dict(document["paths"]["/v1/{space}/records/{type}/{id}"]["get"]["responses"]["200"]["content"]
                  ["application/json"]["example"])
    good = {"content-type": "application/json", "etag": '"1"', "x-request-id": "a-1"}
    target = "/v1/main/records/tasks/1"

    def holds(answer, headers=None, status=200, method="GET", sent=({}, b"")):
        try:
            contract.check(method, target, sent, status, {**good, **(headers or {})}, json.dumps(answer).encode())
        except Broken:
            return False
        return True

    check(holds(record), "a good answer")
    check(not holds({**record, "colour": "red"}), "a member that is not documented")
    check(not holds({key: value for key, value in record.items() if key != "seq"}), "a member that is missing")
    check(not holds({**record, "version": "1"}), "a member of another type")
    check(not holds({**record, "merge": {"strategy": "merge", "parents": [1, 2]}}), "a member of another answer")
    check(not holds(record, {"etag": "1"}), "a header of another form")
    check(not holds(record, {"retry-after": "1"}), "a header that is not documented")
    check(not holds(record, {"content-type": "text/html"}), "another media type")
    check(not holds(record, status=202), "a status that is not documented")
    problem = {"type": "urn:stet:problem:NOT_FOUND", "title": "not found", "status": 404, "code": "NOT_FOUND",
               "detail": "there is none", "request_id": "a-1"}
    refused = {"content-type": "application/problem+json"}
    del good["etag"]
    check(holds(problem, refused, 404), "a good problem")
    check(not holds({**problem, "code": "NOWHERE"}, refused, 404), "a code that nobody knows")
    check(not holds({**problem, "code": "LOCKED"}, refused, 404), "a code of another refusal")
    check(not holds(problem, refused, 400), "a code of another status")
    check(not holds({**problem, "request_id": "b-2"}, refused, 404), "another request's document")
    check(not holds({**problem, "holder": "ann"}, refused, 404), "a member of another refusal")
    written = ({"content-type": "application/merge-patch+json"}, b'{"title": "x"}')
    good["etag"] = '"1"'
    check(holds(record, method="PATCH", sent=written), "a good request")
    check(not holds(record, method="PATCH", sent=({"content-type": "text/plain"}, b"{}")), "a body of another type")
    check(not holds(record, method="PATCH", sent=({"content-type": "application/json"}, b'{"data": {}}')), "another body")


main()
