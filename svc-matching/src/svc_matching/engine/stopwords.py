"""Stop words by language, from `stopwords.toml`."""

import tomllib
from importlib.resources import files

_RAW = tomllib.loads(files(__package__).joinpath("stopwords.toml").read_text("utf-8"))

ENGLISH = frozenset(_RAW["en"].split())
GERMAN = frozenset(_RAW["de"].split())
VIETNAMESE = frozenset(_RAW["vi"].split())
