"""Listen to a checkpoint: does it say the words, end by itself, sound like its teacher?

    python validation/listen.py --model FOLDER [--voice NAME] [--teacher rms] [--limit 20]
    python validation/listen.py --what teacher

Every sentence is spoken by the teacher (flite), taken through the codec's own encoder and decoder,
and spoken by the checkpoint in both text orders with its default sampling; the same recogniser
(pocketsphinx) hears them all. `--codes` adds codes that were made some other way. Prints a table,
the sentences understood worst, and one JSON line last. Columns:

word error   wrong words over words meant, and what other sentences of this kind would give (95 %)
all right    share of sentences without a wrong word
cepstral dB  mel-cepstral distance to the teacher (`listening.spectra`), aligned in time
duration     over the teacher's, without the quiet at both ends
ends         share that the model ended itself, within 1.5 times the teacher's duration
guards       sentences in which a guard against runaway speech fired
speaker      likeness to the teacher's voice, and share that is no nearer to another of flite's
             (`listening.speakers`: a plain score, or the speaker encoder of a base checkpoint)
x realtime   seconds of sound for a second of work
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from listening import pictures, score, teacher, ways
from listening.recogniser import hear_all, word_error
from listening.score import Condition, Take
from listening.speakers import Speakers, by_cepstra, by_encoder
from listening.words import word_errors
from rich.console import Console
from rich.table import Table

import qwen3_tts
from qwen3_tts.audio.files import Wave, write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.types import Sampling

__all__ = ["Report", "listen", "word_error"]

WHAT = ("teacher", "resynthesis", "encoder", "speech")
VOICE_SENTENCES = 20  # of every voice of the teacher, to know it by
FIRST, WORST = 8, 4  # pictures of the first sentences and of those understood worst


@dataclass(frozen=True, eq=False)
class Report:
    """The sentences spoken every way; `taught` is what the others are held against."""

    texts: list[str]
    taught: list[Wave]
    conditions: list[Condition]

    def figures(self) -> dict[str, dict[str, Any]]:
        """Figures by the name of the condition."""
        return {c.name: score.summary(c, self.texts, self.taught) for c in self.conditions}

    def worst(self, condition: Condition) -> list[int]:
        """Sentences by the share of their words that went wrong, the worst first."""
        pairs = zip(self.texts, condition.heard, strict=True)
        rates = np.array([word_errors(said, heard).rate for said, heard in pairs])
        return [int(i) for i in np.argsort(-rates, kind="stable")]


def listen(
    texts: Sequence[str],
    what: Sequence[str] = WHAT,
    *,
    model: str | Path | None = None,
    voice: str = "rms",
    asked: ways.Asked | None = None,
    codes: Sequence[np.ndarray] | None = None,
    workers: int = 1,
) -> Report:
    """Speak the sentences every way and hear them. `voice` is the teacher's, `codes` are [T, K]."""
    texts, asked = list(texts), asked or ways.Asked()
    note(f"{len(texts)} sentences by {voice}")
    waves = teacher.speak_all(texts, voice)
    spoken: dict[str, list[Take]] = {}
    tts = qwen3_tts.load(model) if model is not None else None
    if "teacher" in what:
        spoken["teacher"] = ways.taught(waves)
    if "resynthesis" in what and tts is not None and codes is not None:
        note("decoding the given codes")
        spoken["resynthesis"] = ways.decoded(tts.codec, codes)
    if "encoder" in what and tts is not None:
        note("through the codec's encoder and decoder")
        spoken["encoder"] = ways.resynthesised(tts.codec, waves)
    if "speech" in what and tts is not None:
        for name, text_first in (("speech, text first", True), ("speech, text along", False)):
            note(name)
            spoken[name] = ways.spoken(tts, texts, asked, voice, text_first=text_first)
    speakers, by = known_voices(texts, tts)
    conditions = []
    for name, takes in spoken.items():
        note(f"hearing: {name}")
        ours = [take.wave for take in takes]
        heard = hear_all(ours, teacher.RATE, workers=workers)
        conditions.append(Condition(name, takes, heard, speakers.likeness(ours, voice), by))
    if tts is not None:
        tts.close()
    return Report(texts, waves, conditions)


