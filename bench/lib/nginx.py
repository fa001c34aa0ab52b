"""What every nginx of the bench has in common."""

import os

FRAME = """
{user}worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log warn;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000;
  map_hash_max_size 16384; map_hash_bucket_size 256;
  client_body_temp_path {directory}/client; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
{servers}
}}
"""


def settings(directory, servers):
    """Writes nginx.conf into the directory, which is made, and returns its path.

    One worker, as it gets one core. Apart from what a bench needs (no access log, connections that live for ever) it has
    Debian's settings: sendfile, tcp_nopush; no open_file_cache, no thread pool.
    """
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "nginx.conf")
    with open(path, "w") as file:
        # Without it, root's workers become `nobody` and cannot read what is not theirs.
        user = "user root; " if os.geteuid() == 0 else ""
        file.write(FRAME.format(user=user, directory=directory, servers=servers))
    return path


def command(path):
    return ["nginx", "-c", path, "-e", os.path.join(os.path.dirname(path), "error.log")]


def listen(port, tls):
    """The directives that listen, with TLS where there is a certificate and its key."""
    if not tls:
        return f"listen 127.0.0.1:{port};"
    return f"listen 127.0.0.1:{port} ssl; ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key};"
