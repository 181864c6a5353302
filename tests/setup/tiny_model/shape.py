"""The size of the model: enough for the two heads that decide, small enough for a 12k prompt in 20 s on a CPU."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    layers: int = 2
    hidden: int = 128
    heads: int = 2
    kv_heads: int = 2
    inter: int = 384
    context: int = 65536
    rope_theta: float = 1e6
    rms_eps: float = 1e-6

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads
