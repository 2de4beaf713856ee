package goldnode.jvm;

import java.util.List;
import java.util.Map;
import java.util.logging.Level;

/** How much a node logs, in words that hold for whatever it logs with. */
public final class LogLevel {
    /** From the least to the most. */
    static final List<String> NAMES = List.of("error", "warn", "info", "debug", "trace");

    private static final Map<String, Level> JUL = Map.of("error", Level.SEVERE, "warn", Level.WARNING,
            "info", Level.INFO, "debug", Level.FINE, "trace", Level.FINEST);

    private LogLevel() {}

    /** The same in {@code java.util.logging}. */
    public static Level level(String name) {
        Level level = JUL.get(name);
        if (level == null) {
            throw new IllegalArgumentException("\"" + name + "\" is no log level: " + String.join(", ", NAMES));
        }
        return level;
    }
}
