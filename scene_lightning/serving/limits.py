"""What a server accepts at most, and the answer to a request that it refuses."""

from __future__ import annotations

from dataclasses import dataclass

from scene_lightning.errors import SceneLightningError

MEGABYTE = 10**6


@dataclass(frozen=True)
class Limits:
    """What a server accepts at most; beyond it a request is refused, and the others do not notice.

    Attributes:
        upload_bytes: of one request's body.
        files: photographs in one request.
        pixels: of one photograph.
        seconds_for_headers: until a client has sent a request's headers.
        seconds_for_body: until it has sent the body.
        seconds_to_decode: for one photograph.
        seconds_to_answer: from a photograph's arrival to its probabilities.
        images_under_way: photographs that are being decoded or wait for the model, of all requests together.
        bytes_under_way: bodies in memory, of all requests together.
        share_of_a_client: of these two that one client, by its address, may have.
        connections: that are open at once.
        seconds_to_stop: for the requests under way when the server is told to stop.
    """

    upload_bytes: int = 32 * MEGABYTE
    files: int = 32
    pixels: int = 50_000_000
    seconds_for_headers: float = 10.0
    seconds_for_body: float = 30.0
    seconds_to_decode: float = 10.0
    seconds_to_answer: float = 30.0
    images_under_way: int = 256
    bytes_under_way: int = 512 * MEGABYTE
    share_of_a_client: float = 0.75
    connections: int = 1000
    seconds_to_stop: float = 8.0


class RefusedError(SceneLightningError):
    """A request or a photograph that is not answered; what was expected, what came, and the cure.

    Args:
        status: of HTTP.
        expected: what would have been right, as a sentence.
        received: what came, as a sentence.
        cure: what to do, as a sentence.
    """

    def __init__(self, status: int, expected: str, received: str, cure: str) -> None:
        super().__init__(status, expected, received, cure)  # all of them: it is pickled on its way from a decoder
        self.status, self.expected, self.received, self.cure = status, expected, received, cure

    def as_dict(self) -> dict[str, str]:
        """What the response says."""
        return {"expected": self.expected, "received": self.received, "cure": self.cure}


def in_megabytes(size_bytes: int) -> str:
    """A size for people, such as "32 MB".

    Args:
        size_bytes: the size.
    """
    return f"{size_bytes / MEGABYTE:.3g} MB"
