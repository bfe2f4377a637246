"""What the full code of an image is made of that was compiled quickly. Pure data, in memory and as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from sardonyx.base.dataclass import dataclass
from sardonyx.base.named import NamedTuple


class Part(NamedTuple):
    """A module: the text that is to be compiled in full, or the object where that is there already.

    `key` is that of its full object in the cache.
    """

    key: str
    is_text: bool
    content: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """The modules of an image, in the order in which they are linked."""

    parts: Sequence[Part]

    def to_bytes(self) -> Iterator[bytes]:
        """Pieces of one blob: a line that says what follows, and the contents."""
        import json

        rows = [(part.key, part.is_text, len(part.content)) for part in self.parts]
        yield json.dumps(rows).encode() + b"\n"
        yield from (part.content for part in self.parts)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Draft:
        """The draft of a blob made of `to_bytes`. Raises ValueError or TypeError if it is not one."""
        import json

        head, _, contents = blob.partition(b"\n")
        rows = json.loads(head)
        ends = list(accumulate((size for _, _, size in rows), initial=0))
        if ends[-1] != len(contents):
            raise ValueError("not a draft: the sizes do not fit")
        return cls(
            [
                Part(key, is_text, contents[begin:end])
                for (key, is_text, _), (begin, end) in zip(rows, pairwise(ends), strict=True)
            ]
        )
