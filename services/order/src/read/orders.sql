-- One row an order, with everything that is shown of it. Columns are facts; `status` follows from those that are there.
CREATE TABLE orders (
    order_id         uuid PRIMARY KEY,
    status           text NOT NULL DEFAULT 'draft',
    customer_id      uuid,
    customer_name    text,
    customer_email   text,
    items            jsonb NOT NULL DEFAULT '[]',
    total_amount     bigint NOT NULL DEFAULT 0,
    currency         text,
    shipping_address jsonb,
    flow             text,
    payment_id       uuid,
    tracking_number  text,
    carrier          text,
    placed_at        timestamptz,
    reserved_at      timestamptz,
    confirmed_at     timestamptz,
    shipped_at       timestamptz,
    delivered_at     timestamptz,
    cancelled_at     timestamptz,
    reason           text,
    version          bigint NOT NULL DEFAULT 0,
    shipment_version bigint NOT NULL DEFAULT 0,
    last_updated     timestamptz
) WITH (fillfactor = 80);
-- No plan looks at them; autovacuum would compare them document by document.
ALTER TABLE orders ALTER COLUMN items SET STATISTICS 0, ALTER COLUMN shipping_address SET STATISTICS 0;
-- Newest first, for everybody, for one customer and for one status; the order's id makes pages exact.
CREATE INDEX orders_by_time ON orders (placed_at, order_id);
CREATE INDEX orders_by_customer ON orders (customer_id, placed_at, order_id);
CREATE INDEX orders_by_status ON orders (status, placed_at, order_id);

-- Names and addresses, so that orders placed later have them. A row without a name is a customer nobody has told of.
CREATE TABLE customers (
    customer_id uuid PRIMARY KEY,
    name        text,
    email       text,
    known_at    timestamptz
);

-- What a customer's orders come to, by currency.
CREATE TABLE customer_totals (
    customer_id uuid NOT NULL,
    currency    text NOT NULL,
    orders      bigint NOT NULL,
    cancelled   bigint NOT NULL,
    amount      bigint NOT NULL,
    PRIMARY KEY (customer_id, currency)
)
