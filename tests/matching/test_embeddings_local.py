"""The local embedder on tiny models that are made here; `make test-embeddings` runs it."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers

from svc_matching.clients.embeddings_local import LocalEmbedder, version_of
from svc_matching.engine.embedding import (
    EmbedderError,
    TextKind,
    identity_of,
    pack_embeddings,
)
from svc_matching.settings import Settings
from svc_matching.worker import build_embedder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "tea", "rice", "dryer", "query", ":"]
DIMENSIONS = 16

# The libraries' own: nothing that this project could put right.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.timeout(300),  # torch takes its time to be imported
]


def a_bert(folder: Path) -> Path:
    """A transformer of one small layer, with prompts as multilingual-e5 has them."""
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    parts = folder / "parts"
    parts.mkdir(parents=True)
    (parts / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer(str(parts / "vocab.txt")).save_pretrained(parts)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=DIMENSIONS,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(parts)
    transformer = Transformer(str(parts))
    model = sentence_transformers.SentenceTransformer(
        modules=[transformer, Pooling(DIMENSIONS)],
        prompts={"query": "query: ", "document": ""},
        device="cpu",
    )
    model.save(str(folder / "bert"))
    return folder / "bert"


def a_static(folder: Path) -> Path:
    """A table of word vectors, as distilled static models are."""
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = np.random.default_rng(1).standard_normal((len(WORDS), DIMENSIONS)).astype(np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=table)
    model = sentence_transformers.SentenceTransformer(modules=[module], device="cpu")
    model.save(str(folder / "static"))
    return folder / "static"


@pytest.fixture(scope="module", params=[a_bert, a_static], ids=["bert", "static"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = request.param(tmp_path_factory.mktemp("models"))
    return made


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: Any) -> None:
        raise AssertionError(f"the network was asked for: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


async def test_a_folder_is_an_embedder(folder: Path) -> None:
    embedder = build_embedder(Settings(embeddings_path=folder, embeddings_dimensions=DIMENSIONS))
    assert isinstance(embedder, LocalEmbedder)
    assert identity_of(embedder) == f"{folder.name}@{version_of(folder)}/{DIMENSIONS}"
    texts = ["tea dryer", "rice", "tea dryer", "dryer " * 500]
    answer = await embedder.embed(texts, TextKind.PASSAGE)
    assert answer.dtype == np.float32
    one, two, again, _ = pack_embeddings(answer, 4, DIMENSIONS)
    assert one == again != two
    await embedder.close()


async def test_the_models_own_prompts_are_used(tmp_path: Path) -> None:
    embedder = LocalEmbedder(a_bert(tmp_path), DIMENSIONS)
    asked = await embedder.embed(["tea"], TextKind.QUERY)
    told = await embedder.embed(["query: tea", "tea"], TextKind.PASSAGE)
    assert np.allclose(asked[0], told[0], atol=1e-5)
    assert not np.allclose(asked[0], told[1], atol=1e-3)
    await embedder.close()


async def test_another_size_than_said_is_noticed(folder: Path) -> None:
    embedder = LocalEmbedder(folder, 8)
    answer = await embedder.embed(["tea"], TextKind.QUERY)
    with pytest.raises(EmbedderError, match="KETNOI_EMBEDDINGS_DIMENSIONS"):
        pack_embeddings(answer, 1, embedder.dimensions)
    await embedder.close()


async def test_a_folder_without_a_model_is_said_and_nothing_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no model here")
    embedder = LocalEmbedder(tmp_path, 8)
    with pytest.raises(EmbedderError, match=str(tmp_path)):
        await embedder.embed(["tea"], TextKind.QUERY)
    await embedder.close()


def test_another_model_is_another_version(folder: Path, tmp_path: Path) -> None:
    before = version_of(folder)
    assert before == version_of(folder)
    (tmp_path / "config.json").write_text("{}")
    assert version_of(tmp_path) != before
