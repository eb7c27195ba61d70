#!/usr/bin/env python3
"""ops/nginx.conf with the real nginx, on loopback."""
import os
import shutil
import subprocess
import sys

import proxies

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")

# What a distribution's nginx.conf brings around a site.
AROUND = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/proxy.log info;
events {{ worker_connections 256; }}
http {{
    access_log off;
    gzip on;
    gzip_types *;
    gzip_proxied any;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""


def start(behind, upstream, base):
    plain = proxies.free_port()
    site = proxies.replaced(
        proxies.read_ops("nginx.conf"), ("127.0.0.1:7838", upstream), ("listen 443", f"listen 127.0.0.1:{behind.port}"),
        ("listen [::]:443", f"listen [::1]:{behind.port}"), ("listen 80", f"listen 127.0.0.1:{plain}"),
        ("listen [::]:80", f"listen [::1]:{plain}"), ("server_name stet.example.org", "server_name localhost"),
        ("/etc/ssl/stet/cert.pem", behind.cert), ("/etc/ssl/stet/key.pem", behind.key))
    if base:
        site = proxies.replaced(site, ("location / {", f"location {base}/ {{"), ("location ~ ^/v1", f"location ~ ^{base}/v1"))
    config = os.path.join(behind.folder, "nginx.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(AROUND.format(folder=behind.folder, site=site, user="user root;" if os.geteuid() == 0 else ""))
    log = os.path.join(behind.folder, "proxy.log")
    checked = subprocess.run([NGINX, "-t", "-q", "-c", config, "-p", behind.folder, "-e", log], capture_output=True, text=True,
                             timeout=proxies.WAIT_S, check=False)
    proxies.check(checked.returncode == 0 and "warn" not in checked.stderr, checked.stderr)
    return subprocess.Popen([NGINX, "-c", config, "-p", behind.folder, "-e", log])


if NGINX is None:
    print("# nginx is missing: scripts/setup installs it")
    sys.exit(77)
proxies.run(start)
