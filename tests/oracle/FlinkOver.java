import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * What Flink SQL's OVER window by event time makes of a stream: all aggregates over each frame, a line per record.
 *
 * <p>Arguments: a file of lines `n,key,ms,x` in the order of arrival (an empty x is null), how far the watermark is behind
 * in milliseconds, SQL expressions to compute, then the frames. It prints `frame|n|value|value|..`, where the frame is
 * counted from 0.
 *
 * <p>The watermark goes on with each record, not with the clock, and what is at or behind it then is left out, as the
 * SQL documentation has it (`CURRENT_WATERMARK`): the window itself would take a late record as long as none of its key
 * has been released since.
 */
public final class FlinkOver {
    private static Row row(String line) {
        String[] cells = line.split(",", -1);
        Double x = cells[3].isEmpty() ? null : Double.valueOf(cells[3]);
        return Row.of(Long.valueOf(cells[0]), cells[1], Long.valueOf(cells[2]), x);
    }

    private static String query(String computed, String frame) {
        return """
            SELECT n, %s FROM (
              SELECT * FROM events WHERE CURRENT_WATERMARK(t) IS NULL OR t > CURRENT_WATERMARK(t))
            WINDOW w AS (PARTITION BY k ORDER BY t %s)
            """.formatted(computed, frame);
    }

    public static void main(String[] arguments) throws Exception {
        // Nothing of this class goes to the cluster: a class that is launched from source is not found there.
        List<Row> records = Files.readAllLines(Path.of(arguments[0])).stream().map(FlinkOver::row).toList();
        Configuration settings = new Configuration();
        settings.setString("parallelism.default", "1");
        settings.setString("pipeline.auto-watermark-interval", "0 ms");
        settings.setString("table.local-time-zone", "UTC");
        var environment = StreamExecutionEnvironment.getExecutionEnvironment(settings);
        var tables = StreamTableEnvironment.create(environment);
        var rows = environment.fromData(records, Types.ROW_NAMED(
                new String[] {"n", "k", "ms", "x"}, Types.LONG, Types.STRING, Types.LONG, Types.DOUBLE));
        String behind = "t - INTERVAL '%d.%03d' SECOND".formatted(
                Long.parseLong(arguments[1]) / 1000, Long.parseLong(arguments[1]) % 1000);
        var schema = Schema.newBuilder()
                .column("n", "BIGINT").column("k", "STRING").column("ms", "BIGINT").column("x", "DOUBLE")
                .columnByExpression("t", "TO_TIMESTAMP_LTZ(ms, 3)")
                .watermark("t", behind)
                .build();
        tables.createTemporaryView("events", rows, schema);
        var out = new StringBuilder();
        for (int frame = 3; frame < arguments.length; frame++) {
            try (CloseableIterator<Row> found = tables.executeSql(query(arguments[2], arguments[frame])).collect()) {
                while (found.hasNext()) {
                    Row row = found.next();
                    out.append(frame - 3);
                    for (int field = 0; field < row.getArity(); field++) {
                        Object value = row.getField(field);
                        out.append('|').append(value == null ? "" : value);
                    }
                    out.append('\n');
                }
            }
        }
        System.out.print(out);
    }
}
