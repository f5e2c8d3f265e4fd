"""`make bench-matching`: the engine by itself, beside its peers, on made-up documents.

- Ours is a whole demand: 200 words that ask in two or three ways, all gates and components, the
  list of 20 with its arithmetic; then the words of all 20, which the service finds when somebody
  reads them. Peers are asked for the best 100 by the demand's own words and nothing else, so the
  line to compare them with is «own words alone».
- Peers get our impacts (scipy, pgvector) or term frequencies made of them (tantivy, bm25s,
  ts_rank), and weigh those by their own rules: times are comparable, rankings are not.
- Documents are made up: no relevance can be measured on them (`make quality` does that), and how
  much of an index a query touches depends on their Zipfian vocabulary.
- Nothing is estimated: what does not fit into memory or time is shown as not measured.
"""
