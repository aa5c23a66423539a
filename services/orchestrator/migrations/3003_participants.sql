-- Circuit breakers: one row for each participant whose breaker was ever open, by the topic of its commands. Written only
-- when it opens or closes; no saga is written when its deadlines move.
CREATE TABLE saga.participants (
    topic     text PRIMARY KEY,
    -- Absent while it is closed.
    opened_at timestamptz,
    -- The person who opened it; absent when silence did.
    opened_by text,
    reason    text
);

-- The openings of the recent past: how far deadlines of attempts have moved that began before they ended.
CREATE TABLE saga.openings (
    topic     text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz NOT NULL
);
CREATE INDEX openings_closed ON saga.openings (closed_at);
