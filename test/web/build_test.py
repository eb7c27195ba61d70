#!/usr/bin/env python3
"""scripts/web and scripts/embed-files: what they do when there is no Node.js, no network, nothing to do, and any bytes at all.

    build_test.py STET [FUNCTION...]
"""
import json
import os
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from harness import TOP, check, main, test  # noqa: E402

# Stand-ins: they write down that they were called, and do what the real ones would, in small.
NODE = """#!/bin/sh
echo "node $*" >>{folder}/calls
[ "$1" = --version ] && {{ echo {version}; exit 0; }}
case $2 in sdk) out={folder}/tree/web/dist/sdk ;; console) out={folder}/tree/web/console/dist ;; esac
mkdir -p $out
printf '%s' "$2 bytes" >$out/file.js
printf '{{"files": [{{"path": "/%s.js", "file": "file.js", "type": "text/javascript", "hash": "00112233445566778899", "immutable": true}}]}}' $2 >$out/manifest.json
"""
NPM = """#!/bin/sh
echo "npm $*" >>{folder}/calls
{what}
"""
FAILING_NPM = 'echo "npm error code ENOTFOUND" >&2; exit 1'
INSTALLING_NPM = 'mkdir -p node_modules; cp package-lock.json node_modules/.package-lock.json'


def program(folder, name, text):
    os.makedirs(f"{folder}/bin", exist_ok=True)
    with open(f"{folder}/bin/{name}", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(f"{folder}/bin/{name}", stat.S_IRWXU)


def make_tree(folder, node=None, npm=None):
    for name in ("scripts", "web/scripts", "web/client", "web/react", "web/console"):
        os.makedirs(f"{folder}/tree/{name}")
    for name in ("web", "embed-files"):
        shutil.copy(os.path.join(TOP, "scripts", name), f"{folder}/tree/scripts/{name}")
    for name, text in {"web/package.json": "{}", "web/console/main.tsx": "1", "web/tsconfig.json": "{}", "meson.build": "", "LICENSE": "",
                       "web/package-lock.json": json.dumps({"packages": {"": {}, "node_modules/one": {"version": "1.0.0"}}})}.items():
        with open(f"{folder}/tree/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    os.makedirs(f"{folder}/bin")
    if node:
        program(folder, "node", NODE.format(folder=folder, version=node))
    if npm:
        program(folder, "npm", NPM.format(folder=folder, what=npm))
    for name in ("mkdir", "cp", "sh"):
        os.symlink(shutil.which(name), f"{folder}/bin/{name}")


def build(folder, *options):
    done = subprocess.run([sys.executable, f"{folder}/tree/scripts/web", "--embed", f"{folder}/out.c", f"{folder}/out.d", *options],
                          capture_output=True, text=True, env={"PATH": f"{folder}/bin"}, timeout=60, check=False)
    calls = ""
    if os.path.exists(f"{folder}/calls"):
        with open(f"{folder}/calls", encoding="utf-8") as file:
            calls = file.read()
        os.remove(f"{folder}/calls")
    return done, [line for line in calls.splitlines() if line != "node --version"]


def read(name):
    with open(name, encoding="utf-8") as file:
        return file.read()


def check_left_out(folder, done, why):
    check(done.returncode == 0, done)
    check([line for line in done.stdout.splitlines() if "left out" in line and why in line], done.stdout)
    check("asset_count = 0;" in read(f"{folder}/out.c"), read(f"{folder}/out.c"))
    again = read(f"{folder}/out.d").partition(":")[2].split()
    check(len(again) == 1 and not os.path.exists(again[0]), again)  # So that the next build tries again.


@test
def without_node_the_console_is_left_out(folder):
    make_tree(folder)
    done, calls = build(folder)
    check_left_out(folder, done, "there is no Node.js")
    check(calls == [], calls)


@test
def who_insists_is_told_that_it_cannot_be(folder):
    make_tree(folder)
    done, _ = build(folder, "--console", "enabled")
    check(done.returncode == 1 and "there is no Node.js" in done.stderr and not os.path.exists(f"{folder}/out.c"), done)


@test
def a_node_that_is_too_old_leaves_it_out(folder):
    make_tree(folder, node="v18.12.1", npm=INSTALLING_NPM)
    done, calls = build(folder)
    check_left_out(folder, done, "v18.12.1")
    check(calls == [], calls)


@test
def without_a_network_it_is_left_out(folder):
    make_tree(folder, node="v18.13.0", npm=FAILING_NPM)
    done, calls = build(folder)
    check_left_out(folder, done, "npm error code ENOTFOUND")
    check(len(calls) == 1 and calls[0].startswith("npm ci"), calls)


@test
def who_does_not_want_it_gets_none_and_nothing_is_asked(folder):
    make_tree(folder, node="v20.0.0", npm=INSTALLING_NPM)
    done, calls = build(folder, "--console", "disabled")
    check(done.returncode == 0 and calls == [] and "asset_count = 0;" in read(f"{folder}/out.c"), (done, calls))


@test
def only_what_changed_is_built_and_nothing_is_fetched_twice(folder):
    make_tree(folder, node="v20.0.0", npm=INSTALLING_NPM)
    done, calls = build(folder)
    check(done.returncode == 0, done)
    check([call.split()[0] for call in calls] == ["npm", "node", "node"], calls)
    code = read(f"{folder}/out.c")
    check("asset_count = 2;" in code and '"console bytes"' in code and '{"/sdk.js"' in code, code)
    made_from = read(f"{folder}/out.d").replace("\\\n", " ").split()[1:]
    check(f"{folder}/tree/web/console/main.tsx" in made_from and all(map(os.path.exists, made_from)), made_from)
    program(folder, "npm", NPM.format(folder=folder, what=FAILING_NPM))  # From here on there is no network.
    written = os.stat(f"{folder}/out.c").st_mtime_ns
    done, calls = build(folder)
    check(done.returncode == 0 and calls == [] and done.stdout == "", (done, calls))
    check(os.stat(f"{folder}/out.c").st_mtime_ns == written, "it was written again, and would be compiled again")
    with open(f"{folder}/tree/web/console/main.tsx", "w", encoding="utf-8") as file:
        file.write("2")
    done, calls = build(folder)
    check(done.returncode == 0 and calls == ["node scripts/build.mjs console"], (done, calls))
    with open(f"{folder}/tree/web/console/main.test.tsx", "w", encoding="utf-8") as file:
        file.write("a test is in nothing that is served")
    done, calls = build(folder)
    check(done.returncode == 0 and calls == [], (done, calls))


@test
def bytes_come_out_of_c_as_they_went_in(folder):
    every = bytes(range(256)) * 20 + b'??/"\\0123' + b"\0" * 9
    files = {"b.bin": every, "a.bin": b"", "c.bin": every}
    os.makedirs(f"{folder}/files")
    rows = []
    for name, data in files.items():
        with open(f"{folder}/files/{name}", "wb") as file:
            file.write(data)
        rows.append({"path": f"/{name}", "file": name, "type": "x/y", "hash": "0" * 64, "immutable": False})
    with open(f"{folder}/files/a.bin.br", "wb") as file:
        file.write(b"small")
    rows[1]["br"] = 5
    with open(f"{folder}/files/manifest.json", "w", encoding="utf-8") as file:
        json.dump({"files": rows}, file)
    code = subprocess.run([os.path.join(TOP, "scripts", "embed-files"), f"{folder}/files/manifest.json"], capture_output=True, text=True,
                          check=True, timeout=60).stdout
    with open(f"{folder}/files.c", "w", encoding="ascii") as file:
        file.write(code + """
#include <stdio.h>
int main(void) {
    for (unsigned i = 0; i < asset_count; i++)
        for (int form = 0; form < CODING_COUNT; form++) {
            printf("%s %d %zu\\n", assets[i].path, form, assets[i].forms[form].bytes == NULL ? 99999 : assets[i].forms[form].size);
            fwrite(assets[i].forms[form].bytes == NULL ? "" : assets[i].forms[form].bytes, 1, assets[i].forms[form].size, stdout);
        }
}
""")
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{TOP}/src", f"-I{TOP}/include", "-o", f"{folder}/files.run",
                    f"{folder}/files.c"], check=True, timeout=60)
    out = subprocess.run([f"{folder}/files.run"], capture_output=True, check=True, timeout=60).stdout
    wanted = b""
    for name in sorted(files):
        wanted += b"/%s 0 %d\n" % (name.encode(), len(files[name])) + files[name]
        wanted += b"/a.bin 1 5\nsmall" if name == "a.bin" else b"/%s 1 99999\n" % name.encode()
        wanted += b"/%s 2 99999\n" % name.encode()
    check(out == wanted, f"{len(out)} bytes, not {len(wanted)}")
    check(code.count("static const char") == 3, "the same bytes stand there twice")


main()
