"""`ketnoi vocabulary untagged`: what published texts say and the vocabulary has no word for."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.operator.api import Api

PATH = "/v1/vocabularies/technology/untagged"


def show_untagged(
    environment: Environment, language: str | None, limit: int, *, url: str | None
) -> None:
    """Print the most frequent phrases with some of the texts that they stand in."""
    params = {"limit": limit} | ({"language": language} if language else {})
    with Api.of(environment, url=url) as api:
        report = api.json("GET", PATH, params=params)
    table = Table("phrase", "language", "demands", "supplies", "for example")
    for item in report["items"]:
        table.add_row(
            escape(item["phrase"]),
            item["language"],
            str(item["demands"]),
            str(item["supplies"]),
            item["sample_ids"][0],
        )
    console = Console()
    console.print(table if table.row_count else "Every frequent phrase is covered.")
    console.print(f"{report['texts_read']:,} texts, vocabulary {report['version']}")
