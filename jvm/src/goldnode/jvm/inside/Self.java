package goldnode.jvm.inside;

import goldnode.jvm.NodeLoader;
import goldnode.jvm.Owner;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.URL;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Collections;
import java.util.Properties;
import javax.management.MBeanServer;

/**
 * Stands in, inside one node, for the JVM-wide methods and fields of the same names.
 *
 * <p>Every node's class loader defines its own copy, so the class itself knows whose code calls,
 * on whatever thread. The methods' contracts are those of the JDK's methods they replace; the list
 * that leads here is in {@code goldnode.jvm.Rewriter}.
 */
public final class Self {
    private static final NodeLoader LOADER = (NodeLoader) Self.class.getClassLoader();
    private static final Owner OWNER = LOADER.owner();

    public static volatile PrintStream out = OWNER.out();
    public static volatile PrintStream err = OWNER.out();

    private static volatile Properties properties = OWNER.properties();

    private Self() {}

    /**
     * Registers the JDBC drivers the node's jars declare.
     *
     * <p>DriverManager looks for drivers once per JVM, with the first node's loader, and shows a
     * driver only to classes of the loader that registered it: so each is loaded by name, from here.
     */
    public static void registerDrivers() throws ReflectiveOperationException {
        for (String name : LOADER.serviceNames(Driver.class.getName())) {
            Class.forName(name, true, LOADER);
        }
    }

    /** Takes this node's drivers out of the JVM-wide list again; only its own loader is allowed to. */
    public static void deregisterDrivers() throws SQLException {
        for (Driver driver : Collections.list(DriverManager.getDrivers())) {
            if (driver.getClass().getClassLoader() == LOADER) {
                DriverManager.deregisterDriver(driver);
            }
        }
    }

    public static void exit(int code) {
        OWNER.exit(code);
    }

    public static void exit(Runtime runtime, int code) {
        OWNER.exit(code);
    }

    public static void halt(Runtime runtime, int code) {
        OWNER.exit(code);
    }

    public static void addShutdownHook(Runtime runtime, Thread hook) {
        OWNER.addHook(hook);
    }

    public static boolean removeShutdownHook(Runtime runtime, Thread hook) {
        return OWNER.removeHook(hook);
    }

    public static String getProperty(String key) {
        return properties.getProperty(key);
    }

    public static String getProperty(String key, String fallback) {
        return properties.getProperty(key, fallback);
    }

    public static String setProperty(String key, String value) {
        return (String) properties.setProperty(key, value);
    }

    public static String clearProperty(String key) {
        return (String) properties.remove(key);
    }

    public static Properties getProperties() {
        return properties;
    }

    public static void setProperties(Properties replacement) {
        properties = replacement == null ? OWNER.properties() : replacement;
    }

    public static boolean getBoolean(String key) {
        return Boolean.parseBoolean(getProperty(key));
    }

    public static Integer getInteger(String key) {
        return number(key) == null ? null : Integer.valueOf(number(key).intValue());
    }

    public static Integer getInteger(String key, int fallback) {
        return number(key) == null ? Integer.valueOf(fallback) : Integer.valueOf(number(key).intValue());
    }

    public static Long getLong(String key) {
        return number(key);
    }

    public static Long getLong(String key, long fallback) {
        return number(key) == null ? Long.valueOf(fallback) : number(key);
    }

    public static void setOut(PrintStream stream) {
        out = stream;
    }

    public static void setErr(PrintStream stream) {
        err = stream;
    }

    public static void setDefaultUncaughtExceptionHandler(Thread.UncaughtExceptionHandler handler) {
        OWNER.setDefaultHandler(handler);
    }

    public static Thread.UncaughtExceptionHandler getDefaultUncaughtExceptionHandler() {
        return OWNER.defaultHandler();
    }

    public static MBeanServer getPlatformMBeanServer() {
        return OWNER.beans();
    }

    public static ClassLoader getSystemClassLoader() {
        return LOADER;
    }

    public static URL getSystemResource(String name) {
        return LOADER.getResource(name);
    }

    public static InputStream getSystemResourceAsStream(String name) {
        return LOADER.getResourceAsStream(name);
    }

    private static Long number(String key) {
        String value = key == null || key.isEmpty() ? null : getProperty(key);
        try {
            return value == null ? null : Long.decode(value);
        } catch (NumberFormatException none) {
            return null;
        }
    }
}
