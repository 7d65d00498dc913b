"""Clients of the serving benchmark, in a process of their own: how long requests take, and how many are answered.

Run as ``python clients.py URL IMAGE CLIENTS SECONDS``; prints ``requests seconds p50`` (milliseconds). Each client
keeps its connection for as long as the server lets it, as a laboratory's program would.
"""

import http.client
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

_BOUNDARY = "karyo-benchmark"


def main(url: str, image: str, clients: str, seconds: str) -> None:
    """Send requests and print what came of them."""
    body = _multipart(Path(image).read_bytes())
    place = urlsplit(url)
    began = time.perf_counter()
    until = began + float(seconds)
    with ThreadPoolExecutor(int(clients)) as pool:
        each = [pool.submit(_client, place.netloc, place.path, body, until) for _ in range(int(clients))]
        times = [spent for client in each for spent in client.result()]
    elapsed = time.perf_counter() - began
    print(len(times), elapsed, 1000 * statistics.median(times))


def _client(server: str, path: str, body: bytes, until: float) -> list[float]:
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection = http.client.HTTPConnection(server, timeout=60)
    times = []
    while time.perf_counter() < until:
        start = time.perf_counter()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        times.append(time.perf_counter() - start)
    connection.close()
    return times


def _multipart(image: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
    return f"{head}Content-Type: image/png\r\n\r\n".encode() + image + f"\r\n--{_BOUNDARY}--\r\n".encode()


if __name__ == "__main__":
    main(*sys.argv[1:])
