#!/usr/bin/env python3
"""The systemd units: systemd accepts them, and a server works under what they forbid. Needs no running systemd."""
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from harness import PROGRAM, TOP, WAIT_S, check, check_has, environment, main, must, test, wait_for  # noqa: E402

UNITS = os.path.join(TOP, "ops", "systemd")
SCORE_MAX = 1.5
AUDIT_ARCH_X86_64 = 0xC000003E
NOBODY = 65534


def unit(name):
    with open(os.path.join(UNITS, name), encoding="utf-8") as file:
        return file.read()


def values(text, key):
    return re.findall(rf"^{key}=(.*)$", text, re.M)


def skip(words):
    print(f"# {words}", flush=True)


def install(folder):
    """The units as make install writes them, for this program."""
    with open(os.path.join(folder, "stet.service"), "w", encoding="utf-8") as file:
        file.write(unit("stet.service").replace("@BINDIR@/stet", PROGRAM))
    shutil.copy(os.path.join(UNITS, "stet.socket"), folder)


def analyze(*arguments, folder):
    if shutil.which("systemd-analyze") is None:
        return None
    return subprocess.run(["systemd-analyze", *arguments], cwd=folder, capture_output=True, text=True, timeout=WAIT_S * 3,
                          check=False, env=environment({"SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}))


@test
def systemd_accepts_the_units(folder):
    install(folder)
    done = analyze("verify", "--man=no", "./stet.service", "./stet.socket", folder=folder)
    if done is None:
        return skip("systemd-analyze is missing, so nobody verified the units")
    check(done.returncode == 0 and done.stderr.strip() == "", f"{done.returncode} {done.stdout} {done.stderr}")
    with open(os.path.join(folder, "stet.service"), "a", encoding="utf-8") as file:
        file.write("\n[Service]\nNoSuchSetting=1\n")
    broken = analyze("verify", "--man=no", "./stet.service", folder=folder)
    check("NoSuchSetting" in broken.stderr, f"a mistake goes unnoticed: {broken}")
    return None


@test
def little_is_exposed(folder):
    install(folder)
    done = analyze("security", "--offline=true", "./stet.service", folder=folder)
    if done is None:
        return skip("systemd-analyze is missing, so nobody rated the unit")
    found = re.search(r"Overall exposure level for stet\.service: ([0-9.]+)", done.stdout)
    check(found, done)
    check(float(found.group(1)) <= SCORE_MAX, found.group(0))
    return None


@test
def the_user_of_the_unit_can_be_made(folder):
    if shutil.which("systemd-sysusers") is None:
        return skip("systemd-sysusers is missing, so nobody made the user")
    os.mkdir(os.path.join(folder, "etc"))
    path = os.path.join(UNITS, "stet.sysusers")
    done = subprocess.run(["systemd-sysusers", f"--root={folder}", path], capture_output=True, text=True, timeout=WAIT_S,
                          check=False)
    check(done.returncode == 0, done)
    with open(os.path.join(folder, "etc", "passwd"), encoding="utf-8") as file:
        check_has(file.read(), r"^stet:.*:/var/lib/stet:/usr/sbin/nologin")
    check(values(unit("stet.service"), "User") == ["stet"])
    return None


# ---- Under what the unit forbids ----

def filter_sets(folder):
    """The system calls of every set that systemd knows, sets within sets resolved."""
    listed = analyze("syscall-filter", folder=folder)
    sets, current = {}, None
    for line in listed.stdout.splitlines():
        word = line.strip().split(" ")[0] if line.strip() else ""
        if line.startswith("@"):
            current = sets.setdefault(word, set())
        elif line.startswith("    ") and current is not None and word and not word.startswith("#"):
            current.add(word)

    def resolve(name):
        return set().union(*(resolve(part) if part.startswith("@") else {part} for part in sets[name]))

    return {name: resolve(name) for name in sets}


def allowed_calls(folder):
    sets = filter_sets(folder)
    allowed = set(sets["@default"])
    for line in values(unit("stet.service"), "SystemCallFilter"):
        names = line.lstrip("~").split()
        calls = set().union(*(sets[name] if name.startswith("@") else {name} for name in names))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def call_numbers():
    done = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], capture_output=True,
                          text=True, check=True, timeout=WAIT_S)
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)$", done.stdout, re.M)}