def known_voices(texts: Sequence[str], tts: Qwen3Synthesizer | None) -> tuple[Speakers, str]:
    """All of the teacher's voices, and what they are told apart by."""
    some = list(texts[:VOICE_SENTENCES])
    waves = {name: teacher.speak_all(some, name) for name in teacher.VOICES}
    if tts is not None and tts.kind == "base":
        return by_encoder(waves, tts), "speaker encoder"
    return by_cepstra(waves), "long-term cepstra"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    texts = sentences(options)
    codes = None
    if options.codes:
        codes = ways.read_codes(options.codes, texts, options.corpus, options.teacher)
    for missing in skipped(options):
        note(missing)
    report = listen(
        texts,
        options.what,
        model=options.model,
        voice=options.teacher,
        asked=asked_of(options),
        codes=codes,
        workers=options.workers,
    )
    keep(report, options)
    show(report, options)
    print(json.dumps(score.rounded(as_json(report, options))))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a checkpoint's folder or hub id, or `nano`")
    parser.add_argument("--voice", help="the preset that speaks; a base checkpoint clones instead")
    parser.add_argument("--teacher", default="rms", help="flite's voice that it is held against")
    parser.add_argument("--language", default="Auto")
    parser.add_argument("--instruct", help="of checkpoints that take a description")
    parser.add_argument("--sentences", type=Path, help="one a line; default: the held-out list")
    parser.add_argument("--limit", type=int, help="only so many sentences")
    parser.add_argument("--what", type=names, default=WHAT, help=",".join(WHAT))
    parser.add_argument("--codes", type=Path, help=".npz, or .npy beside --corpus: `resynthesis`")
    parser.add_argument("--corpus", type=Path, help="the training corpus that --codes belongs to")
    parser.add_argument("--sampling", type=sampling, default=Sampling(), help="temperature=0.7,...")
    parser.add_argument("--seed", type=int, default=0, help="of the first sentence")
    parser.add_argument("--max-frames", type=int, help="of a sentence; default: the guards' budget")
    parser.add_argument("--rows", type=int, default=1, help="sentences spoken at a time")
    parser.add_argument("--workers", type=int, default=1, help="processes that recognise")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    parser.add_argument("--worst", type=int, default=WORST, help="sentences shown, worst first")
    parser.add_argument("--pictures", type=Path, help="a folder for spectrograms")
    parser.add_argument("--wavs", type=Path, help="a folder for the sound")
    parser.add_argument("--details", type=Path, help="a file of JSON lines, one per sentence")
    return parser.parse_args(arguments)


def names(text: str) -> tuple[str, ...]:
    """A list of `WHAT`."""
    given = tuple(text.split(","))
    if unknown := set(given) - set(WHAT):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}; allowed: {', '.join(WHAT)}")
    return given


def sampling(text: str) -> Sampling:
    """`temperature=0.7,predictor_top_k=20` as `Sampling`."""
    values: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            raise argparse.ArgumentTypeError(f"{part}; write name=number") from None
    try:
        return replace(Sampling(), **values)
    except TypeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def asked_of(options: argparse.Namespace) -> ways.Asked:
    return ways.Asked(
        voice=options.voice,
        language=options.language,
        instruct=options.instruct,
        sampling=options.sampling,
        seed=options.seed,
        max_frames=options.max_frames,
        rows=options.rows,
    )


def sentences(options: argparse.Namespace) -> list[str]:
    """The list to speak, in its order."""
    if options.sentences:
        lines = options.sentences.read_text(encoding="utf-8").splitlines()
        texts = [line.strip() for line in lines if line.strip()]
    else:
        from qwen3_tts.train.recipe.sentences import held_out_english

        texts = list(held_out_english())
    return texts[: options.limit]


