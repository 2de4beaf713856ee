package goldnode.jvm;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * CPU time and bytes that the threads of one life have used, those that are over among them.
 *
 * <p>The JVM counts by thread and forgets a thread that ends, so the threads are read each second: what one
 * used in its last second is lost. Work on virtual threads is counted by no JVM.
 */
final class Usage {
    private record Counted(long nanos, long bytes) {}

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final Map<Long, Counted> now = new HashMap<>();
    private long endedNanos;
    private long endedBytes;

    /** Reads the threads that there are. */
    synchronized void read(List<Thread> live) {
        Map<Long, Counted> before = new HashMap<>(now);
        now.clear();
        long[] ids = live.stream().filter(thread -> !VirtualThreads.is(thread)).mapToLong(Usage::id).toArray();
        long[] nanos = THREADS.getThreadCpuTime(ids);
        long[] bytes = THREADS.getThreadAllocatedBytes(ids);
        for (int index = 0; index < ids.length; index++) {
            Counted known = before.remove(ids[index]);
            now.put(ids[index], nanos[index] >= 0 || known == null
                    ? new Counted(Math.max(0, nanos[index]), Math.max(0, bytes[index])) : known);
        }
        for (Counted over : before.values()) {
            endedNanos += over.nanos();
            endedBytes += over.bytes();
        }
    }

    /** CPU time, in milliseconds. */
    synchronized long cpuMillis() {
        return (endedNanos + now.values().stream().mapToLong(Counted::nanos).sum()) / 1_000_000;
    }

    /** Bytes allocated. */
    synchronized long allocated() {
        return endedBytes + now.values().stream().mapToLong(Counted::bytes).sum();
    }

    @SuppressWarnings("deprecation") // its successor is not in Java 17
    private static long id(Thread thread) {
        return thread.getId();
    }
}