def seccomp_program(folder):
    """What systemd makes of the unit, but that a forbidden call ends the process instead of failing unnoticed."""
    numbers = call_numbers()
    families = [getattr(socket, name) for name in values(unit("stet.service"), "RestrictAddressFamilies")[0].split()]
    load, jump_equal, answer = 0x20, 0x15, 0x06
    allow, kill = 0x7FFF0000, 0x80000000
    program = [(load, 0, 0, 4), (jump_equal, 1, 0, AUDIT_ARCH_X86_64), (answer, 0, 0, kill), (load, 0, 0, 0)]
    for name in sorted(allowed_calls(folder) - {"socket"}):
        if name in numbers:
            program += [(jump_equal, 0, 1, numbers[name]), (answer, 0, 0, allow)]
    program += [(jump_equal, 1, 0, numbers["socket"]), (answer, 0, 0, kill), (load, 0, 0, 16)]
    for family in families:
        program += [(jump_equal, 0, 1, int(family)), (answer, 0, 0, allow)]
    program += [(answer, 0, 0, kill)]
    return b"".join(struct.pack("HBBI", *step) for step in program), len(program)


def forbid(folder, user=None):
    """To be called between fork and exec. With a user: becomes it, and so loses all capabilities."""
    code, count = seccomp_program(folder)

    def apply():
        libc = ctypes.CDLL(None, use_errno=True)
        space = ctypes.create_string_buffer(code)
        header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", count, ctypes.addressof(space)))
        if user is not None:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        os.umask(int(values(unit("stet.service"), "UMask")[0], 8))
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, header, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    return apply


def cannot_forbid():
    if os.uname().machine != "x86_64":
        return "the test knows the numbers of system calls on x86-64 only"
    if os.environ.get("STET_SANITIZER"):
        return "a sanitizer makes system calls of its own"
    if shutil.which("systemd-analyze") is None:
        return "systemd-analyze is missing, which knows what the unit forbids"
    return None


@contextlib.contextmanager
def restricted(folder):
    data, url_file = os.path.join(folder, "own"), os.path.join(folder, "own", "url")
    os.mkdir(data, 0o700)
    os.chmod(folder, 0o755)
    if os.geteuid() == 0:
        os.chown(data, NOBODY, NOBODY)
    program = os.path.join(folder, "stet")
    shutil.copy(PROGRAM, program)  # Who has no privileges may not be able to reach the build folder.
    log = os.path.join(folder, "log")
    with open(log, "wb") as out:
        process = subprocess.Popen([program, "serve", "--data", os.path.join(data, "data"), "--listen",
                                    "127.0.0.1:0", "--no-auth", "--url-file", url_file], stdout=out, stderr=out,
                                   preexec_fn=forbid(folder, NOBODY if os.geteuid() == 0 else None), env=environment())

    def listens():
        if process.poll() is not None:
            with open(log, encoding="utf-8") as file:
                raise AssertionError(f"it ended with {process.returncode}: {file.read()}")
        return os.path.exists(url_file)

    try:
        wait_for(listens, "the server to listen")
        with open(url_file, encoding="utf-8") as file:
            yield process, file.read(), os.path.join(data, "data")
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=WAIT_S)


@test
def a_server_works_under_the_units_restrictions(folder):
    why = cannot_forbid()
    if why is not None:
        return skip(why)
    with restricted(folder) as (process, url, data):
        said = must("simulate", "--seconds", "2", "--users", "20", "--url", url, "--json").json
        check(said["passed"] and said["operations"]["writes"]["done"] > 50, said)
        must("space", "create", "team", "--url", url)
        must("put", "a/1", "{}", "--space", "team", "--url", url)
        must("list", "a", "--space", "team", "--url", url)
        must("check", "--url", url)
        must("space", "delete", "team", "--url", url)
        with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
            status = file.read()
        check_has(status, r"Seccomp:\s+2\n")
        if os.geteuid() == 0:
            check_has(status, r"CapEff:\s+0+\n")
            for name in os.listdir(data):
                mode = os.stat(os.path.join(data, name)).st_mode & 0o077
                check(mode == 0, f"{name} can be read by others: {mode:o}")
        process.send_signal(signal.SIGTERM)
        check(process.wait(timeout=WAIT_S) == 0, process.returncode)
    return None


@test
def what_the_unit_forbids_is_really_forbidden(folder):
    why = cannot_forbid()
    if why is not None:
        return skip(why)
    for what in ("import os; os.mount if hasattr(os, 'mount') else None; import ctypes; "
                 "ctypes.CDLL(None).mount(b'/', b'/', None, 4096, None)",
                 "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"):
        done = subprocess.run([sys.executable, "-c", what], preexec_fn=forbid(folder), capture_output=True, timeout=WAIT_S,
                              check=False)
        check(done.returncode == -signal.SIGSYS, f"{what}: {done}")
    return None


main()
