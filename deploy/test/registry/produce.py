"""Sends rows with Confluent's own serialisers: produce.py REGISTRY KAFKA KEY, with
check_pb2 beside it. Ids run to 2^53 + 1, which a float does not hold."""

import sys
from datetime import datetime, timezone
from decimal import Decimal

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

import check_pb2

registry, kafka, key = sys.argv[1:4]
client = SchemaRegistryClient({"url": registry, "basic.auth.user.info": "check:" + key})
producer = Producer({"bootstrap.servers": kafka, "acks": "all"})
at = datetime(2026, 11, 27, 8, 0, 0, 123000, tzinfo=timezone.utc)
big = 9007199254740993

avro = AvroSerializer(client, """{"type":"record","name":"Check","namespace":"check","fields":[{"name":"id","type":"long"},
 {"name":"who","type":["null",{"type":"record","name":"Who","fields":[{"name":"name","type":"string"}]}]},
 {"name":"amount","type":["null",{"type":"bytes","logicalType":"decimal","precision":18,"scale":2}]},
 {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}""")
schema = """{"$schema":"http://json-schema.org/draft-07/schema#","title":"Check","type":"object","required":["id"],
 "properties":{"id":{"type":"integer"},"who":{"type":"object","properties":{"name":{"type":"string"}}},"amount":{"type":"number"},"at":{"type":"string"}}}"""
json = JSONSerializer(schema, client)
proto = ProtobufSerializer(check_pb2.Check, client, {"use.deprecated.format": False})

def row_avro(i):
    return {"id": i, "who": {"name": "𬭊㑇𰻞"}, "amount": Decimal("1234.56"), "at": at}

def row_json(i):
    return {"id": i, "who": {"name": "𬭊㑇𰻞"}, "amount": 1234.56, "at": "2026-11-27T16:00:00.123+08:00"}

def row_proto(i):
    m = check_pb2.Check(id=i, who=check_pb2.Check.Who(name="𬭊㑇𰻞"), amount="1234.56")
    m.at.FromDatetime(at)
    return m

for name, serialise, row in ("avro", avro, row_avro), ("json", json, row_json), ("protobuf", proto, row_proto):
    topic = "check." + name
    where = SerializationContext(topic, MessageField.VALUE)
    for i in (*range(1, 20), big):
        producer.produce(topic, key=f'{{"id":{i}}}', value=serialise(row(i), where))
    producer.produce(topic, key='{"id":1}', value=None)  # deleted again
    producer.produce(topic, key='{"id":99}', value=b"damaged")
left = producer.flush(30)
assert left == 0, f"{left} not delivered"

# A schema that breaks what is registered is refused, and says so to Confluent's client.
try:
    AvroSerializer(client, '{"type":"record","name":"Check","namespace":"check","fields":[{"name":"id","type":"string"}]}')(
        {"id": "x"}, SerializationContext("check.avro", MessageField.VALUE))
    sys.exit("an incompatible schema was registered")
except SchemaRegistryError as e:
    assert e.http_status_code == 409, e
# So is a subject of somebody else.
try:
    AvroSerializer(client, '{"type":"record","name":"R","fields":[]}')({}, SerializationContext("mulu.resident", MessageField.VALUE))
    sys.exit("another department's subject was registered")
except SchemaRegistryError as e:
    assert e.http_status_code == 403, e
print("sent", sorted(client.get_subjects()))
