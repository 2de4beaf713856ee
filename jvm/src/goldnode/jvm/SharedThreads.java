package goldnode.jvm;

import java.io.IOException;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;

/**
 * Makes the threads of pools that the JDK has for all, so that none belongs to the node that used it first.
 *
 * <p>A thread inherits group, context class loader and security context from the one that makes it;
 * made by a node's thread, it would keep that node's classes in memory and end with that node. Named by
 * the property {@code java.nio.channels.DefaultThreadPool.threadFactory}: the completion handlers of
 * asynchronous files and sockets without a group run here.
 */
public final class SharedThreads implements ThreadFactory {
    private static final ExecutorService MAKER = Executors.newSingleThreadExecutor(work -> daemon(work, "pool-maker"));

    /** Called by the JDK. */
    public SharedThreads() {}

    /**
     * Has the thread that makes the others, and those of the JDK's default group of channels, which on
     * Java 17 and 21 no factory makes; called by the host, before any node runs.
     */
    static void prepare() throws IOException {
        MAKER.execute(() -> {});
        AsynchronousServerSocketChannel.open().close();
    }

    @Override
    public Thread newThread(Runnable work) {
        return make(() -> daemon(work, "shared-channels"));
    }

    /** A thread made on the host's behalf, whoever asks. */
    static <T extends Thread> T make(Callable<T> making) {
        try {
            return MAKER.submit(making).get();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            return null;
        } catch (ExecutionException error) {
            throw new IllegalStateException("a pool of the JVM got no thread", error.getCause());
        }
    }

    private static Thread daemon(Runnable work, String name) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.setContextClassLoader(ClassLoader.getSystemClassLoader());
        return thread;
    }
}
