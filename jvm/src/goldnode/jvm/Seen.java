package goldnode.jvm;

import java.util.concurrent.TimeUnit;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;

/**
 * What a node tells of its chain, by a bean {@code goldnode:type=Chain} of its own; docs/multi-node.md has
 * the attributes, each of which it may leave out.
 *
 * @param height height of its newest block; -1 while it has none or does not tell
 * @param head hash of that block; empty when it does not tell
 * @param peers how many peers it is connected to; -1 when it does not tell
 * @param ready whether it says that it can work; true when it does not tell
 * @param nanos when it was asked, as {@link System#nanoTime} has it
 */
record Seen(long height, String head, long peers, boolean ready, long nanos) {
    /** A node that does not answer for so long is not ready, whatever its port says. */
    private static final long STALE = TimeUnit.SECONDS.toNanos(30);

    private static final ObjectName CHAIN = name();

    /**
     * Asks a node; its own code answers, on the caller's thread.
     *
     * @param peers what it told of its peers, on another thread
     */
    static Seen of(MBeanServer beans, long peers) {
        boolean tells = beans.isRegistered(CHAIN);
        long height = tells && value(beans, "Height") instanceof Number number ? number.longValue() : -1;
        String head = tells && value(beans, "Head") instanceof String text ? text : "";
        boolean ready = !tells || !Boolean.FALSE.equals(value(beans, "Ready"));
        return new Seen(height, head, peers, ready, System.nanoTime());
    }

    /** Asks for its peers alone: a node may hold them locked as long as it connects to one that does not answer. */
    static long peers(MBeanServer beans) {
        return beans.isRegistered(CHAIN) && value(beans, "Peers") instanceof Number number ? number.longValue() : -1;
    }

    /** Of a node that was not asked yet. */
    static Seen nothing() {
        return new Seen(-1, "", -1, true, System.nanoTime());
    }

    /** Whether the node could work when it was asked, a moment ago. */
    boolean works() {
        return ready && System.nanoTime() - nanos < STALE;
    }

    private static Object value(MBeanServer beans, String attribute) {
        try {
            return beans.getAttribute(CHAIN, attribute);
        } catch (JMException | RuntimeException none) {
            return null;
        }
    }

    private static ObjectName name() {
        try {
            return new ObjectName("goldnode:type=Chain");
        } catch (MalformedObjectNameException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
