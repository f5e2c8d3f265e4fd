"""Analysis, index, gates and scores: pure, no I/O but the package's own data files.

Numbers are small here (one query against a sparse matrix), so one BLAS thread is enough; more
would only cost memory.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
