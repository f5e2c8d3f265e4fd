"""`make quality`, as a curator types it, on a set of three documents."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    "a": "Heat pump dryer for tea leaves. Saves energy.",
    "b": "Welding robot for car bodies.",
    "c": "Membrane bioreactor for textile waste water.",
}


def measure(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quality.measure", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=50,
    )


def test_a_set_is_ranked_beside_plain_bm25(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    (folder / "dev").mkdir(parents=True)
    (folder / "META.json").write_text(json.dumps({"corpus": "corpus.jsonl"}))
    rows = [{"id": name, "lang": "en", "text": text} for name, text in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    query = {"id": "q", "lang": "vi", "text": "Màng lọc sinh học xử lý nước thải dệt nhuộm"}
    (folder / "dev" / "queries.jsonl").write_text(json.dumps(query) + "\n")
    (folder / "dev" / "qrels.tsv").write_text("query-id\tdoc-id\trelevance\nq\tc\t1\n")
    figures = tmp_path / "figures.json"
    done = measure(tmp_path, "--json", figures)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(figures.read_text())["tiny"]
    assert found["n"] == 1
    assert found["ndcg10"] == found["recall100"] == found["mrr10"] == 1.0
    assert found["bm25_ndcg10"] == 0.0
    assert len(found["ci"]) == 2


def test_a_folder_that_is_not_there_is_a_clear_message(tmp_path: Path) -> None:
    done = measure(tmp_path / "nowhere")
    assert done.returncode == 2
    assert "DATA=<folder>" in done.stdout
    assert "Traceback" not in done.stderr
