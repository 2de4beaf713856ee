package goldnode.jvm;

import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;

/**
 * Makes the threads of the JVM's common pool as {@link SharedThreads} makes others.
 *
 * <p>A node has a common pool of its own ({@link NodePools}); here run parallel streams, whose caller
 * waits for them. Named by the property {@code java.util.concurrent.ForkJoinPool.common.threadFactory}.
 */
public final class PoolThreads implements ForkJoinPool.ForkJoinWorkerThreadFactory {
    /** Called by the JDK. */
    public PoolThreads() {}

    @Override
    public ForkJoinWorkerThread newThread(ForkJoinPool pool) {
        return SharedThreads.make(() -> new Worker(pool));
    }

    private static final class Worker extends ForkJoinWorkerThread {
        Worker(ForkJoinPool pool) {
            super(pool);
            setContextClassLoader(ClassLoader.getSystemClassLoader());
        }
    }
}
