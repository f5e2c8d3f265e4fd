"""`ketnoi import`, `status`, `republish` and `demo`, as an operator types them."""

import csv
import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture(scope="session")
def ketnoi(suite):
    def run(*arguments: str, expected: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ketnoi", *map(str, arguments)],
            env=suite.environment() | {"COLUMNS": "160"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == expected, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def _row(ref: str, **more):
    return {
        "title": f"Máy sấy chè {ref}",
        "description": "Sấy chè bằng bơm nhiệt",
        "language": "vi",
        "kind": "EQUIPMENT",
        "status": "PUBLISHED",
        "source": {"kind": "FEED", "system": "cli", "ref": ref},
        **more,
    }


def test_good_rows_are_kept_bad_ones_named_and_a_rerun_changes_nothing(
    ketnoi, operator, tmp_path, unique
) -> None:
    rows = [
        json.dumps(_row(f"{unique}-1")),
        "{ not json",
        json.dumps(_row(f"{unique}-2", trl=12)),
        json.dumps(_row(f"{unique}-3")),
    ]
    path = tmp_path / "supplies.jsonl"
    path.write_text("\n".join(rows) + "\n")
    refused = tmp_path / "refused.jsonl"
    ketnoi("import", "supplies", path, "--errors", refused, expected=3)
    errors = [json.loads(line) for line in refused.read_text().splitlines()]
    assert [(error["line"], error["pointer"]) for error in errors] == [(2, ""), (3, "/trl")]
    for ref in ("1", "3"):
        found = operator.ok("GET", f"/v1/supplies/by-ref/cli/{unique}-{ref}")
        assert (found["status"], found["version"]) == ("PUBLISHED", 1)
    ketnoi("import", "supplies", path, expected=3)
    assert operator.ok("GET", f"/v1/supplies/by-ref/cli/{unique}-1")["version"] == 1


def test_a_csv_file_of_demands(ketnoi, operator, tmp_path, unique) -> None:
    path = tmp_path / "demands.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "title",
                "description",
                "language",
                "kind",
                "province",
                "status",
                "budget.max",
                "budget.currency",
                "keywords",
                "source_ref.system",
                "source_ref.ref",
            ]
        )
        writer.writerow(
            [
                "Máy sấy chè",
                "Sấy chè,\nhai dòng",
                "vi",
                "APPLICATION",
                "19",
                "PUBLISHED",
                "500000000",
                "VND",
                "chè;sấy",
                "cli",
                unique,
            ]
        )
    ketnoi("import", "demands", path)
    found = operator.ok("GET", f"/v1/demands/by-ref/cli/{unique}")
    assert found["budget"]["max"] == 500_000_000
    assert found["keywords"] == ["chè", "sấy"]
    assert found["description"] == "Sấy chè,\nhai dòng"


def test_an_unreadable_file_is_a_clear_message(ketnoi, tmp_path) -> None:
    assert "nothing.jsonl" in ketnoi("import", "supplies", tmp_path / "nothing.jsonl", expected=2)
    wrong = tmp_path / "supplies.pdf"
    wrong.write_bytes(b"%PDF")
    assert ".jsonl" in ketnoi("import", "supplies", wrong, expected=2)


def test_status_names_every_part(ketnoi) -> None:
    printed = ketnoi("status")
    for part in ("gateway", "svc-demand", "svc-supply", "svc-matching", "svc-reporting"):
        assert part.replace("-", "_") in printed.replace("-", "_")


def _epochs(matches) -> set[int]:
    return {match["engine"]["index_epoch"] for match in matches["items"]}


def test_republish_sends_everything_again_and_changes_nothing(
    ketnoi, operator, until, unique
) -> None:
    body = {
        "title": f"Máy {unique}",
        "description": f"Cần máy {unique}",
        "language": "vi",
        "kind": "APPLICATION",
        "status": "PUBLISHED",
    }
    demand = operator.ok("PUT", f"/v1/demands/by-ref/cli/r-{unique}", json=body)
    path = f"/v1/demands/{demand['id']}/matches"

    def nothing_changed() -> bool:
        """False when a new epoch has begun meanwhile: it ranks every list anew by right."""
        until(lambda: not operator.ok("GET", path)["pending"])
        before = operator.ok("GET", path)
        assert "demand:" in ketnoi("republish", "demand")
        after = operator.ok("GET", path)
        if _epochs(before) != _epochs(after):
            return False
        assert after == before
        return True

    until(nothing_changed)
    ketnoi("republish", "nobody", expected=2)


def test_the_demo_prints_every_demand_with_its_matches(ketnoi) -> None:
    printed = ketnoi("demo")
    assert "MATCHED" in printed
    assert "NO_SUPPLY" in printed


def test_a_retrieval_set_is_measured_through_the_public_api(ketnoi, tmp_path) -> None:
    folder = tmp_path / "tiny"
    (folder / "dev").mkdir(parents=True)
    (folder / "META.json").write_text(json.dumps({"corpus": "corpus.jsonl"}))
    texts = {
        "a": "Heat pump dryer for tea leaves. Saves energy.",
        "b": "Welding robot for car bodies.",
        "c": "Membrane bioreactor for textile waste water.",
    }
    (folder / "corpus.jsonl").write_text(
        "".join(
            json.dumps({"id": key, "lang": "en", "text": text}) + "\n"
            for key, text in texts.items()
        )
    )
    (folder / "dev" / "queries.jsonl").write_text(
        json.dumps({"id": "q", "lang": "en", "text": "membrane bioreactor textile"}) + "\n"
    )
    (folder / "dev" / "qrels.tsv").write_text("query-id\tdoc-id\trelevance\nq\tc\t1\n")
    printed = ketnoi("demo", "--data", folder)
    assert "nDCG@10" in printed
    assert "1.0000" in printed
    assert "META.json" in ketnoi("demo", "--data", tmp_path, expected=2)
