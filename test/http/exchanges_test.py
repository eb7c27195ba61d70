#!/usr/bin/env python3
"""Every request of the other HTTP tests, and every answer, is as docs/openapi.yaml says.

    exchanges_test.py TEST...    the programs of test/http; they write what passes to $STET_EXCHANGES (wire.c)
"""
import os
import subprocess
import sys
import tempfile

from contract import Broken, Contract


def pieces(data):
    """SIZE:BYTES, six of them for an exchange."""
    at = 0
    while at < len(data):
        exchange = []
        for _ in range(6):
            colon = data.index(b":", at)
            size = int(data[at:colon])
            exchange.append(data[colon + 1:colon + 1 + size])
            at = colon + 1 + size
        yield exchange


def parse_headers(lines):
    pairs = [line.partition(":")[::2] for line in lines.decode("utf-8", "replace").split("\r\n") if ":" in line]
    return {name.strip().lower(): value.strip() for name, value in pairs}


def check_one(contract, exchange):
    method, target, headers, body, head, answer = exchange
    status = int(head.split(b" ", 2)[1])
    answered = parse_headers(head.partition(b"\r\n")[2])
    return contract.check(method.decode(), target.decode("utf-8", "replace"), (parse_headers(headers), body), status,
                          answered, answer)


def main():
    contract = Contract()
    passed = failed = 0
    for program in sys.argv[1:]:
        with tempfile.TemporaryDirectory(prefix="stet-test-") as folder:
            path = os.path.join(folder, "exchanges")
            subprocess.run([program], env={**os.environ, "STET_EXCHANGES": path}, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with open(path, "rb") as file:
                data = file.read()
        name = os.path.basename(program)
        count, broken = 0, []
        for exchange in pieces(data):
            try:
                count += check_one(contract, exchange) is not None
            except Broken as error:
                broken.append(str(error))
        good = count > 0 and not broken
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok' if good else 'not ok'} - {count} exchanges of {name} are as documented", flush=True)
        for words in broken[:20]:
            print(f"# {words}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


main()
