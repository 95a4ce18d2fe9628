import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowBytesStoreSupplier;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The card-features job in Kafka Streams: Processor API, one window store of amounts per card, the
 * vector of each record as of its own event time.
 *
 * <p>Arguments: bootstrap servers, application id, input, output, processing guarantee, threads, state
 * directory.
 */
public final class KafkaStreamsCard {
    private static final String AMOUNTS = "amounts";
    private static final Duration HOUR = Duration.ofHours(1);
    private static final Duration LATENESS = Duration.ofSeconds(5);
    private static final String[] CATEGORIES =
            {"grocery", "fuel", "travel", "online", "dining", "cash", "health", "other"};

    /** A card transaction; what no feature needs is not read. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Transaction(
            String tx_id, String card_id, String category, Double amount, double lat, double lon,
            String channel, long ts) {}

    /** JSON as the documentation of Kafka Streams advises: a serde over Jackson. */
    private static <T> Serde<T> json(Class<T> type) {
        ObjectMapper mapper = new ObjectMapper();
        var reader = mapper.readerFor(type);
        var writer = mapper.writer();
        return Serdes.serdeFrom(
                (topic, value) -> {
                    try {
                        return value == null ? null : writer.writeValueAsBytes(value);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                },
                (topic, bytes) -> {
                    try {
                        return bytes == null ? null : reader.readValue(bytes);
                    } catch (IOException error) {
                        throw new UncheckedIOException(error);
                    }
                });
    }

    /** Event time is a column of the record. */
    public static final class EventTime implements TimestampExtractor {
        @Override
        public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
            return ((Transaction) record.value()).ts();
        }
    }

    /** Puts a record into the window of its card and forwards its vector. */
    private static final class Features
            implements Processor<String, Transaction, String, Map<String, Object>> {
        private ProcessorContext<String, Map<String, Object>> context;
        private WindowStore<String, Double> amounts;

        @Override
        public void init(ProcessorContext<String, Map<String, Object>> context) {
            this.context = context;
            this.amounts = context.getStateStore(AMOUNTS);
        }

        @Override
        public void process(Record<String, Transaction> record) {
            Transaction transaction = record.value();
            if (transaction.amount() != null) {
                amounts.put(transaction.card_id(), transaction.amount(), transaction.ts());
            }
            context.forward(record.withValue(vector(transaction)));
        }

        private Map<String, Object> vector(Transaction of) {
            long count = 0;
            double sum = 0, max = Double.NEGATIVE_INFINITY, mean = 0, squares = 0;
            try (var held = amounts.fetch(of.card_id(), of.ts() - HOUR.toMillis(), of.ts())) {
                while (held.hasNext()) {
                    double amount = held.next().value;
                    count += 1;
                    sum += amount;
                    max = Math.max(max, amount);
                    double delta = amount - mean;
                    mean += delta / count;
                    squares += delta * (amount - mean);
                }
            }
            Map<String, Object> vector = new LinkedHashMap<>(32);
            vector.put("tx_id", of.tx_id());
            vector.put("card_id", of.card_id());
            vector.put("ts", of.ts());
            vector.put("amount", of.amount());
            vector.put("amount_count_1h", count);
            vector.put("amount_sum_1h", sum);
            vector.put("amount_mean_1h", count > 0 ? sum / count : null);
            vector.put("amount_std_1h", count > 1 ? Math.sqrt(squares / (count - 1)) : null);
            vector.put("amount_max_1h", count > 0 ? max : null);
            vector.put("log_amount", of.amount() == null ? null : Math.log(of.amount() + 1));
            vector.put("lat_sin", Math.sin(of.lat() / 10));
            vector.put("lon", of.lon());
            for (String category : CATEGORIES) {
                vector.put("category_" + category, category.equals(of.category()) ? 1 : 0);
            }
            vector.put("is_web", "web".equals(of.channel()) ? 1 : 0);
            return vector;
        }
    }

    private static Topology topology(String input, String output) {
        // The store that the documentation takes. The one in memory goes through the records of all
        // cards in the hour to find those of one: it did a thirtieth. A millisecond may hold several
        // amounts of a card.
        WindowBytesStoreSupplier supplier =
                Stores.persistentWindowStore(AMOUNTS, HOUR.plus(LATENESS), HOUR, true);
        Topology topology = new Topology();
        topology.addSource(AutoOffsetReset.earliest(), "input", new EventTime(),
                Serdes.String().deserializer(), json(Transaction.class).deserializer(), input);
        topology.addProcessor("features", Features::new, "input");
        topology.addStateStore(
                Stores.windowStoreBuilder(supplier, Serdes.String(), Serdes.Double()), "features");
        topology.addSink("output", output, Serdes.String().serializer(), json(Map.class).serializer(),
                "features");
        return topology;
    }

    public static void main(String[] arguments) throws InterruptedException {
        String[] a = arguments;
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, a[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, a[1]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, a[4]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, a[5]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, a[6]);
        // Commits stay as they are: every 100 ms with exactly_once_v2, every 30 s without.
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1_000_000);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 20);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4_000_000);
        KafkaStreams streams = new KafkaStreams(topology(a[2], a[3]), settings);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(20));
            ended.countDown();
        }));
        streams.start();
        ended.await();
    }
}
