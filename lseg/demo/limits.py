"""What a visitor may ask for: everything that takes memory or time has a bound."""

from dataclasses import dataclass

from lseg.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Bounds of one running demo.

    Attributes:
        upload_bytes: Size of a picture's file.
        pixels: Width times height of a picture; looked at before it is decoded.
        labels: Number of labels in one question.
        characters: Length of one label, synonyms included.
        prompts: How many different label names are remembered.
        cache_bytes: Encoded pictures that are kept, all users together.
        disk_bytes: Uploads and results on the disk; beyond that, the oldest are deleted.
        queue: Questions that wait; more are turned away.
        concurrency: Questions that are answered at once, of the page and of the API each.
        shown_side: Longer side, in pixels, of what the page shows.
        examples: What a visitor may teach at once.
        memory_bytes: Of one visitor's examples.
        memories: Visitors whose examples are kept; who was away longest is forgotten first.
        idle: Seconds after which a visitor's examples are forgotten.
        grace: Seconds after which they are forgotten once the page was left.
        points: Of one example.
        embedding_side: Longest side of the pixel embeddings that the API gives.
        embedding_aspect: How much longer than wide they may be at the network's own size.
    """

    upload_bytes: int = 20 * 2**20
    pixels: int = 25_000_000
    labels: int = 100
    characters: int = 200
    prompts: int = 5000
    cache_bytes: int = 512 * 2**20
    disk_bytes: int = 2**30
    queue: int = 64
    concurrency: int = 4
    shown_side: int = 1024
    examples: int = 60
    memory_bytes: int = 8 * 2**20
    memories: int = 32
    idle: int = 1800
    grace: int = 300
    points: int = 1000
    embedding_side: int = 480
    embedding_aspect: int = 3

    def __post_init__(self) -> None:
        """Refuses values out of range."""
        for name, value in vars(self).items():
            if value < 1:
                raise ConfigError(f"{name} is {value}: every limit of the demo must be 1 or more")
