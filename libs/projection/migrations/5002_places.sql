-- Places in a store of events are pairs, transaction first; those in topics have no transaction, which is 0. So a store is
-- read like a topic: the same fence, the same holds, the same comparison of two versions.
ALTER TABLE projection.checkpoints
    ADD COLUMN transaction_id   bigint NOT NULL DEFAULT 0,
    ADD COLUMN hold_transaction bigint;
