"""Drawing codes against a slow reference that treats one row and one code at a time."""

import random

import pytest
import torch
from torch import Tensor

from qwen3_tts.engine.options import DrawOptions, SamplingOptions
from qwen3_tts.engine.sampling import (
    HeadOptions,
    RowOptions,
    draw,
    keep_top_p,
    leaders,
    suppressed_ids,
    talker_scores,
)
from qwen3_tts.weights.published import published_config
from tests.engine.reference import Draw, pick

CPU = torch.device("cpu")
KEEP_ALL = DrawOptions(temperature=1.0, top_k=0, top_p=1.0, greedy=False)


def options_of(rows: list[DrawOptions], size: int) -> HeadOptions:
    options = HeadOptions.new(len(rows), size, CPU)
    for row, given in enumerate(rows):
        options.set(row, given, size)
    options.bound(rows, size)
    return options


def exponential(rows: int, size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(rows, size).exponential_(generator=generator)


def logits_of(rows: int, size: int, seed: int) -> Tensor:
    return 3 * torch.randn(rows, size, generator=torch.Generator().manual_seed(seed))


def kept(scores: list[float], options: DrawOptions) -> list[int]:
    """Codes that can be drawn at all: each is offered noise that lets it win if it has a chance."""
    size = len(scores)
    noise = torch.ones(size, size)
    noise.fill_diagonal_(1e-30)
    rows = torch.tensor(scores).expand(size, size)
    drawn = draw(rows, options_of([options] * size, size), noise)
    return [code for code in range(size) if drawn[code] == code]


@pytest.mark.parametrize("size", [2048, 3072])
def test_a_draw_is_a_multinomial_draw(size: int) -> None:
    """Same generator state, same code: `torch.multinomial` of one sample is argmax(p / q)."""
    options = options_of([KEEP_ALL], size)
    for seed in range(200):
        scores = logits_of(1, size, 1000 + seed)
        generator = torch.Generator().manual_seed(seed)
        expected = torch.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0]
        assert torch.equal(draw(scores, options, exponential(1, size, seed)), expected)


def test_a_draw_takes_from_a_generator_what_multinomial_takes() -> None:
    """The second draw of both from one generator agrees as well: as many numbers were used."""
    ours, theirs = (torch.Generator().manual_seed(3) for _ in range(2))
    options = options_of([KEEP_ALL], 3072)
    for step in range(50):
        scores = logits_of(1, 3072, step)
        noise = torch.empty(1, 3072).exponential_(generator=ours)
        expected = torch.multinomial(scores.softmax(-1), 1, generator=theirs)[:, 0]
        assert torch.equal(draw(scores, options, noise), expected)


# probabilities of 0.5, 0.3, 0.15 and 0.05, in no order
FOUR = torch.tensor([0.15, 0.5, 0.05, 0.3]).log().tolist()


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [
        (1.0, [0, 1, 2, 3]),
        (0.96, [0, 1, 2, 3]),
        (0.94, [0, 1, 3]),
        (0.81, [0, 1, 3]),
        (0.79, [1, 3]),
        (0.51, [1, 3]),  # 0.5 is not enough: the code that crosses the limit is kept
        (0.49, [1]),
        (1e-9, [1]),
        (0.0, [1]),  # one always stays
    ],
)
def test_top_p(top_p: float, expected: list[int]) -> None:
    assert kept(FOUR, DrawOptions(1.0, 0, top_p, greedy=False)) == expected


def test_top_p_drops_what_sums_up_to_the_rest_exactly() -> None:
    """Four equal codes, 0.25 each: one of them is the rest of 0.75, and goes."""
    assert len(kept([1.0] * 4, DrawOptions(1.0, 0, 0.75, greedy=False))) == 3


@pytest.mark.parametrize(
    ("top_k", "expected"),
    [(1, [1]), (2, [1, 2, 4]), (3, [1, 2, 4]), (4, [0, 1, 2, 4]), (5, [0, 1, 2, 3, 4])],
)
def test_ties_with_the_last_of_top_k_stay(top_k: int, expected: list[int]) -> None:
    scores = [0.5, 3.0, 2.0, -1.0, 2.0]
    assert kept(scores, DrawOptions(1.0, top_k, 1.0, greedy=False)) == expected


