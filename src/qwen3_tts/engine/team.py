"""How many CPU threads the loop and the codec's decoder use, alone and beside each other."""

from dataclasses import dataclass


@dataclass
class Team:
    """One core reads weights nearly as fast as memory gives them, so the loop loses little when it
    leaves half of the cores to a decode; alone, either uses all of them."""

    threads: int = 1
    busy: bool = False  # a chunk is being decoded beside the loop

    @property
    def shared(self) -> bool:
        """Whether a decode can go on beside the loop."""
        return self.threads > 1

    @property
    def loop_threads(self) -> int:
        return self.threads - self.threads // 2 if self.busy else self.threads

    @property
    def codec_threads(self) -> int:
        return self.threads // 2 if self.busy else self.threads