def skipped(options: argparse.Namespace) -> list[str]:
    """What was asked for and cannot be done, in words."""
    lines = []
    if options.model is None and set(options.what) - {"teacher"}:
        lines.append("without --model there is only the teacher to hear")
    elif "resynthesis" in options.what and not options.codes:
        lines.append("without --codes there is no resynthesis from given codes")
    return lines


def keep(report: Report, options: argparse.Namespace) -> None:
    """Write what was asked for: sound, pictures, details."""
    if options.wavs:
        note(f"sound to {options.wavs}")
        options.wavs.mkdir(parents=True, exist_ok=True)
        for condition in report.conditions:
            for i, take in enumerate(condition.takes):
                if len(take.wave):
                    path = options.wavs / f"{i:03d}-{file_name(condition.name)}.wav"
                    write_audio(path, take.wave, teacher.RATE)
    if options.pictures:
        note(f"pictures to {options.pictures}")
        options.pictures.mkdir(parents=True, exist_ok=True)
        chosen = {*range(FIRST), *report.worst(report.conditions[-1])[:WORST]}
        for i in sorted(chosen & set(range(len(report.texts)))):
            panels = [(c.name, c.takes[i].wave, c.heard[i]) for c in report.conditions]
            pictures.draw(options.pictures / f"{i:03d}.png", report.texts[i], panels)
    if options.details:
        lines = [json.dumps(line) for line in details(report)]
        options.details.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def file_name(condition: str) -> str:
    return condition.replace(",", "").replace(" ", "-")


def details(report: Report) -> list[dict[str, Any]]:
    """One entry for each sentence: what it says, and what was heard each way."""
    return [
        {
            "text": text,
            "heard": {c.name: c.heard[i] for c in report.conditions},
            "seconds": {c.name: len(c.takes[i].wave) / teacher.RATE for c in report.conditions},
            "finish": {c.name: c.takes[i].finish for c in report.conditions if c.takes[i].finish},
        }
        for i, text in enumerate(report.texts)
    ]


def show(report: Report, options: argparse.Namespace) -> None:
    """The table, then the sentences of every condition that were understood worst."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    columns = (
        "", "word error", "95 %", "all right", "cepstral dB", "duration", "ends", "guards",
        "speaker", "nearest", "x realtime",
    )  # fmt: skip
    table = Table(*columns, title=f"{len(report.texts)} sentences, teacher {options.teacher}")
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for name, figures in report.figures().items():
        table.add_row(name, *cells(figures))
    console.print(table)
    for condition in report.conditions:
        worst = Table("said", "heard", title=f"understood worst: {condition.name}")
        for i in report.worst(condition)[: options.worst]:
            worst.add_row(report.texts[i], condition.heard[i] or "-")
        if options.worst:
            console.print(worst)


def cells(figures: dict[str, Any]) -> list[str]:
    """The figures of a row, "-" where there is none."""
    low, high = figures["word_error_95"]
    ends, speed = figures["ends"], figures["x_realtime"]
    return [
        f"{figures['word_error']:.1%}",
        f"{low:.0%}-{high:.0%}",
        f"{figures['all_right']:.0%}",
        f"{figures['mel_cepstral_db']:.2f}",
        f"{figures['duration_ratio']:.3f}",
        "-" if ends is None else f"{ends:.1%}",
        "-" if ends is None else str(figures["guards"]),
        f"{figures['speaker']:.2f}",
        f"{figures['speaker_nearest']:.0%}",
        "-" if speed is None else f"{speed:.1f}",
    ]


def as_json(report: Report, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "validation": "listen",
        "model": options.model,
        "voice": options.voice,
        "teacher": options.teacher,
        "sentences": len(report.texts),
        "seed": options.seed,
        "sampling": {k: v for k, v in asdict(options.sampling).items() if v is not None},
        "threads": options.threads,
        "rows": options.rows,
        "conditions": report.figures(),
    }


def note(text: str) -> None:
    """What is going on, on stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
