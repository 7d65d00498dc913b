"""The web page of ``karyo serve``: images in, classes with their doubts out, for people.

One template and plain ES modules beside it; no build step and nothing from another host. The page talks to the same
HTTP API as every other client, so it can show nothing that the API does not say.
"""

from karyo.web.page.blueprint import page

__all__ = ["page"]
