"""What the tests of the command share: running it, running servers, TAP."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PROGRAM = os.path.abspath(sys.argv[1])
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SLOW = 5 if os.environ.get("STET_SANITIZER") else 1
WAIT_S = 20 * SLOW

tests = []


def test(function):
    tests.append(function)
    return function


def main():
    """Runs the tests of a file in order; each gets a folder of its own."""
    only = sys.argv[2:]
    passed = failed = 0
    for function in tests:
        if only and function.__name__ not in only:
            continue
        words = function.__name__.replace("_", " ")
        folder = tempfile.mkdtemp(prefix="stet-test-")
        try:
            function(folder)
            print(f"ok - {words}", flush=True)
            passed += 1
        except Exception:  # One test that breaks must not hide the others.
            print(f"not ok - {words}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", flush=True)
            failed += 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


def environment(extra=None):
    """The tests' own environment: nothing of the user's STET_… gets in."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("STET_") and key != "NO_COLOR"}
    clean.update(extra or {})
    return clean


class Ran:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit code {self.code}\n{self.out}\n{self.err}"


def stet(*arguments, stdin=None, env=None, cwd=None):
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True, env=environment(env),
                          cwd=cwd, timeout=WAIT_S * 3, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def must(*arguments, **options):
    ran = stet(*arguments, **options)
    check(ran.code == 0, f"stet {' '.join(arguments)}: {ran!r}")
    return ran


def refused(code, *arguments, **options):
    ran = stet(*arguments, **options)
    check(ran.code == code, f"stet {' '.join(arguments)} must end with {code}: {ran!r}")
    return ran


def check(condition, words="it does not hold"):
    if not condition:
        raise AssertionError(words)


def check_has(text, pattern):
    check(re.search(pattern, text, re.S), f"{text!r} does not match {pattern!r}")


def wait_for(condition, words, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {words}")


class Server:
    """A server on a free port; .url, .token (of its first start), .data."""

    def __init__(self, folder, *arguments, data="data", env=None):
        self.data = os.path.join(folder, data)
        self.url_file = os.path.join(folder, "url")
        self.log_path = os.path.join(folder, "log")
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.url_file)
        if not any(argument.startswith("--listen") for argument in arguments) and "STET_LISTEN" not in (env or {}):
            arguments = ("--listen", "127.0.0.1:0", *arguments)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--data", self.data, "--url-file", self.url_file, *arguments],
                stdout=subprocess.PIPE, stderr=log, env=environment(env))

        def listening():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}: {self.log()}")
            return os.path.exists(self.url_file)

        try:
            wait_for(listening, "the server to listen")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        with open(self.url_file, encoding="utf-8") as file:
            self.url = file.read()
        self.token = None

    def read_token(self):
        """Stops the server to read what it printed, then returns the token in it."""
        out = self.stop()
        found = re.search(r"^  (\S+)$", out, re.M)
        check(found, f"no token in {out!r}")
        return found.group(1)

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            out, _ = self.process.communicate(timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError("the server did not stop") from None
        self.code = self.process.returncode
        return out.decode()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.stop()
        if kind is None:
            check(self.process.returncode == 0, f"the server ended with {self.process.returncode}: {self.log()}")


def make_directory(folder, data="data"):
    path = os.path.join(folder, data)
    must("init", "--data", path)
    return path
