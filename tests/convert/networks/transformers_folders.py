"""Small models of transformers with random weights; the script saves each as a folder in a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = {"vocab_size": 100, "max_position_embeddings": 64}


def models() -> dict[str, Any]:
    """By name of the folder."""
    import transformers as t

    vision = {"image_size": 32, "patch_size": 8}
    return {
        "bert": t.BertForSequenceClassification(t.BertConfig(**SMALL, **TEXT, num_labels=3)),
        "roberta": t.RobertaModel(t.RobertaConfig(**SMALL, **TEXT)),
        "gpt2": t.GPT2LMHeadModel(
            t.GPT2Config(n_layer=2, n_head=2, n_embd=32, vocab_size=100, n_positions=64)
        ),
        "llama": t.LlamaForCausalLM(t.LlamaConfig(**SMALL, **TEXT, num_key_value_heads=2)),
        "vit": t.ViTForImageClassification(t.ViTConfig(**SMALL, **vision)),
        "whisper": t.WhisperForConditionalGeneration(
            t.WhisperConfig(
                d_model=32,
                encoder_layers=2,
                decoder_layers=2,
                vocab_size=100,
                encoder_attention_heads=4,
                decoder_attention_heads=4,
                pad_token_id=0,
                encoder_ffn_dim=64,
                decoder_ffn_dim=64,
                max_source_positions=20,
                bos_token_id=1,
                eos_token_id=2,
                decoder_start_token_id=1,
                num_mel_bins=16,
            )
        ),
        "t5": t.T5ForConditionalGeneration(
            t.T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
        ),
    }


if __name__ == "__main__":
    import torch

    torch.manual_seed(0)
    for name, model in models().items():
        model.eval().save_pretrained(Path(sys.argv[1]) / name)
