package goldnode.jvm;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** All threads of one life of one node; a thread started by one of them belongs to the group by itself. */
final class NodeGroup extends ThreadGroup {
    /** Hears of what no code of the node caught. */
    interface Listener {
        void uncaught(Thread thread, Throwable error);
    }

    /** What is done to a node that does not end by itself. */
    interface Ending {
        /** Closes what it left open. */
        void close() throws InterruptedException;

        /** Lets none of its code begin any more. */
        void refuse() throws InterruptedException;
    }

    /** How long each of the two friendlier ways may take. */
    private static final long SHARE_MILLIS = 4000;
    /** How long one round of ending pools and threads may take before the next begins. */
    private static final long ROUND_MILLIS = 1000;

    private final Listener listener;
    private final NodeLoader loader;
    private final NodePools pools = new NodePools(this);

    NodeGroup(ThreadGroup parent, String name, NodeLoader loader, Listener listener) {
        super(parent, name);
        this.listener = listener;
        this.loader = loader;
    }

    @Override
    public void uncaughtException(Thread thread, Throwable error) {
        listener.uncaught(thread, error);
    }

    /** The node that all of these threads work for. */
    Owner owner() {
        return loader.owner();
    }

    NodeLoader loader() {
        return loader;
    }

    /** The node's part of what the JVM has for all. */
    NodePools pools() {
        return pools;
    }

    /** A thread of this node that does not keep it running, not yet started. */
    Thread daemon(String role, Runnable work) {
        Thread thread = thread(role, work);
        thread.setDaemon(true);
        return thread;
    }

    /** A thread of this node, not yet started. */
    Thread thread(String role, Runnable work) {
        Thread thread = new Thread(this, work, getName() + "-" + role);
        thread.setDaemon(false); // it would inherit this from whichever thread of the host is at work
        thread.setContextClassLoader(loader);
        return thread;
    }

    /** Live threads of the group and its subgroups, and those elsewhere that work with the node's classes. */
    List<Thread> live() {
        return every().filter(this::ours).toList();
    }

    /** Besides, threads of pools that all nodes share while they run code of this one; stops them all for a moment. */
    List<Thread> atWork() {
        Map<Thread, StackTraceElement[]> stacks = Thread.getAllStackTraces();
        return every().filter(thread -> ours(thread)
                || of(thread) == null && borrowed(stacks.getOrDefault(thread, new StackTraceElement[0]))).toList();
    }

    /** Live threads that keep a program running, as the JVM itself counts them. */
    List<Thread> working(Set<Thread> except) {
        return live().stream().filter(thread -> !thread.isDaemon() && !except.contains(thread)).toList();
    }

    /**
     * Waits until nothing of the node runs; at most as long as given.
     *
     * <p>First gently: forgotten pools are told to finish what they hold, for what still cleans up may
     * need them (gRPC closes its event loops a second later, on a timer). Then what it left open is closed,
     * and pools and threads are interrupted. What ignores that gets no further: {@link Ending#refuse}.
     */
    List<Thread> drain(long millis, Ending ending) throws InterruptedException {
        long share = Math.min(SHARE_MILLIS, millis / 3);
        List<Thread> left = drain(share, false);
        if (!left.isEmpty()) {
            ending.close();
            left = drain(share, true);
        }
        if (!left.isEmpty()) {
            ending.refuse();
            left = drain(millis - 2 * share, true);
        }
        return left;
    }

    private List<Thread> drain(long millis, boolean force) throws InterruptedException {
        long begun = System.nanoTime();
        List<Thread> left = atWork();
        for (long waited = 0; !left.isEmpty() && waited < millis;
                waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun)) {
            List<Thread> own = left.stream().filter(this::ours).toList(); // no shared pool ends, no shared thread
            Thread end = daemon("end", () -> own.forEach(thread -> {
                Pools.shutdown(thread, force);
                if (force) {
                    Inherited.attempt(thread::interrupt);
                    Inherited.attempt(() -> Inherited.interrupt(thread));
                }
            }));
            end.start();
            end.join(ROUND_MILLIS);
            pools.end(force);
            left.get(0).join(50);
            left = atWork();
        }
        return left;
    }

    /** On Java 17 an empty group stays in its parent until it is told to go; later it goes by itself. */
    @SuppressWarnings({"deprecation", "removal"})
    void discard() {
        if (Runtime.version().feature() < 19 && !isDestroyed()) {
            destroy();
        }
    }

    /** The group of the node that a thread belongs to; null for threads of the host. */
    static NodeGroup of(Thread thread) {
        for (ThreadGroup group = thread.getThreadGroup(); group != null; group = group.getParent()) {
            if (group instanceof NodeGroup node) {
                return node;
            }
        }
        return null;
    }

    private boolean ours(Thread thread) {
        NodeGroup group = of(thread);
        return thread.isAlive()
                && (group == this || group == null && NodeLoader.above(thread.getContextClassLoader()) == loader
                        || VirtualThreads.is(thread) && borrowed(thread.getStackTrace()));
    }

    private boolean borrowed(StackTraceElement[] stack) {
        return Stream.of(stack).anyMatch(frame -> loader.getName().equals(frame.getClassLoaderName()));
    }

    private static Stream<Thread> every() {
        ThreadGroup root = Thread.currentThread().getThreadGroup();
        while (root.getParent() != null) {
            root = root.getParent();
        }
        Thread[] threads = new Thread[root.activeCount() + 16];
        int count = root.enumerate(threads, true);
        while (count == threads.length) {
            threads = new Thread[2 * threads.length];
            count = root.enumerate(threads, true);
        }
        return Stream.concat(Stream.of(threads).limit(count), VirtualThreads.all());
    }
}
