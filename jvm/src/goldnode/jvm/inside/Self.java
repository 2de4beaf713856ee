package goldnode.jvm.inside;

import goldnode.jvm.NodeLoader;
import goldnode.jvm.Owner;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLStreamHandlerFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Collections;
import java.util.Properties;
import java.util.ServiceLoader;
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

    /** A thread that serves all nodes has the host's, which sees nothing of this one. */
    public static ClassLoader getContextClassLoader(Thread thread) {
        ClassLoader loader = thread.getContextClassLoader();
        return loader == ClassLoader.getSystemClassLoader() ? LOADER : loader;
    }

    public static <S> ServiceLoader<S> load(Class<S> service) {
        ClassLoader loader = getContextClassLoader(Thread.currentThread());
        return ServiceLoader.load(service, loader == null ? LOADER : loader);
    }

    public static void setURLStreamHandlerFactory(URLStreamHandlerFactory factory) {
        if (OWNER.own().factory != null) {
            throw new Error("factory already defined");
        }
        OWNER.own().factory = factory;
    }

    public static File createTempFile(String prefix, String suffix) throws IOException {
        return File.createTempFile(prefix, suffix, temporary().toFile());
    }

    public static File createTempFile(String prefix, String suffix, File folder) throws IOException {
        return File.createTempFile(prefix, suffix, folder == null ? temporary().toFile() : folder);
    }

    public static Path createTempFile(String prefix, String suffix, FileAttribute<?>[] attributes) throws IOException {
        return Files.createTempFile(temporary(), prefix, suffix, attributes);
    }

    public static Path createTempDirectory(String prefix, FileAttribute<?>[] attributes) throws IOException {
        return Files.createTempDirectory(temporary(), prefix, attributes);
    }

    public static void deleteOnExit(File file) {
        OWNER.own().deletions.addFirst(file.getPath());
    }

    /** The JVM gives a native library to one class loader only: each further node gets a copy of its own. */
    public static void load(String path) throws IOException {
        try {
            System.load(path);
        } catch (UnsatisfiedLinkError error) {
            if (!String.valueOf(error.getMessage()).contains("already loaded in another classloader")) {
                throw error;
            }
            Path file = Path.of(path);
            Path copy = Files.createTempDirectory(temporary(), "native").resolve(file.getFileName());
            System.load(Files.copy(file, copy).toString());
        }
    }

    public static void load(Runtime runtime, String path) throws IOException {
        load(path);
    }

    private static Path temporary() {
        return Path.of(OWNER.properties().getProperty("java.io.tmpdir"));
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
