"""What a talker training can be told. Every field is an option of the command line."""

from dataclasses import dataclass, field, fields
from typing import Any


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TalkerOptions:
    """Sizes, schedule and regularisation; the defaults are those of the nano checkpoint."""

    seed: int = _option(1, "seed of everything random")
    minutes: float = _option(0.0, "train for this long (0: count steps)")
    steps: int = _option(8000, "train for this many steps where no minutes are given")
    positions: int = _option(3600, "positions of a batch, padding included")
    lr: float = _option(1.5e-3, "highest learning rate")
    final_lr: float = _option(1e-5, "learning rate at the end")
    warmup: int = _option(200, "steps from nothing to the highest learning rate")
    weight_decay: float = _option(0.02, "of matrices")
    clip: float = _option(1.0, "largest norm of the gradient")
    ema: float = _option(0.999, "memory of the averaged weights, which are the result")
    optimizer: str = _option("adamw", "adamw, or muon for the matrices of the transformers")
    muon_scale: float = _option(1.0, "learning rate of muon against that of adamw")
    precision: str = _option("bfloat16", "of matrix products: bfloat16 or float32")
    merges: int = _option(160, "merges of the text tokenizer")
    hidden_size: int = _option(256, "talker width")
    num_hidden_layers: int = _option(5, "talker layers")
    num_attention_heads: int = _option(4, "talker heads")
    num_key_value_heads: int = _option(2, "talker key and value heads")
    head_dim: int = _option(64, "width of a talker head")
    intermediate_size: int = _option(640, "talker inner width")
    predictor_hidden_size: int = _option(160, "code predictor width")
    predictor_layers: int = _option(3, "code predictor layers")
    predictor_heads: int = _option(4, "code predictor heads")
    predictor_head_dim: int = _option(40, "width of a code predictor head")
    predictor_intermediate_size: int = _option(480, "code predictor inner width")
    guide_layer: int = _option(2, "layer of the head that is taught to follow the text")
    guide_head: int = _option(0, "that head")
    guide_weight: float = _option(0.4, "weight of its loss, falling to a quarter over the run")
    dropout: float = _option(0.1, "of what each layer adds, while training")
    soft: float = _option(0.2, "share of a target's mass that its neighbours take")
    soft_entries: float = _option(4.0, "how many entries share it, on average")
    wide_entries: float = _option(12.0, "how many entries a replaced input is drawn from")
    near: float = _option(0.15, "chance that a frame read is replaced by a near one")
    far: float = _option(0.03, "chance that it is replaced by any other")
    cut: float = _option(0.05, "chance that it loses its last code groups")
    corrupt_from: float = _option(0.3, "share of those chances at the start; all from half-way on")
    predictor_weight: float = _option(1.0, "weight of groups 1..K-1 against group 0")
    predictor_share: float = _option(0.35, "share of frames whose groups 1..K-1 are predicted")
    late_group: float = _option(0.9, "weight of each group against the one before")
    curriculum: float = _option(0.15, "share of the run until the longest utterances come")
    shortest: float = _option(0.2, "share of the corpus, shortest first, that it starts with")
    log_every: int = _option(20, "steps between lines of the log")
    eval_every: int = _option(250, "steps between held-out losses")
    eval_items: int = _option(96, "held-out utterances")
    save_minutes: float = _option(4.0, "minutes between checkpoints")
    temperature: float = _option(0.3, "written into generation_config.json, for both stages")
    top_k: int = _option(20, "likewise")
    repetition_penalty: float = _option(1.0, "likewise")
    threads: int = _option(1, "threads")
    device: str = _option("cpu", "where the model is: cpu or cuda; batches are made on the CPU")

    def model_sizes(self) -> dict[str, Any]:
        """The options that `nano_config` takes."""
        names = [f.name for f in fields(self)]
        first, last = names.index("hidden_size"), names.index("predictor_intermediate_size")
        return {name: getattr(self, name) for name in names[first : last + 1]}
