-- A database and a role for each service, and one for the schema registry: no service can read another's tables.
-- Run once by psql as the superuser, with the passwords in its environment; the tables are made by `migrate`.
\set ON_ERROR_STOP on
\getenv order_password ORDER_DB_PASSWORD
\getenv order_read_password ORDER_READ_DB_PASSWORD
\getenv inventory_password INVENTORY_DB_PASSWORD
\getenv payment_password PAYMENT_DB_PASSWORD
\getenv shipping_password SHIPPING_DB_PASSWORD
\getenv orchestrator_password ORCHESTRATOR_DB_PASSWORD
\getenv registry_password REGISTRY_DB_PASSWORD

CREATE ROLE "order" LOGIN PASSWORD :'order_password';
CREATE ROLE order_read LOGIN PASSWORD :'order_read_password';
CREATE ROLE inventory LOGIN PASSWORD :'inventory_password';
CREATE ROLE payment LOGIN PASSWORD :'payment_password';
CREATE ROLE shipping LOGIN PASSWORD :'shipping_password';
CREATE ROLE orchestrator LOGIN PASSWORD :'orchestrator_password';
CREATE ROLE registry LOGIN PASSWORD :'registry_password';

CREATE DATABASE "order" OWNER "order";
CREATE DATABASE order_read OWNER order_read;
CREATE DATABASE inventory OWNER inventory;
CREATE DATABASE payment OWNER payment;
CREATE DATABASE shipping OWNER shipping;
CREATE DATABASE orchestrator OWNER orchestrator;
CREATE DATABASE registry OWNER registry;

REVOKE CONNECT ON DATABASE "order", order_read, inventory, payment, shipping, orchestrator, registry FROM PUBLIC;
