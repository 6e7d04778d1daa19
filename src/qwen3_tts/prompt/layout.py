"""Prompt layout: what the talker reads before the first frame, as a grid of ids.

Each position of the talker's input is `text embedding + sum of code embeddings`, so a prompt is one
text id and up to K code ids per position. One position may take the speaker vector in place of
codes. No tensors and no model here: the same grid feeds inference, training and tests.

    position   0 1 2 | 3     4      5       6       | 7        ...
    text       role  | pad   pad    pad     bos     | t0       ...
    code 0     -     | think begin  end     speaker | pad/bos  ...
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from qwen3_tts.config import CheckpointConfig

Frame = Sequence[int]


@dataclass(frozen=True)
class TokenIds:
    """Special ids of one checkpoint."""

    role: tuple[int, ...]  # "<|im_start|>assistant\n"
    tts_pad: int
    tts_bos: int
    tts_eos: int
    codec_pad: int
    codec_bos: int
    think: int
    nothink: int
    think_bos: int
    think_eos: int

    @staticmethod
    def of(config: CheckpointConfig, role: Sequence[int]) -> "TokenIds":
        talker = config.talker_config
        return TokenIds(
            role=tuple(role),
            tts_pad=config.tts_pad_token_id,
            tts_bos=config.tts_bos_token_id,
            tts_eos=config.tts_eos_token_id,
            codec_pad=talker.codec_pad_id,
            codec_bos=talker.codec_bos_id,
            think=talker.codec_think_id,
            nothink=talker.codec_nothink_id,
            think_bos=talker.codec_think_bos_id,
            think_eos=talker.codec_think_eos_id,
        )


@dataclass
class Prompt:
    text_ids: list[int] = field(default_factory=list)  # [S]
    codes: list[Frame] = field(default_factory=list)  # [S][<= K], code groups from 0
    speaker_at: int | None = None  # position that takes the speaker vector
    trailing: list[int] = field(default_factory=list)  # text ids fed one per frame, then tts_pad

    def __len__(self) -> int:
        return len(self.text_ids)

    def add(self, text_id: int, *codes: int) -> None:
        self.text_ids.append(text_id)
        self.codes.append(codes)


@dataclass(frozen=True)
class Speaker:
    """Who speaks: a preset's id, or a vector in that place, maybe with an in-context reference."""

    preset_id: int | None = None
    vector: bool = False
    ref_text: Sequence[int] = ()
    ref_codes: Sequence[Frame] = ()


@dataclass
class OpenPrompt:
    """A prompt read one text token per frame, whose text may still be arriving.

    `prompt` grows as positions become certain; once `complete`, all further text is `trailing`.
    """

    ids: TokenIds
    prompt: Prompt
    frames: list[Frame]  # code side of the positions still to lay out: begin of speech, reference
    spoken: list[int]  # reference text, then the text so far, then the end of text
    ended: bool = False
    laid_out: int = 0  # how many of `frames` are in the prompt

    def feed(self, text: Sequence[int]) -> None:
        """More text ids."""
        assert not self.ended, "text after its end"
        self.spoken += text
        self._lay_out()

    def end(self) -> None:
        """No more text comes: the model may end the speech when it has read all."""
        if not self.ended:
            self.spoken.append(self.ids.tts_eos)
            self.ended = True
            self._lay_out()

    @property
    def complete(self) -> bool:
        return self.laid_out == len(self.frames)

    @property
    def trailing(self) -> list[int]:
        """Text ids fed one per frame so far; after the end, padding follows."""
        return self.spoken[len(self.frames) :]

    def _lay_out(self) -> None:
        limit = len(self.frames) if self.ended else min(len(self.frames), len(self.spoken))
        for i in range(self.laid_out, limit):
            text_id = self.spoken[i] if i < len(self.spoken) else self.ids.tts_pad
            self.prompt.add(text_id, *self.frames[i])
        self.laid_out = max(limit, self.laid_out)


def open_prompt(
    ids: TokenIds,
    *,
    speaker: Speaker,
    instruct: Sequence[int] = (),
    language: int | None = None,
) -> OpenPrompt:
    """Lay out a request whose text is fed later, one token per frame.

    `language` is the checkpoint's language id, None for auto.
    """
    prompt = _opening(ids, speaker, instruct, language)
    frames: list[Frame] = [(ids.codec_bos,), *speaker.ref_codes]
    opened = OpenPrompt(ids, prompt, frames, [])
    opened.feed(speaker.ref_text)
    return opened


def closed_text(ids: TokenIds, prompt: Prompt) -> OpenPrompt:
    """A prompt whose text is all there, in the shape of one whose text was fed."""
    return OpenPrompt(ids, prompt, frames=[], spoken=list(prompt.trailing), ended=True)


def build_prompt(
    ids: TokenIds,
    text: Sequence[int],
    *,
    speaker: Speaker,
    instruct: Sequence[int] = (),
    language: int | None = None,
    text_first: bool = False,
) -> Prompt:
    """Lay out one request.

    `language` is the checkpoint's language id, None for auto. `text_first` puts the whole text
    before the first frame; otherwise one text token goes in with each frame.
    """
    if not text_first:
        opened = open_prompt(ids, speaker=speaker, instruct=instruct, language=language)
        opened.feed(text)
        opened.end()
        opened.prompt.trailing = opened.trailing
        return opened.prompt
    prompt = _opening(ids, speaker, instruct, language)
    for token in (*speaker.ref_text, *text, ids.tts_eos):
        prompt.add(token, ids.codec_pad)
    for codes in ((ids.codec_bos,), *speaker.ref_codes):
        prompt.add(ids.tts_pad, *codes)
    return prompt


def _opening(
    ids: TokenIds, speaker: Speaker, instruct: Sequence[int], language: int | None
) -> Prompt:
    """Instruction, role, language tags, the speaker, and the pad that announces the text."""
    prompt = Prompt()
    for token in (*instruct, *ids.role):
        prompt.add(token)
    _add_control(prompt, ids, speaker, language)
    return prompt


def _add_control(prompt: Prompt, ids: TokenIds, speaker: Speaker, language: int | None) -> None:
    """Language tags, the speaker, and the pad that announces the text."""
    tags: tuple[int, ...] = (ids.nothink, ids.think_bos, ids.think_eos)
    if language is not None:
        tags = (ids.think, ids.think_bos, language, ids.think_eos)
    for tag in tags:
        prompt.add(ids.tts_pad, tag)
    if speaker.vector:
        prompt.speaker_at = len(prompt)
        prompt.add(ids.tts_pad)
    elif speaker.preset_id is not None:
        prompt.add(ids.tts_pad, speaker.preset_id)
    prompt.add(ids.tts_bos, ids.codec_pad)
