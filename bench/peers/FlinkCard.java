import java.util.concurrent.ExecutionException;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/**
 * The card-features job in Flink SQL: an OVER window by event time, RANGE of one hour, peers of one
 * millisecond seen by each other. It runs in a local cluster in this process.
 *
 * <p>Arguments: bootstrap servers, group id, input, output, delivery guarantee (`at-least-once` or
 * `exactly-once`), parallelism, URI of a directory for checkpoints.
 */
public final class FlinkCard {
    private static final String[] CATEGORIES =
            {"grocery", "fuel", "travel", "online", "dining", "cash", "health", "other"};

    private static String source(String servers, String group, String topic) {
        return """
            CREATE TABLE transactions (
              tx_id STRING, card_id STRING, category STRING, amount DOUBLE, lat DOUBLE, lon DOUBLE,
              channel STRING, ts BIGINT, event_time AS TO_TIMESTAMP_LTZ(ts, 3),
              WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
            ) WITH (
              'connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s',
              'properties.group.id' = '%s', 'scan.startup.mode' = 'earliest-offset',
              'properties.max.poll.records' = '10000', 'properties.max.partition.fetch.bytes' = '4000000',
              'value.format' = 'json')
            """.formatted(topic, servers, group);
    }

    private static String sink(String servers, String group, String topic, String guarantee) {
        StringBuilder oneHot = new StringBuilder();
        for (String category : CATEGORIES) {
            oneHot.append("category_").append(category).append(" INT, ");
        }
        return """
            CREATE TABLE features (
              tx_id STRING, card_id STRING, ts BIGINT, amount DOUBLE, amount_count_1h BIGINT,
              amount_sum_1h DOUBLE, amount_mean_1h DOUBLE, amount_std_1h DOUBLE, amount_max_1h DOUBLE,
              log_amount DOUBLE, lat_sin DOUBLE, lon DOUBLE, %s is_web INT
            ) WITH (
              'connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s',
              'key.format' = 'raw', 'key.fields' = 'card_id', 'value.format' = 'json',
              'sink.delivery-guarantee' = '%s', 'sink.transactional-id-prefix' = '%s',
              'properties.transaction.timeout.ms' = '600000', 'properties.compression.type' = 'lz4',
              'properties.batch.size' = '1000000', 'properties.linger.ms' = '20')
            """.formatted(oneHot, topic, servers, guarantee, group);
    }

    private static String job() {
        StringBuilder oneHot = new StringBuilder();
        for (String category : CATEGORIES) {
            oneHot.append("CASE WHEN category = '").append(category).append("' THEN 1 ELSE 0 END, ");
        }
        return """
            INSERT INTO features
            SELECT tx_id, card_id, ts, amount, COUNT(amount) OVER w, SUM(amount) OVER w, AVG(amount) OVER w,
              STDDEV_SAMP(amount) OVER w, MAX(amount) OVER w, LN(amount + 1), SIN(lat / 10), lon,
              %s CASE WHEN channel = 'web' THEN 1 ELSE 0 END
            FROM transactions
            WINDOW w AS (PARTITION BY card_id ORDER BY event_time
              RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW)
            """.formatted(oneHot);
    }

    public static void main(String[] arguments) throws ExecutionException, InterruptedException {
        String[] a = arguments;
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", a[5]);
        // Checkpoints are too large for the job manager's memory, and often ones hold the job up.
        settings.setString("execution.checkpointing.interval", "10 s");
        settings.setString("execution.checkpointing.dir", a[6]);
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("taskmanager.numberOfTaskSlots", a[5]);
        var environment = TableEnvironment.create(
                EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
        environment.executeSql(source(a[0], a[1], a[2]));
        environment.executeSql(sink(a[0], a[1], a[3], a[4]));
        environment.executeSql(job()).await();
    }
}
