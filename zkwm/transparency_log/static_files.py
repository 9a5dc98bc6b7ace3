"""The read path of a log over HTTP: checkpoint and tiles, as any web server would hand them out.

A tile is served once its tree is signed, and never changes: caches may keep it for good.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from zkwm.transparency_log.http_server import Message, Reply, problem
from zkwm.transparency_log.tile_folder import CHECKPOINT, WITNESSED, TileFolder
from zkwm_protocols.errors import CouldNotCheck, Malformed
from zkwm_protocols.transparency.tiles import WIDTH, Tile, width_of

_IMMUTABLE = (b"cache-control", b"public, max-age=31536000, immutable")
_FRESH = (b"cache-control", b"no-cache")
_ANYBODY = (b"access-control-allow-origin", b"*")
_CACHED_BYTES = 64 * 2**20


class StaticFiles:
    """Answers to GET and HEAD of a log's files.

    Args:
        files: the log's public folder.
        size: gives the size of the tree that was signed last.
    """

    def __init__(self, files: TileFolder, size: Callable[[], int]) -> None:
        self._files = files
        self._size = size
        self._cache: OrderedDict[str, Reply] = OrderedDict()
        self._cached = 0

    def answer(self, scope: Message) -> Reply | None:
        """The answer to a request; None where the path is none of the log's files."""
        path = str(scope["path"])[1:]
        if path not in (CHECKPOINT, WITNESSED) and not path.startswith("tile/"):
            return None
        if scope["method"] not in ("GET", "HEAD"):
            return problem(405, "files of a log are read with GET")
        try:
            return self._tile(path) if path.startswith("tile/") else self._checkpoint(path)
        except CouldNotCheck:
            return problem(404, "the log has no such file")

    def _checkpoint(self, name: str) -> Reply:
        """A checkpoint. Raises CouldNotCheck."""
        content = self._files.checkpoint(name)
        if content is None:
            raise CouldNotCheck("no such checkpoint")
        return Reply(200, content, "text/plain; charset=utf-8", (_FRESH, _ANYBODY))

    def _tile(self, path: str) -> Reply:
        """A tile of the signed tree. Raises CouldNotCheck."""
        cached = self._cache.get(path)
        if cached is not None:
            self._cache.move_to_end(path)
            return cached
        tile = Tile.from_path(path)
        if width_of(tile.level, tile.index, self._size()) < tile.width:
            raise Malformed("not yet")
        content = self._files.read(tile)
        reply = Reply(200, content, "application/octet-stream", (_IMMUTABLE, _ANYBODY))
        if tile.width == WIDTH:
            self._keep(path, reply)
        return reply

    def _keep(self, path: str, reply: Reply) -> None:
        """Keep a full tile in memory; those that were not asked for longest go."""
        self._cache[path] = reply
        self._cached += len(reply.content)
        while self._cached > _CACHED_BYTES:
            _, gone = self._cache.popitem(last=False)
            self._cached -= len(gone.content)
