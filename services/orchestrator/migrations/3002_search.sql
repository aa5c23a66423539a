-- What sagas can be found by, as their definitions say. Written once, with the row, so that no step touches the index.
ALTER TABLE saga.sagas ADD COLUMN search jsonb NOT NULL DEFAULT '{}';
CREATE INDEX sagas_search ON saga.sagas USING gin (search jsonb_path_ops) WHERE search <> '{}';
