"""Stop words by language, from `stopwords.toml`."""

import tomllib
from importlib.resources import files

from shared.kernel.text import strip_marks

_RAW = tomllib.loads(files(__package__).joinpath("stopwords.toml").read_text("utf-8"))

ENGLISH = frozenset(_RAW["en"].split())
GERMAN = frozenset(_RAW["de"].split())
VIETNAMESE = frozenset(_RAW["vi"].split())
VIETNAMESE_FOLDED = frozenset(strip_marks(word) for word in VIETNAMESE)
