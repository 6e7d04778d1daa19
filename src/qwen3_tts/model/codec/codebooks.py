"""Split residual codebooks: one semantic, the others acoustic, each branch with its projections.

A codebook is stored as running sums and counts of its training; an entry is their quotient. Both
halves of the codec use the same two classes. Dims: B rows, K codebooks, V entries, T steps.
"""

import torch
from torch import Tensor, nn


class Codebook(nn.Module):
    """V entries of width `dim`."""

    def __init__(self, size: int, dim: int):
        super().__init__()
        self.cluster_usage = nn.Parameter(torch.ones(size))
        self.embedding_sum = nn.Parameter(torch.zeros(size, dim))

    def lookup(self, codes: Tensor) -> Tensor:
        """Codes [B, T] -> entries [B, T, dim]."""
        usage = self.cluster_usage[codes].clamp(min=1e-5)
        return self.embedding_sum[codes] / usage[..., None]

    def nearest(self, x: Tensor) -> Tensor:
        """Vectors [B, T, dim] -> codes [B, T] of the closest entries, Euclidean, float32."""
        entries = self.embedding_sum / self.cluster_usage.clamp(min=1e-5)[:, None]
        return torch.cdist(x.float().flatten(0, 1), entries.float()).argmin(-1).view(x.shape[:2])


class EncoderCodebook(Codebook):
    """As stored in the encoder half: with a training flag that is carried, never read."""

    def __init__(self, size: int, dim: int):
        super().__init__(size, dim)
        self.initialized = nn.Parameter(torch.ones(1))


class ResidualCodebooks(nn.Module):
    """A chain of codebooks between two projections: each codes what the ones before left over."""

    def __init__(self, books: list[Codebook], width: int, dim: int):
        super().__init__()
        self.input_proj = nn.Conv1d(width, dim, 1, bias=False)
        self.output_proj = nn.Conv1d(dim, width, 1, bias=False)
        self.books = nn.ModuleList(books)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] -> latent [B, width, T]."""
        pairs = zip(self.books, codes.unbind(1), strict=True)
        total = torch.stack([book.lookup(ids) for book, ids in pairs]).sum(dim=0)
        return self.output_proj(total.transpose(1, 2))

    def encode(self, latent: Tensor, count: int) -> Tensor:
        """Latent [B, width, T] -> codes [B, count, T] of the first `count` codebooks."""
        residual = self.input_proj(latent).transpose(1, 2)  # [B, T, dim]
        codes = []
        for book in self.books[:count]:
            codes.append(book.nearest(residual))
            residual = residual - book.lookup(codes[-1])
        return torch.stack(codes, dim=1)


class SplitCodebooks(nn.Module):
    """Semantic codebook first; both branches read the same latent."""

    def __init__(self, semantic: ResidualCodebooks, acoustic: ResidualCodebooks):
        super().__init__()
        self.semantic, self.acoustic = semantic, acoustic

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] -> latent [B, C, T]."""
        return self.semantic.decode(codes[:, :1]) + self.acoustic.decode(codes[:, 1:])

    def encode(self, latent: Tensor, count: int) -> Tensor:
        """Latent [B, C, T] -> codes [B, count, T]."""
        acoustic = self.acoustic.encode(latent, count - 1)
        return torch.cat([self.semantic.encode(latent, 1), acoustic], dim=1)