@pytest.mark.parametrize("vocab_size", [64, 100, 2048, 3072])
@pytest.mark.parametrize("count", [1, 4, 7, 50])
def test_the_leaders_are_those_of_one_search(count: int, vocab_size: int) -> None:
    """Also where many are level, as in bfloat16, where most are barred, or all that lead lie
    together, in the columns of one group or next to each other."""
    scores = logits_of(12, vocab_size, count)
    scores[2:4] = scores[2:4].bfloat16().float()
    scores[4] = scores[4].round()
    scores[5, 3:] = -torch.inf
    scores[6] = 0.0
    scores[7, : count + 1] += 100
    scores[8, :: max(1, vocab_size // 8)] += 100
    assert torch.equal(leaders(scores, count), scores.topk(count).values)


@pytest.mark.parametrize("top_k", [0, 5, 1000])
def test_top_k_of_nothing_or_of_all_keeps_all(top_k: int) -> None:
    assert kept([0.5, 3.0, 2.0, -1.0, 2.0], DrawOptions(1.0, top_k, 1.0, greedy=False)) == [
        *range(5)
    ]


def test_top_k_beyond_the_possible_codes_adds_no_impossible_one() -> None:
    scores = [-torch.inf, 1.0, -torch.inf, 0.0]
    assert kept(scores, DrawOptions(1.0, 3, 1.0, greedy=False)) == [1, 3]
    assert kept(scores, DrawOptions(1.0, 0, 0.99, greedy=False)) == [1, 3]


def test_top_k_comes_before_top_p() -> None:
    """Of 0.5 and 0.3 alone, 0.5 is 62%: with top-k first, 0.6 of them is the first code."""
    assert kept(FOUR, DrawOptions(1.0, 2, 0.6, greedy=False)) == [1]
    assert kept(FOUR, DrawOptions(1.0, 0, 0.6, greedy=False)) == [1, 3]


def test_temperature_comes_before_top_p() -> None:
    """A low temperature makes 0.5 and 0.3 into 0.73 and 0.26."""
    assert kept(FOUR, DrawOptions(0.5, 0, 0.72, greedy=False)) == [1, 3]
    assert kept(FOUR, DrawOptions(0.5, 0, 0.65, greedy=False)) == [1]


def test_top_p_of_one_among_other_rows_keeps_all() -> None:
    """A row's own limit holds, also where another row needs the step; 1e-12 is not dropped."""
    scores = torch.tensor([[0.0, -27.6, -60.0]] * 2)
    filtered = keep_top_p(scores, torch.tensor([0.0, 0.5]))
    assert torch.equal(filtered[0], scores[0])
    assert filtered[1].tolist() == [0.0, -torch.inf, -torch.inf]


def test_temperature_divides() -> None:
    """Noise for which 2.0 / T beats 1.0 / T only below a temperature of 1."""
    scores = torch.tensor([[2.0, 1.0]])
    noise = torch.tensor([[2.7182818, 1.0]])  # e: the scores' ratio at temperature 1
    for temperature, expected in ((0.99, 0), (1.01, 1), (5.0, 1), (0.1, 0)):
        options = options_of([DrawOptions(temperature, 0, 1.0, greedy=False)], 2)
        assert draw(scores, options, noise).tolist() == [expected]


def test_greedy_takes_the_best_whatever_the_noise() -> None:
    scores = logits_of(50, 64, 1)
    greedy = DrawOptions(temperature=7.0, top_k=3, top_p=0.1, greedy=True)
    drawn = draw(scores, options_of([greedy] * 50, 64), exponential(50, 64, 2))
    assert torch.equal(drawn, scores.argmax(-1))


def test_suppressed_ids_are_the_control_ids_but_end_of_speech() -> None:
    config = published_config("base", "1.7B").talker_config
    suppressed = suppressed_ids(config, CPU)
    expected = [2048 <= code < 3072 and code != 2150 for code in range(3072)]
    assert suppressed.tolist() == expected


def test_talker_scores_follow_the_official_order() -> None:
    """Penalty once per drawn code, by the sign of its score; then what may not be drawn."""
    logits = torch.tensor([[2.0, -2.0, 0.5, 0.0, 4.0, 3.0]] * 3)
    seen = torch.tensor([[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 1], [0] * 6]).bool()
    penalty = torch.tensor([2.0, 2.0, 9.0])
    suppressed = torch.tensor([0, 0, 0, 0, 1, 0]).bool()
    scores = talker_scores(logits, seen, penalty, torch.tensor([1, 2, 2]), suppressed, eos=5)
    none = -torch.inf
    assert scores.tolist() == [
        [1.0, -4.0, 0.25, 0.0, none, none],  # the second frame cannot be the end
        [2.0, -2.0, 0.5, 0.0, none, 1.5],
        [2.0, -2.0, 0.5, 0.0, none, 3.0],
    ]
    assert logits[0].tolist() == [2.0, -2.0, 0.5, 0.0, 4.0, 3.0]  # the input is left alone


def random_options(pick_one: random.Random) -> SamplingOptions:
    def head() -> DrawOptions:
        return DrawOptions(
            temperature=pick_one.choice([0.3, 0.9, 1.0, 1.7]),
            top_k=pick_one.choice([0, 1, 5, 50, 100_000]),
            top_p=pick_one.choice([0.0, 0.2, 0.8, 0.99, 1.0]),
            greedy=pick_one.random() < 0.2,
        )

    return SamplingOptions(head(), head(), pick_one.choice([1.0, 1.05, 1.5, 0.7]))


CONFIG = published_config("base", "1.7B").talker_config
EOS, SUPPRESSED = CONFIG.codec_eos_token_id, suppressed_ids(CONFIG, CPU)


def first_codes(
    rows: list[SamplingOptions], logits: Tensor, history: list[list[int]], noise: Tensor
) -> Tensor:
    """Draw first codes of rows that drew `history` before."""
    seen = torch.zeros(logits.shape, dtype=torch.bool)
    for row, codes in enumerate(history):
        seen[row, codes] = True
    frame = torch.tensor([len(codes) for codes in history])
    options = RowOptions.new(len(rows), CONFIG, CPU)
    for row, given in enumerate(rows):
        options.set(row, given)
    penalty = options.repetition_penalty
    return draw(talker_scores(logits, seen, penalty, frame, SUPPRESSED, EOS), options.talker, noise)


def test_rows_of_mixed_options_are_each_row_alone_and_the_reference() -> None:
    """Forty batches of 8 rows, every row with options, history and a generator of its own."""
    chooser = random.Random(1)
    control = SUPPRESSED.nonzero().flatten().tolist()
    for batch in range(40):
        rows = [random_options(chooser) for _ in range(8)]
        logits = logits_of(8, 3072, batch)
        logits[:, EOS] += 12.0  # end of speech is likely where it is allowed
        history = [chooser.choices(range(2048), k=chooser.randrange(5)) for _ in range(8)]
        for row, codes in enumerate(history):
            logits[row, codes] += 9.0  # the penalty decides something
        seeds = range(8 * batch, 8 * batch + 8)
        noise = torch.cat([exponential(1, 3072, seed) for seed in seeds])
        together = first_codes(rows, logits, history, noise)
        for i, row in enumerate(rows):
            one = slice(i, i + 1)
            alone = first_codes(rows[one], logits[one], history[one], noise[one])
            assert together[i] == alone[0]
            head = row.talker
            expected = pick(
                logits[i],
                Draw(head.temperature, head.top_k, head.top_p, head.greedy),
                torch.Generator().manual_seed(seeds[i]),
                drawn=history[i],
                penalty=row.repetition_penalty,
                barred=control + [EOS] * (len(history[i]) < 2),
            )
            assert together[i] == expected, (batch, i, row)
