package goldnode.jvm;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;

/**
 * Makes the threads of the JVM-wide common pool, so that none belongs to the node that used it first.
 *
 * <p>A thread inherits group, context class loader and security context from the one that makes it;
 * made by a node's thread, it would keep that node's classes in memory as long as the pool lives.
 * Named by the property {@code java.util.concurrent.ForkJoinPool.common.threadFactory}.
 */
public final class PoolThreads implements ForkJoinPool.ForkJoinWorkerThreadFactory {
    private final ExecutorService maker = Executors.newSingleThreadExecutor(work -> {
        Thread thread = new Thread(work, "pool-maker");
        thread.setDaemon(true);
        return thread;
    });

    /** Called by the JDK, on the host's main thread, before any node runs ({@link Host}). */
    public PoolThreads() {
        maker.execute(() -> {});
    }

    @Override
    public ForkJoinWorkerThread newThread(ForkJoinPool pool) {
        try {
            return maker.submit(() -> (ForkJoinWorkerThread) new Worker(pool)).get();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return null;
        } catch (ExecutionException error) {
            throw new IllegalStateException("the common pool got no thread", error.getCause());
        }
    }

    private static final class Worker extends ForkJoinWorkerThread {
        Worker(ForkJoinPool pool) {
            super(pool);
            setContextClassLoader(ClassLoader.getSystemClassLoader());
        }
    }
}
