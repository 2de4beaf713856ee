package goldnode.jvm;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Properties;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.logging.StreamHandler;

/**
 * {@code java.util.logging}, with loggers, levels and handlers of its own for each node.
 *
 * <p>Named by the property {@code java.util.logging.manager}, as application servers do it. Loggers that
 * the JDK has for itself stay the JVM's; what they say on a node's thread goes to that node's log.
 */
public final class NodeLogs extends LogManager {
    /** Called by the JDK. */
    public NodeLogs() {}

    private static LogManager own() {
        Owner owner = Keeper.caller();
        return owner == null ? null : owner.own().logs();
    }

    @Override
    public boolean addLogger(Logger logger) {
        LogManager own = own();
        return own == null ? super.addLogger(logger) : own.addLogger(logger);
    }

    @Override
    public Logger getLogger(String name) {
        LogManager own = own();
        return own == null ? super.getLogger(name) : own.getLogger(name);
    }

    @Override
    public Enumeration<String> getLoggerNames() {
        LogManager own = own();
        return own == null ? super.getLoggerNames() : own.getLoggerNames();
    }

    @Override
    public String getProperty(String name) {
        LogManager own = own();
        return own == null ? super.getProperty(name) : own.getProperty(name);
    }

    @Override
    public void reset() {
        LogManager own = own();
        if (own == null) {
            super.reset();
        } else {
            own.reset();
        }
    }

    @Override
    public void readConfiguration(InputStream stream) throws IOException {
        LogManager own = own();
        if (own == null) {
            super.readConfiguration(stream);
        } else {
            own.readConfiguration(stream);
        }
    }

    @Override
    public void readConfiguration() throws IOException {
        if (own() instanceof Own own) {
            own.begin();
        } else {
            super.readConfiguration();
        }
    }

    /** One node's. */
    static final class Own extends LogManager {
        private final Owner owner;
        private final Logger root = new Root();
        private final Properties configured = new Properties();

        Own(Owner owner) {
            this.owner = owner;
        }

        /** Gives the root logger its handler, whose formatter already asks the node's log manager. */
        void open() {
            root.setLevel(Level.INFO);
            root.addHandler(new Lines(owner));
            addLogger(root);
        }

        /** Has it log so much, from the root logger down. */
        void at(Level level) {
            root.setLevel(level);
        }

        /** Reads the file that the node's property {@code java.util.logging.config.file} names, if it names one. */
        void begin() throws IOException {
            String file = owner.properties().getProperty("java.util.logging.config.file");
            if (file != null) {
                try (InputStream stream = Files.newInputStream(Path.of(file))) {
                    readConfiguration(stream);
                }
            }
        }

        @Override
        public void readConfiguration(InputStream stream) throws IOException {
            reset();
            configured.clear();
            configured.load(stream);
            root.setLevel(Level.parse(configured.getProperty(".level", "INFO").strip()));
            for (String name : configured.getProperty("handlers", "").strip().split("[\\s,]+")) {
                root.addHandler(handler(name));
            }
            for (String name : Collections.list(getLoggerNames())) {
                configure(getLogger(name));
            }
        }

        @Override
        public boolean addLogger(Logger logger) {
            configure(logger);
            return super.addLogger(logger);
        }

        @Override
        public String getProperty(String name) {
            return configured.getProperty(name);
        }

        private void configure(Logger logger) {
            String level = logger == null ? null : configured.getProperty(logger.getName() + ".level");
            if (level != null) {
                logger.setLevel(Level.parse(level.strip()));
            }
        }

        /** The console is the node's log; any other handler is a class of the JDK or of the node. */
        private Handler handler(String name) throws IOException {
            if (name.isEmpty() || name.equals("java.util.logging.ConsoleHandler")) {
                return new Lines(owner);
            }
            try {
                ClassLoader loader = Thread.currentThread().getContextClassLoader();
                return (Handler) Class.forName(name, true, loader).getDeclaredConstructor().newInstance();
            } catch (ReflectiveOperationException error) {
                throw new IOException("java.util.logging: no handler " + name, error);
            }
        }
    }

    private static final class Root extends Logger {
        Root() {
            super("", null);
        }
    }

    /** Writes each record at once, as the JDK's handler for the console does. */
    private static final class Lines extends StreamHandler {
        Lines(Owner owner) {
            super(owner.out(), new SimpleFormatter());
            setLevel(Level.ALL);
        }

        @Override
        public synchronized void publish(LogRecord record) {
            super.publish(record);
            flush();
        }

        @Override
        public synchronized void close() {
            flush(); // the stream is the node's log, which others write to as well
        }
    }
}
