#!/usr/bin/env python3
"""ops/Caddyfile with the real Caddy, on loopback; with a certificate of the test's own, for there is nobody to ask for one."""
import os
import shutil
import subprocess
import sys

import proxies

CADDY = shutil.which("caddy")


def start(behind, upstream, base):
    site = proxies.replaced(
        proxies.read_ops("Caddyfile"), ("stet.example.org {", f"https://localhost:{behind.port} {{\n\ttls {behind.cert} {behind.key}"),
        ("reverse_proxy 127.0.0.1:7838 {", f"reverse_proxy {base + '/* ' if base else ''}{upstream} {{"))
    config = os.path.join(behind.folder, "Caddyfile")
    with open(config, "w", encoding="utf-8") as file:
        file.write("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site)
    home = {"HOME": behind.folder, "XDG_DATA_HOME": behind.folder, "XDG_CONFIG_HOME": behind.folder}
    log = os.path.join(behind.folder, "proxy.log")
    arguments = ["--config", config, "--adapter", "caddyfile"]
    checked = subprocess.run([CADDY, "validate", *arguments], capture_output=True, text=True, timeout=proxies.WAIT_S,
                             check=False, env=proxies.environment(home))
    proxies.check(checked.returncode == 0, checked.stderr)
    with open(log, "wb") as out:
        return subprocess.Popen([CADDY, "run", *arguments], stdout=out, stderr=out, env=proxies.environment(home))


if CADDY is None:
    print("# caddy is missing: scripts/setup installs it")
    sys.exit(77)
proxies.run(start)
