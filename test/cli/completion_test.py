#!/usr/bin/env python3
"""stet completion: the shells themselves complete, with what the table says and what a server knows."""
import os
import re
import shutil
import subprocess

from harness import PROGRAM, WAIT_S, Server, check, environment, main, must, refused, test

ZSH = os.environ.get("STET_ZSH") or shutil.which("zsh")


def complete(folder, *words, env=None):
    """What bash offers for the last of these words."""
    script = os.path.join(folder, "completion.bash")
    with open(script, "w", encoding="utf-8") as file:
        file.write(must("completion", "bash").out)
    program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _stet; '
               '[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-u", "-c", program, "bash", script, PROGRAM, *words], capture_output=True, text=True,
                          env=environment(env), cwd=folder, timeout=WAIT_S, check=False)
    check(done.returncode == 0 and done.stderr == "", f"{words}: {done}")
    return done.stdout.splitlines()


@test
def commands_and_options_are_completed(folder):
    help_text = must("help").out.split("Commands:\n")[1].split("\n\n")[0]
    first = {line[2:20].split()[0] for line in help_text.splitlines()}
    check(set(complete(folder, "")) == first | {"--help", "--version"})
    check(complete(folder, "exp") == ["export"])
    check(complete(folder, "types", "a") == ["apply"])
    check(complete(folder, "space", "") == ["list", "create", "delete"])
    check("--base" in complete(folder, "put", "--b") and "--base" not in complete(folder, "get", "--b"))
    check(complete(folder, "types", "put", "--dry") == ["--dry-run"])
    # Behind an option with a value, the value; behind its value, what follows.
    check(complete(folder, "put", "x/1", "--on-conflict", "mer") == ["merge"])
    check(complete(folder, "conflicts", "--state", "o") == ["open", "overwritten"])
    check(complete(folder, "completion", "") == ["bash", "zsh"])
    check(complete(folder, "put", "--base", "") == [])
    check("put" in complete(folder, "help", "p"))


@test
def every_command_has_all_its_options(folder):
    for section in re.split(r"^## ", must("help", "--markdown").out, flags=re.M)[1:]:
        title = section.split("\n", 1)[0]
        name = re.sub(r"^stet ([a-z ]+?)(?: [^a-z].*)?$", r"\1", title)
        if not title.startswith("stet "):
            continue
        offered = complete(folder, *name.split(), "--")
        for option in re.findall(r"^\| `--([a-z-]+)", section, re.M):
            check("--" + option in offered, (name, option, offered))


@test
def files_and_folders_are_completed(folder):
    os.mkdir(os.path.join(folder, "some folder"))
    with open(os.path.join(folder, "some.ndjson"), "w", encoding="utf-8"):
        pass
    check(sorted(complete(folder, "import", "so")) == ["some folder", "some.ndjson"])
    check(complete(folder, "get", "--data", "so") == ["some folder"])


@test
def a_server_is_asked_for_types_and_spaces(folder):
    with Server(folder, "--no-auth") as server:
        path = os.path.join(folder, "type")
        with open(path, "w", encoding="utf-8") as file:
            file.write("{}")
        must("space", "create", "archive", "--url", server.url)
        must("types", "put", "tasks", path, "--url", server.url)
        must("types", "put", "old", path, "--space", "archive", "--url", server.url)
        url = {"STET_URL": server.url}
        check(complete(folder, "list", "t", env=url) == ["tasks"])
        check(complete(folder, "get", "t", env=url) == ["tasks/"])
        check(complete(folder, "list", "--space", "archive", "", env=url) == ["old"])
        check(complete(folder, "list", "--space", "ar", env=url) == ["archive"])
        check(complete(folder, "list", "--url", server.url, "") == ["tasks"])
        check(complete(folder, "tail", "--limit", "3", "t", env=url) == ["tasks"])
    # Nobody there: nothing is offered, and nothing is said.
    check(complete(folder, "list", "t", env=url) == [])
    check(complete(folder, "list", "t") == [])


@test
def zsh_completes_too(folder):
    if not ZSH:
        print("# there is no zsh here: only bash was tried", flush=True)
        return
    script = os.path.join(folder, "_stet")
    with open(script, "w", encoding="utf-8") as file:
        file.write(must("completion", "zsh").out)
    done = subprocess.run([ZSH, "-f", "-n", script], capture_output=True, text=True, timeout=WAIT_S, check=False)
    check(done.returncode == 0 and done.stderr == "", done)
    program = ('compdef() { :; }; compadd() { local one; for one in "$@"; do case "$one" in -S|--|"") ;; *) print -r -- "$one" ;; esac; done; }; '
               '_files() { print -r -- FILES "$@"; }; source "$1"; shift; words=("$@"); CURRENT=$#; _stet')

    def offered(*words):
        ran = subprocess.run([ZSH, "-f", "-c", program, "zsh", script, PROGRAM, *words], capture_output=True, text=True,
                             env=environment(), cwd=folder, timeout=WAIT_S, check=False)
        check(ran.stderr == "", (words, ran))
        return ran.stdout.split()

    check(offered("exp") == ["export"])
    check(offered("types", "a") == ["apply"])
    check(offered("put", "x/1", "--on-conflict", "mer") == ["merge"])
    check(offered("import", "") == ["FILES"])
    check(offered("get", "--data", "") == ["FILES", "-/"])


@test
def other_shells_are_refused(folder):
    check("bash and zsh" in refused(2, "completion", "fish").err)


main()
