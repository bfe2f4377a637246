"""Small modules of PyTorch, some of which cannot be exported; the script saves files in a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor


class Pictures(nn.Module):
    """A convolution and a linear layer, with a dictionary as its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm, self.linear = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Linear(8, 5),
        )

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        features = torch.relu(self.norm(self.convolution(image))).mean((2, 3))
        return {"logits": self.linear(features), "features": features}


class Words(nn.Module):
    """A transformer layer over masked tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(50, 16), nn.Linear(16, 3)
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.out((self.layer(self.embed(ids)) * mask[..., None]).sum(1))


class Recurrent(nn.Module):
    """An LSTM with its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 8, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        steps, (last, _) = self.lstm(x)
        return steps, last


class Branching(nn.Module):
    """Python code that decides by content."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x * 2
        return x - 1


class Strange(nn.Module):
    """An operator that ONNX does not have."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x) + 1


def seeded(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind().eval()


def pictures() -> Any:
    return seeded(Pictures), torch.randn(1, 3, 16, 16)


def words() -> nn.Module:
    return seeded(Words)


def recurrent() -> Any:
    return seeded(Recurrent), torch.randn(2, 6, 4)


def branching() -> Any:
    return Branching(), torch.randn(2, 3)


def strange() -> Any:
    return Strange(), torch.randn(2, 3)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        seeded(Pictures), (torch.randn(2, 3, 16, 16),), dynamic_shapes=({0: batch},)
    )
    torch.export.save(program, folder / "program.pt2")
    torch.jit.script(Branching()).save(folder / "scripted.pt")
    torch.save({"weight": torch.zeros(2)}, folder / "weights.pt")
