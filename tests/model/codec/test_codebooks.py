"""Codebooks: nearest entries by brute force, chains of residuals, and sums of entries."""

import pytest
import torch
from torch import Tensor

from qwen3_tts.model.codec.codebooks import Codebook, SplitCodebooks
from qwen3_tts.weights.published import tiny_codec_config
from qwen3_tts.weights.random import random_codec


@pytest.fixture(scope="module")
def books() -> SplitCodebooks:
    return random_codec(tiny_codec_config(), 3).requires_grad_(False).encoder.codebooks


def entries(book: Codebook) -> Tensor:
    return book.embedding_sum.double() / book.cluster_usage.double()[:, None]


def brute(x: Tensor, book: Codebook) -> Tensor:
    """Index of the nearest entry of each vector [T, dim], by all differences in float64."""
    return (x.double()[:, None] - entries(book)).square().sum(-1).argmin(-1)


def latents(frames: int, width: int) -> Tensor:
    return torch.randn(2, width, frames, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("frames", [1, 7, 200])
def test_nearest_is_brute_force(books: SplitCodebooks, frames: int) -> None:
    book = books.semantic.books[0]
    x = latents(frames, 16).transpose(1, 2)  # [B, T, dim]
    found = book.nearest(x)
    assert found.shape == (2, frames)
    assert torch.equal(found, torch.stack([brute(row, book) for row in x]))


def test_an_entry_is_its_own_nearest(books: SplitCodebooks) -> None:
    book = books.acoustic.books[2]
    codes = torch.arange(0, 2048, 5)[None]
    assert torch.equal(book.nearest(book.lookup(codes)), codes)


def test_lookup_divides_sums_by_counts() -> None:
    book = Codebook(3, 2)
    with torch.no_grad():
        book.embedding_sum.copy_(torch.tensor([[2.0, -4.0], [3.0, 9.0], [1e-6, 0.0]]))
        book.cluster_usage.copy_(torch.tensor([4.0, 3.0, 0.0]))
        found = book.lookup(torch.tensor([[1, 0, 2]]))
    expected = torch.tensor([[[1.0, 3.0], [0.5, -1.0], [0.1, 0.0]]])  # an unused one: / 1e-5
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_each_codebook_codes_what_is_left_over(books: SplitCodebooks) -> None:
    latent = latents(11, 32)
    codes = books.acoustic.encode(latent, 6)
    assert codes.shape == (2, 6, 11)
    projection = books.acoustic.input_proj.weight[:, :, 0].double()
    for row in range(2):
        residual = (projection @ latent[row].double()).T  # [T, dim]
        for k in range(6):
            expected = brute(residual, books.acoustic.books[k])
            assert torch.equal(codes[row, k], expected)
            residual = residual - entries(books.acoustic.books[k])[expected]


def test_both_branches_read_the_same_latent(books: SplitCodebooks) -> None:
    """The acoustic chain starts from the latent, not from what the semantic codebook leaves."""
    latent = latents(9, 32)
    codes = books.encode(latent, 16)
    assert torch.equal(codes[:, :1], books.semantic.encode(latent, 1))
    assert torch.equal(codes[:, 1:], books.acoustic.encode(latent, 15))


def test_sixteen_codebooks_are_the_first_of_thirty_two(books: SplitCodebooks) -> None:
    latent = latents(30, 32)
    every = books.encode(latent, 32)
    assert every.shape == (2, 32, 30)
    assert torch.equal(books.encode(latent, 16), every[:, :16])


def test_decoding_sums_entries_and_projects_each_branch() -> None:
    books = random_codec(tiny_codec_config(), 3).requires_grad_(False).decoder.codebooks
    codes = torch.randint(0, 2048, (2, 16, 5), generator=torch.Generator().manual_seed(4))
    tables = [entries(book) for book in (*books.semantic.books, *books.acoustic.books)]
    semantic, acoustic = (
        branch.output_proj.weight[:, :, 0].double() for branch in (books.semantic, books.acoustic)
    )
    for row in range(2):
        for t in range(5):
            vectors = [table[codes[row, k, t]] for k, table in enumerate(tables)]
            expected = semantic @ vectors[0] + acoustic @ torch.stack(vectors[1:]).sum(0)
            # fifteen entries of order 1, then 16 products: float32 rounds each sum once
            torch.testing.assert_close(
                books.decode(codes)[row, :, t].double(), expected, rtol=1e-5, atol=1e-5
            )
