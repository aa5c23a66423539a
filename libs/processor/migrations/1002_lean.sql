-- No plan looks at what these hold; autovacuum would compare it, document by document, for statistics.
ALTER TABLE processor.outbox ALTER COLUMN records SET STATISTICS 0;
ALTER TABLE processor.timers ALTER COLUMN payload SET STATISTICS 0, ALTER COLUMN trace SET STATISTICS 0;
ALTER TABLE processor.jobs ALTER COLUMN payload SET STATISTICS 0, ALTER COLUMN trace SET STATISTICS 0;
