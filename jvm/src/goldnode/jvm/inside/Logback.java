package goldnode.jvm.inside;

import goldnode.jvm.NodeLoader;

/** Logback's level, where the node has logback: it is asked by reflection, for most nodes have none. */
public final class Logback {
    private static final NodeLoader LOADER = (NodeLoader) Logback.class.getClassLoader();

    private Logback() {}

    /** Sets the root logger's level; does nothing without logback. */
    public static void at(String level) throws ReflectiveOperationException {
        if (LOADER.getResource("ch/qos/logback/classic/Logger.class") == null) {
            return;
        }
        Object root = Class.forName("org.slf4j.LoggerFactory", true, LOADER).getMethod("getLogger", String.class)
                .invoke(null, "ROOT");
        Class<?> type = Class.forName("ch.qos.logback.classic.Level", true, LOADER);
        Object value = type.getMethod("toLevel", String.class).invoke(null, level);
        root.getClass().getMethod("setLevel", type).invoke(root, value);
    }
}
