import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceRecord;

/**
 * Runs Debezium's PostgreSQL connector and sends each change twice, through Kafka Connect's
 * own JSON converter: to TOPIC without schema block, to TOPIC.schema with it. Offsets are
 * written rarely, so that a process that is killed sends changes again when it comes back.
 *
 * Arguments: brokers, PostgreSQL port, directory for offsets.
 */
public class Feed {
    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.setProperty("name", "cdc");
        p.setProperty("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        p.setProperty("offset.storage", "org.apache.kafka.connect.storage.FileOffsetBackingStore");
        p.setProperty("offset.storage.file.filename", args[2] + "/offsets");
        p.setProperty("offset.flush.interval.ms", "3000");
        p.setProperty("database.hostname", "127.0.0.1");
        p.setProperty("database.port", args[1]);
        p.setProperty("database.user", "postgres");
        p.setProperty("database.password", "none");
        p.setProperty("database.dbname", "civil");
        p.setProperty("topic.prefix", "cdc");
        p.setProperty("plugin.name", "pgoutput");
        p.setProperty("table.include.list", "public.person,public.place");
        p.setProperty("skipped.operations", "none");
        p.setProperty("provide.transaction.metadata", "false");

        JsonConverter[] keys = {converter(false, true), converter(true, true)};
        JsonConverter[] values = {converter(false, false), converter(true, false)};
        String[] suffix = {"", ".schema"};
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
            Map.of("bootstrap.servers", args[0], "acks", "all", "linger.ms", "5"), new ByteArraySerializer(), new ByteArraySerializer());

        try (DebeziumEngine<RecordChangeEvent<SourceRecord>> engine = DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
                .using(p)
                .using((ok, message, error) -> {
                    System.err.println("engine ended: " + message);
                    if (error != null) {
                        error.printStackTrace();
                    }
                })
                .notifying((events, committer) -> {
                    List<Future<RecordMetadata>> sent = new ArrayList<>();
                    for (RecordChangeEvent<SourceRecord> event : events) {
                        SourceRecord r = event.record();
                        if (r.topic().startsWith("cdc.public.")) {
                            for (int i = 0; i < 2; i++) {
                                byte[] key = r.key() == null ? null : keys[i].fromConnectData(r.topic(), r.keySchema(), r.key());
                                byte[] value = r.value() == null ? null : values[i].fromConnectData(r.topic(), r.valueSchema(), r.value());
                                sent.add(producer.send(new ProducerRecord<>(r.topic() + suffix[i], key, value)));
                            }
                        }
                    }
                    for (Future<RecordMetadata> f : sent) {
                        try {
                            f.get();
                        } catch (java.util.concurrent.ExecutionException e) {
                            throw new RuntimeException(e);
                        }
                    }
                    for (RecordChangeEvent<SourceRecord> event : events) {
                        committer.markProcessed(event);
                    }
                    committer.markBatchFinished();
                })
                .build()) {
            engine.run();
        }
    }

    private static JsonConverter converter(boolean schemas, boolean key) {
        JsonConverter c = new JsonConverter();
        c.configure(Map.of("schemas.enable", schemas, "decimal.format", schemas ? "BASE64" : "NUMERIC"), key);
        return c;
    }
}
