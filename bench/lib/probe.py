"""Single requests, for checking and counting; what is timed goes through a load generator."""

import hashlib
import http.client
import ssl
from dataclasses import dataclass, field

from lib.dataset import MANIFEST_TYPE

HEADERS = {"Accept": MANIFEST_TYPE}


@dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    length: int
    digest: str
    start: bytes = field(repr=False)  # the first MiB of the body


def trusting():
    """A TLS context that asks nothing of the certificate, which is the bench's own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def request(port, path, method="GET", headers=None, tls=False, timeout=120):
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=trusting())
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, headers=HEADERS | (headers or {}))
        response = connection.getresponse()
        hasher, length, start = hashlib.sha256(), 0, b""
        while piece := response.read(1 << 20):
            hasher.update(piece)
            length += len(piece)
            start = start or piece
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, length, "sha256:" + hasher.hexdigest(), start)
    except http.client.HTTPException as error:
        raise OSError(f"{path}: {error!r}") from error
    finally:
        connection.close()
