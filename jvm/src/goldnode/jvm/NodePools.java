package goldnode.jvm;

import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * What one node has in place of the JVM's common pool and its delayer, so that they end with it.
 *
 * <p>As with the JVM's, the node's own code cannot shut them down. Made when first used.
 */
final class NodePools {
    private final NodeGroup group;
    private Common common;
    private ScheduledThreadPoolExecutor delayer;
    private boolean ended;

    NodePools(NodeGroup group) {
        this.group = group;
    }

    /** The node's common pool. */
    synchronized ForkJoinPool common() {
        if (common == null) {
            common = new Common(Math.max(2, ForkJoinPool.getCommonPoolParallelism()), this::worker);
            if (ended) {
                common.end(true);
            }
        }
        return common;
    }

    /** Runs the work on the node's timer thread after the delay. */
    synchronized ScheduledFuture<?> delay(Runnable work, long delay, TimeUnit unit) {
        if (delayer == null) {
            delayer = new ScheduledThreadPoolExecutor(1, task -> group.daemon("delayer", task));
            delayer.setRemoveOnCancelPolicy(true);
            if (ended) {
                delayer.shutdownNow();
            }
        }
        return delayer.schedule(work, delay, unit);
    }

    /** Ends both; forced: without what they still hold. Used afterwards, they refuse work. */
    synchronized void end(boolean force) {
        ended = true;
        if (common != null) {
            common.end(force);
        }
        if (delayer != null) {
            delayer.shutdownNow();
        }
    }

    /** A worker inherits its group from the thread that makes it, which may be one of the JDK's. */
    private ForkJoinWorkerThread worker(ForkJoinPool pool) {
        ForkJoinWorkerThread[] made = new ForkJoinWorkerThread[1];
        Thread maker = group.daemon("pool-maker", () -> made[0] = new Worker(pool, group.loader()));
        maker.start();
        try {
            maker.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        return made[0];
    }

    private static final class Worker extends ForkJoinWorkerThread {
        Worker(ForkJoinPool pool, ClassLoader loader) {
            super(pool);
            setContextClassLoader(loader);
        }
    }

    private static final class Common extends ForkJoinPool {
        Common(int parallelism, ForkJoinWorkerThreadFactory factory) {
            super(parallelism, factory, null, false);
        }

        void end(boolean force) {
            if (force) {
                super.shutdownNow();
            } else {
                super.shutdown();
            }
        }

        @Override
        public void shutdown() {}

        @Override
        public List<Runnable> shutdownNow() {
            return List.of();
        }

        @Override
        public boolean awaitTermination(long timeout, TimeUnit unit) {
            awaitQuiescence(timeout, unit);
            return false;
        }
    }
}
