"""The first version of the messaging tables, for a service's first migration.

Frozen: a change to the tables is a new function here and a new migration in each service.
The outbox is partitioned by month, so that old rows leave by DROP and not by DELETE.
"""

from alembic import op

_TABLES = """
CREATE TABLE outbox (
    created_at timestamptz NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    event_id uuid NOT NULL,
    type varchar(128) NOT NULL,
    aggregate_id uuid NOT NULL,
    aggregate_version integer NOT NULL,
    data bytea NOT NULL,
    db_epoch integer NOT NULL,
    traceparent varchar(55),
    correlation_id varchar(64),
    causation_id varchar(64),
    published_at timestamptz,
    stream_seq bigint,
    PRIMARY KEY (created_at, seq)
) PARTITION BY RANGE (created_at);
CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT;
CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX outbox_stream_seq ON outbox USING brin (stream_seq);

CREATE TABLE relay_state (
    is_only_row boolean PRIMARY KEY CHECK (is_only_row),
    stream_created_at timestamptz,
    last_seq bigint NOT NULL,
    dropped_before timestamptz
);
INSERT INTO relay_state VALUES (true, NULL, 0, NULL);

CREATE TABLE inbox (
    consumer varchar(64) NOT NULL,
    event_id uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_received ON inbox (received_at);

CREATE TABLE dead_letter (
    consumer varchar(64) NOT NULL,
    message_id varchar(128) NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    subject text NOT NULL,
    headers text NOT NULL,
    data bytea NOT NULL,
    error text NOT NULL,
    attempts smallint NOT NULL,
    state varchar(16) NOT NULL
        CHECK (state IN ('RETRYING', 'OPEN', 'REDRIVE', 'REDRIVEN', 'DISCARDED')),
    next_attempt_at timestamptz,
    history jsonb NOT NULL DEFAULT '[]',
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, message_id)
);
CREATE INDEX dead_letter_waiting ON dead_letter (consumer, state)
    WHERE state IN ('RETRYING', 'OPEN', 'REDRIVE');

CREATE TABLE db_epoch (epoch integer PRIMARY KEY);
INSERT INTO db_epoch VALUES (1);
"""

# Runs with the owner's rights: the service itself may not create or drop tables.
_PARTITIONS = """
CREATE FUNCTION maintain_outbox(keep_days integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month date;
    part record;
    pending boolean;
BEGIN
    FOR ahead IN 0..2 LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC')::date
            + make_interval(months => ahead);
        IF to_regclass('outbox_' || to_char(month, 'YYYYMM')) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
                'outbox_' || to_char(month, 'YYYYMM'),
                to_char(month, 'YYYY-MM-DD') || ' 00:00+00',
                to_char(month + interval '1 month', 'YYYY-MM-DD') || ' 00:00+00'
            );
        END IF;
    END LOOP;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_[0-9]{6}$'
          AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month'
              < now() - make_interval(days => keep_days)
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE published_at IS NULL)', part.relname)
            INTO pending;
        IF NOT pending THEN
            EXECUTE format('DROP TABLE %I', part.relname);
            INSERT INTO relay_state AS r (is_only_row, last_seq, dropped_before)
            VALUES (true, 0, to_date(right(part.relname, 6), 'YYYYMM') + interval '1 month')
            ON CONFLICT (is_only_row) DO UPDATE
            SET dropped_before = greatest(r.dropped_before, EXCLUDED.dropped_before);
        END IF;
    END LOOP;
END $$;
"""


def create_messaging_tables() -> None:
    """Create outbox, inbox, dead letters and epoch in the schema of the running migration."""
    for statement in _TABLES.strip().split(";\n"):
        op.execute(statement)
    op.execute(_PARTITIONS)
    op.execute("SELECT maintain_outbox(90)")
