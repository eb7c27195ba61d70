#!/usr/bin/env python3
"""Where a thread's time goes: samples of perf, as microseconds of one operation, by part.

    perf record -e cpu-clock -F 1999 -g -p PID -o FILE -- sleep 5     while http_load runs
    bench/where.py FILE http=27.7 sequencer=12.9                      processor time per operation, from http_load's last column

What the kernel does is filed under the system call that asked for it, all else under the innermost function: callers cannot be seen
through libraries that keep no frame pointers.
"""
import collections
import re
import subprocess
import sys

# First match. Against "library:function"; of the kernel against its system call.
PARTS = {
    "http": [
        ("kernel: send", r"kernel:(sendmsg|sendto|write$|writev)"),
        ("kernel: receive", r"kernel:(recv|read$)"),
        ("kernel: epoll", r"kernel:epoll"),
        ("kernel: futex and eventfd", r"kernel:(futex|eventfd)"),
        ("kernel: other", r"kernel:"),
        ("libmicrohttpd", r"libmicrohttpd"),
        ("malloc and free", r":_?_?(_?int_)?(malloc|free|calloc|realloc|cfree|libc_calloc|unlink_chunk|"
                            r"GI___libc_(malloc|free)|arena_get|tcache|sysmalloc|malloc_consolidate)|:_int_"),
        ("copies and clearing", r":__?mem(move|cpy|set)"),
        ("strings of libc", r":__?(str|mem)"),
        ("locks", r":(__)?(pthread_mutex|lll_)"),
        ("parse", r"stet:(doc_parse|parse_|scan_|utf8|string_|number_|json_|document_)"),
        ("hashes", r"(sip|hash)"),
        ("read cache and births", r"stet:(cache_|entry_|births|clock_hand|heads_|apply)"),
        ("command and change", r"stet:(command_|change_|plan_|arena_|stet_|submit|client_|space_|outcome|uuid|key)"),
        ("request, route, answer", r"stet:"),
        ("other", r""),
    ],
    "sequencer": [
        ("kernel: fdatasync", r"kernel:fdatasync"),
        ("kernel: write", r"kernel:(pwrite|write)"),
        ("kernel: read", r"kernel:(pread|read)"),
        ("kernel: other", r"kernel:"),
        ("SQLite", r"sqlite3"),
        ("heads that wait", r"stet:(late_|head)"),
        ("malloc and free", r":_?_?(_?int_)?(malloc|free|calloc|realloc|cfree|libc_calloc|unlink_chunk|arena_get)|:_int_"),
        ("copies and clearing", r":__?mem(move|cpy|set)"),
        ("store", r"stet:(store_|sqlite_|log_|batch_table|bind|commit_|spine|dictionary|row_|append_|read_|checkpoint)"),
        ("decide", r"stet:(decide|heads?_|key|settle|merge|check|staging|policy|receipt|contention|admit)"),
        ("publish and answer", r"stet:(ring|publish|feed_|client_|complete|answer|change_)"),
        ("sequencer, other", r"stet:"),
        ("other", r""),
    ],
}
SYSCALL = re.compile(r"__x64_sys_(\w+)|__sys_(\w+)|__se_sys_(\w+)")


def samples(path):
    """(thread, label) of each sample."""
    text = subprocess.run(["perf", "script", "-i", path, "-F", "comm,ip,sym,dso"], check=True,
                          capture_output=True, text=True, errors="replace").stdout
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if line.strip()]
        if len(lines) < 2:
            continue
        frames = []
        for line in lines[1:]:
            match = re.match(r"\s*[0-9a-f]+ (.*) \((.*)\)$", line)
            if match:
                frames.append((match[1], match[2].rsplit("/", 1)[-1]))
        if not frames:
            continue
        symbol, library = frames[0]
        if "kernel" in library or library.startswith("["):
            call = next((match for name, _ in frames if (match := SYSCALL.search(name))), None)
            label = "kernel:" + (next(filter(None, call.groups())) if call else "interrupts")
            if library.startswith("[vdso"):
                label = "vdso:" + symbol
        else:
            label = library + ":" + symbol
        yield lines[0].strip().split()[0], label


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    shares = {name: float(value) for name, value in (word.split("=") for word in sys.argv[2:])}
    counts = {name: collections.Counter() for name in shares}
    for thread, label in samples(sys.argv[1]):
        if thread in counts:
            counts[thread][label] += 1
    for thread, labels in counts.items():
        total = sum(labels.values())
        parts, inside = collections.Counter(), collections.defaultdict(collections.Counter)
        for label, count in labels.items():
            part = next(name for name, pattern in PARTS[thread] if re.search(pattern, label))
            parts[part] += count
            inside[part][label] += count
        print(f"\n{thread}: {shares[thread]:.1f} µs ({total} samples)\n\n| part | µs | mostly |\n|---|---|---|")
        for part, count in parts.most_common():
            mostly = ", ".join(label.split(":", 1)[1] for label, _ in inside[part].most_common(4))
            print(f"| {part} | {shares[thread] * count / total:.1f} | {mostly} |")


if __name__ == "__main__":
    main()
