"""``karyo serve``: the web page and the HTTP API of a model."""

import os
from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path, typer.Argument(help="A file that karyo export wrote.", show_default=False)],
    host: Annotated[str | None, typer.Option(help="Address to listen at; 127.0.0.1.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port; 8000; 0 for any free one.", show_default=False)] = None,
    threads: Annotated[int | None, typer.Option(help="Requests handled at a time; 16.", show_default=False)] = None,
    network_threads: Annotated[
        int | None, typer.Option(help="Threads of the network; as many as there are cores.", show_default=False)
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Images in a batch at most; 32.", show_default=False)] = None,
    max_upload_mb: Annotated[int | None, typer.Option(help="Largest request in MiB; 32.", show_default=False)] = None,
    max_images: Annotated[int | None, typer.Option(help="Images in one request; 128.", show_default=False)] = None,
    max_pixels: Annotated[
        int | None, typer.Option(help="Width times height of one image; 4,194,304.", show_default=False)
    ] = None,
    request_timeout: Annotated[
        float | None, typer.Option(help="Seconds for a request to arrive; 30.", show_default=False)
    ] = None,
    grace: Annotated[
        float | None, typer.Option(help="Seconds to finish in when told to stop; 20.", show_default=False)
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with the key that clients must send.", show_default=False)
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="A web page's origin that may use the API; repeatable.", show_default=False)
    ] = None,
    metrics: Annotated[bool | None, typer.Option(help="Serve /metrics; yes.", show_default=False)] = None,
    explanations: Annotated[
        bool | None, typer.Option(help="Serve /api/v1/explain where torch is installed; yes.", show_default=False)
    ] = None,
    access_log: Annotated[
        str | None, typer.Option(help="File of the access log; - for standard error; off.", show_default=False)
    ] = None,
    trusted_proxy: Annotated[
        str | None, typer.Option(help="Proxy whose X-Forwarded-For is believed.", show_default=False)
    ] = None,
) -> None:
    """Serve a model: a web page and an HTTP API.

    Every option can also be set by a variable, KARYO_PORT for --port; the option wins. The API key is read from a file
    or from KARYO_API_KEY, never from the command line, where everybody on the machine could read it.
    """
    flags = {name: value for name, value in locals().items() if name not in ("model", "cors_origin")}
    from karyo.web.server import serve as run
    from karyo.web.settings import ServerSettings

    if cors_origin:
        flags["cors_origins"] = tuple(cors_origin)
    run(model, ServerSettings.gather(flags, os.environ))
