"""Follows the README of an example, block by block, against `make run example=NAME`."""
import json
import os
import re
import select
import signal
import socket
import subprocess
import time

from harness import PROGRAM, TOP, WAIT_S, check, environment

BLOCK_S = WAIT_S * 3


def blocks(readme):
    """The commands of the README, each with the answers it promises: [(line, text, [(language, text)])]."""
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    found = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
        line = text.count("\n", 0, match.start()) + 1
        if match[1] == "sh":
            found.append((line, match[2], []))
        elif found:
            found[-1][2].append((match[1], match[2]))
    return found


class Run:
    """scripts/run, until it has said what to paste."""

    def __init__(self, folder, example):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = environment({"PORT": str(port), "STET_PROGRAM": PROGRAM, "STET_DATA": os.path.join(folder, "data"),
                           "TMPDIR": folder, "example": example})
        self.process = subprocess.Popen([os.path.join(TOP, "scripts", "run")], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=env)
        self.text = ""
        end = time.monotonic() + WAIT_S * 2
        while not re.search(r"^  export .*\n", self.text, re.M):
            check(time.monotonic() < end and self.process.poll() is None, f"waited in vain: {self.text}")
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                self.text += os.read(self.process.stdout.fileno(), 65536).decode()
        self.paste = re.search(r"^  (export .*)$", self.text, re.M)[1]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=WAIT_S)


class Shell:
    """One shell for all blocks: what a block sets, the next ones have."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        cwd=TOP, env=environment({"TMPDIR": folder}))

    def run(self, text):
        mark = "--- that was the block ---"
        self.process.stdin.write(f"{text}\nprintf '\\n%s\\n' '{mark}'\n".encode())
        self.process.stdin.flush()
        said = ""
        end = time.monotonic() + BLOCK_S
        while mark not in said:
            check(time.monotonic() < end, f"it does not end: {said}")
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                chunk = os.read(self.process.stdout.fileno(), 65536).decode(errors="replace")
                check(chunk, f"the shell ended: {said}")
                said += chunk
        return said.split(mark)[0]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=WAIT_S)


def fits(promised, value):
    """Whether the value has what was promised; … stands for anything."""
    if isinstance(promised, dict):
        return isinstance(value, dict) and all(key in value and fits(promised[key], value[key]) for key in promised)
    if isinstance(promised, list):
        return isinstance(value, list) and len(value) == len(promised) and all(map(fits, promised, value))
    if isinstance(promised, str) and isinstance(value, str):
        return re.fullmatch(".*".join(map(re.escape, promised.split("…"))), value, re.S) is not None
    return type(promised) is type(value) and promised == value


def last_answer(said):
    for line in reversed(said.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    return None


def lines_fit(promised, said):
    """Every line that was promised is there, in this order; blanks do not matter."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in promised.splitlines():
        if not line.strip():
            continue
        pattern = re.compile(".*".join(map(re.escape, " ".join(line.split()).split("…"))))
        while lines and not pattern.fullmatch(lines[0]):
            lines.pop(0)
        if not lines:
            return False
        lines.pop(0)
    return True


def follow(folder, example, fewest):
    """Every block of examples/EXAMPLE/README.md, with the answers it promises; no error but those it shows."""
    steps = blocks(os.path.join(TOP, "examples", example, "README.md"))
    check(len(steps) > fewest, f"only {len(steps)} blocks of commands")
    with Run(folder, example) as run:
        shell = Shell(folder)
        shell.run(run.paste)
        for line, text, promises in steps:
            said = shell.run(text)
            for language, promised in promises:
                if language == "json":
                    good = fits(json.loads(promised), last_answer(said))
                else:
                    good = lines_fit(promised, said)
                check(good, f"README.md:{line}:\n{text}\nsaid:\n{said}\nthe README says:\n{promised}")
            unasked = [code for code in re.findall(r'"code":"((?:BAD_|UNAUTH|NOT_FOUND|INTERNAL|FORBIDDEN)\w*)"', said)
                       if code not in json.dumps(promises)]
            check(not unasked and "Traceback" not in said, f"README.md:{line}:\n{text}\nsaid:\n{said}")
        shell.close()
