package goldnode.jvm.boot;

import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Where the JDK's own code asks whose call it is, before it acts for the JVM as a whole.
 *
 * <p>The boot class loader defines it ({@link goldnode.jvm.Agent}), so that the JDK sees it. It leads to
 * the host, or straight back into the JDK while there is none.
 */
public final class Gate {
    /** What the JDK would do, done for the node that calls; for the JVM when no node does. */
    public interface Keeper {
        void exit(int code);

        void halt(int code);

        void addHook(Thread hook);

        boolean removeHook(Thread hook);

        ForkJoinPool pool();

        ScheduledFuture<?> delay(Runnable work, long delay, TimeUnit unit);

        void interrupted();

        void opened(Object resource);

        Error ended();
    }

    /** Set before a class of the JDK leads here, and never again. */
    public static volatile Keeper keeper;

    private Gate() {}

    public static void exit(int code) {
        keeper.exit(code);
    }

    public static void halt(int code) {
        keeper.halt(code);
    }

    public static void add(Thread hook) {
        keeper.addHook(hook);
    }

    public static boolean remove(Thread hook) {
        return keeper.removeHook(hook);
    }

    public static ForkJoinPool asyncCommonPool() {
        return keeper.pool();
    }

    public static ScheduledFuture<?> delay(Runnable work, long delay, TimeUnit unit) {
        return keeper.delay(work, delay, unit);
    }

    /** Asked before an {@code InterruptedException} is made. */
    public static void interrupted() {
        keeper.interrupted();
    }

    /** Told of every socket, channel and selector before it is used, and of every file that is locked. */
    public static void opened(Object resource) {
        keeper.opened(resource);
    }

    /** What each method of a node throws that has come to its end. */
    public static Error ended() {
        return keeper.ended();
    }
}
