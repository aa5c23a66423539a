"""Publishes one message as any foreign program would: the registry's schema, an Avro library, a Kafka client.

Usage: foreign.py TOPIC TYPE KEY DATA_AS_JSON
"""

import datetime
import io
import json
import os
import struct
import sys
import urllib.request
import uuid

import fastavro
from confluent_kafka import Producer

topic, kind, key, data = sys.argv[1:]

with urllib.request.urlopen(f"{os.environ['SCHEMA_REGISTRY_URL']}/subjects/{topic}-value/versions/latest") as answer:
    registered = json.load(answer)
schema = fastavro.parse_schema(json.loads(registered["schema"]))
union = next(field["type"] for field in schema["fields"] if field["name"] == "data")
record = next(member["name"] for member in union if member["name"].rpartition(".")[2] == kind)

envelope = {
    "event_id": str(uuid.uuid4()),
    "event_type": kind,
    "event_version": 1,
    "aggregate_id": key,
    "aggregate_type": "Order",
    "occurred_at": datetime.datetime.now(datetime.timezone.utc),
    "correlation_id": str(uuid.uuid4()),
    "causation_id": None,
    "user_id": None,
    "metadata": {"source": "a python program"},
    "data": (record, json.loads(data)),
}
value = io.BytesIO()
value.write(struct.pack(">bI", 0, registered["id"]))
fastavro.schemaless_writer(value, schema, envelope)

failures = []
producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"], "partitioner": "murmur2_random"})
producer.produce(topic, key=key, value=value.getvalue(), on_delivery=lambda error, _: error and failures.append(error))
left = producer.flush(60)
if left or failures:
    sys.exit(f"not delivered: {failures or 'no answer'}")
