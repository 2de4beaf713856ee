package goldnode.jvm;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the JVM as a whole uses: the figures that all nodes share. */
final class Machine {
    private static final long FINALIZERS_MILLIS = 200;

    private Machine() {}

    /** The present figures, in bytes and counts. */
    static Map<String, Object> figures(Nodes nodes) {
        Map<String, Object> figures = new LinkedHashMap<>();
        figures.put("heap_bytes", ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
        figures.put("metaspace_bytes", metaspace());
        figures.put("threads", ManagementFactory.getThreadMXBean().getThreadCount());
        figures.put("classes", ManagementFactory.getClassLoadingMXBean().getLoadedClassCount());
        figures.put("node_loaders", nodes.all().stream().mapToInt(Node::loadersAlive).sum());
        return figures;
    }

    /** The figures after everything that can be collected has been; a second of work, for troubleshooting. */
    static Map<String, Object> settled(Nodes nodes) {
        try {
            for (int round = 0; round < 3; round++) {
                System.gc();
                Thread.sleep(FINALIZERS_MILLIS); // what waits for its finalizer is collected a round later
            }
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return figures(nodes);
    }

    private static long metaspace() {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getName().equals("Metaspace"))
                .map(MemoryPoolMXBean::getUsage)
                .mapToLong(usage -> usage.getUsed())
                .sum();
    }
}
